"""CFPs that their manager awards, and refusals (FIPA SC00029H: accept-proposal, reject-proposal, refuse).

At the deadline the bids that stand are shown to the manager. Until its time is over it gives slots to bids, at their
own prices, and declines others; they bind meanwhile. The CFP ends when all slots are given, when nothing is left to
choose, or when the time is over.
"""

from __future__ import annotations

from contractnet.messages import Awarder, CfpOutcome, Code, Event, Pricing, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.names import NAME_BYTES_MAX
from market import limits
from market.pricing import Win
from market.procurement import lease_ms
from market.rejection import Rejection, require
from market.rules import budgets, buying, contracts
from market.rules.context import Context, check_name, check_range
from market.state import Bid, Cfp, State


def call_for_proposals_5(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """As before; the manager may keep the award to itself."""
    require(not command.invited, Code.UNKNOWN_RULES, "before version 6 every CFP is open to all")
    return opened(ctx, command)


def opened(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """A new CFP, which the market awards or its manager."""
    require(command.award is not Awarder.UNSPECIFIED, Code.UNKNOWN_VALUE, "award")
    return [*contracts.opened(ctx, command), *deferred(ctx, command)]


def deferred(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """What follows the opening of a CFP by the sender where its manager awards it: nothing where the market does."""
    if command.award is Awarder.AUTO:
        check_range(Code.BAD_DURATION, "decide", command.decide_ms, 0, 0)
        return []
    require(command.pricing is Pricing.FIRST, Code.BAD_PRICING)
    longest_ms = limits.CFP_OPEN_MS_MAX - command.open_ms
    check_range(Code.BAD_DURATION, "decide", command.decide_ms, limits.DECIDE_MS_MIN, longest_ms)
    return [e.AwardDeferred(cfp=ctx.command_id, decide_ms=command.decide_ms)]


def cancel_5(ctx: Context, command: c.CancelCfp) -> list[Event]:
    """As before; what a manager awards itself it may take back until its time is over. Awards that are made stay."""
    cfp = contracts.known_cfp(ctx, command.cfp)
    if not cfp.decide_ms:
        return contracts.cancel(ctx, command)
    contracts.need_manager(ctx, cfp)
    _need_time(ctx, cfp)
    return _end(ctx.state, cfp, ReleaseReason.CFP_CANCELLED, CfpOutcome.CANCELLED)


def refuse(ctx: Context, command: c.RefuseCfp) -> list[Event]:
    """An account says that it does not bid; once, instead of a bid."""
    account = ctx.need_sender()
    cfp = contracts.open_cfp(ctx, command.cfp)
    require(account.id != cfp.manager, Code.OWN_CFP)
    require(account.id != ctx.state.bank, Code.NOT_PERMITTED, "the bank does not bid")
    check_name("reason", command.reason, NAME_BYTES_MAX, empty=True)
    require(account.id not in cfp.refused, Code.OUT_OF_SEQUENCE, "it has refused")
    require(account.id not in cfp.tries, Code.OUT_OF_SEQUENCE, "it has bid")
    require(len(cfp.refused) < limits.REFUSALS_PER_CFP_MAX, Code.LIMIT_REACHED, "refusals of the CFP")
    return [e.CfpRefused(cfp=cfp.id, account=account.id, reason=command.reason)]


def place_bid_5(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """As before; whoever has refused does not bid."""
    events = contracts.place_bid_4(ctx, command)
    need_no_refusal(ctx, command)
    return events


def need_no_refusal(ctx: Context, command: c.PlaceBid) -> None:
    """Reject a bid of whoever has refused its CFP."""
    require(ctx.need_sender().id not in ctx.state.cfps[command.cfp].refused, Code.OUT_OF_SEQUENCE, "it has refused")


def withdraw_bid_5(ctx: Context, command: c.WithdrawBid) -> list[Event]:
    """As before; from the deadline on a bid binds, while its manager decides."""
    bid = ctx.state.bids.get(command.bid)
    cfp = None if bid is None else ctx.state.cfps[bid.cfp]
    if bid is not None and cfp is not None and cfp.decide_ms and ctx.at_ms >= cfp.closes_at_ms:
        require(not bid.withdrawn and ctx.state.is_undecided(bid), Code.UNKNOWN_BID)
        require(ctx.need_sender().id == bid.account, Code.NOT_OWNER, "the bid belongs to another account")
        raise Rejection(Code.BID_BINDING)
    return contracts.withdraw_bid(ctx, command)


def award_bid(ctx: Context, command: c.AwardBid) -> list[Event]:
    """The manager gives the next slot to a bid, at its own price, in one step: award, lock, and capture and payment; or
    where it buys, escrow."""
    bid, cfp = _choice(ctx, command.bid)
    state, slot, win = ctx.state, len(cfp.awards), Win(bid, bid.price_ucr)
    if cfp.terms is not None:
        _need_room(ctx, bid, cfp, bid.pool, lease_ms(cfp, cfp.terms))
        events = buying.chosen(cfp, cfp.terms, slot, win, ctx.at_ms)
        return [*events, *_rest(state, cfp, bid, slot + 1)]
    require(bid.price_ucr >= cfp.reserve_price_ucr, Code.BELOW_RESERVE, f"{bid.price_ucr}, {cfp.reserve_price_ucr}")
    _need_room(ctx, bid, cfp, cfp.pool, cfp.duration_ms)
    events = contracts.award(state, cfp, slot, win, ctx.at_ms)
    warnings = budgets.warnings(state, [(bid.account, bid.price_ucr)])
    return [*events, *_rest(state, cfp, bid, slot + 1), *warnings]


def _rest(state: State, cfp: Cfp, bid: Bid, awards: int) -> list[Event]:
    """What follows the award of a bid, the last one of `awards`: the end of the CFP, if nothing is left to choose."""
    full = awards == cfp.slots
    if full or len(state.standing(cfp)) == 1:
        return _end(state, cfp, ReleaseReason.NOT_CHOSEN, CfpOutcome.UNAWARDED, bid, awards=awards)
    return []


def reject_bid(ctx: Context, command: c.RejectBid) -> list[Event]:
    """The manager declines a bid, whose hold is freed at once."""
    bid, cfp = _choice(ctx, command.bid)
    events = contracts.lose(ctx.state, bid, ReleaseReason.REJECTED)
    if all(other is bid for other in ctx.state.standing(cfp)):
        events += _end(ctx.state, cfp, ReleaseReason.NOT_CHOSEN, CfpOutcome.UNAWARDED, bid)
    return events


def begin(state: State, cfp: Cfp, at_ms: int) -> list[Event]:
    """The deadline: the manager's time begins, unless no bid can win."""
    standing = len(state.standing(cfp))
    if not standing:
        return _end(state, cfp, ReleaseReason.EXPIRED, CfpOutcome.UNAWARDED)
    return [e.DecisionOpened(cfp=cfp.id, bids=standing, decides_until_ms=at_ms + cfp.decide_ms)]


def expire(state: State, cfp: Cfp) -> list[Event]:
    """The manager's time is over: what it has not given is given to nobody. It may have had nothing left to choose."""
    outcome = CfpOutcome.EXPIRED if state.standing(cfp) else CfpOutcome.UNAWARDED
    return _end(state, cfp, ReleaseReason.EXPIRED, outcome)


def _choice(ctx: Context, ident: bytes) -> tuple[Bid, Cfp]:
    """A bid that the sender may decide on now."""
    bid = ctx.state.bids.get(ident)
    if bid is None or bid.withdrawn or not ctx.state.is_undecided(bid):
        raise Rejection(Code.UNKNOWN_BID)
    cfp = ctx.state.cfps[bid.cfp]
    contracts.need_manager(ctx, cfp)
    require(cfp.decide_ms > 0, Code.NOT_MANAGED)
    require(cfp.decides_until_ms > 0, Code.CFP_OPEN, f"until {cfp.closes_at_ms}, now {ctx.at_ms}")
    _need_time(ctx, cfp)
    return bid, cfp


def _need_time(ctx: Context, cfp: Cfp) -> None:
    late = 0 < cfp.decides_until_ms <= ctx.at_ms
    require(not late, Code.CFP_CLOSED, f"its manager could decide until {cfp.decides_until_ms}, now {ctx.at_ms}")


def _need_room(ctx: Context, bid: Bid, cfp: Cfp, name: str, lease_ms: int) -> None:
    """Reject a lease that the pool of this name has no room for, beginning now plus the bid's start delay."""
    pool = ctx.state.pools[name]
    require(pool.leases < limits.LEASES_PER_POOL_MAX, Code.LIMIT_REACHED, f"the pool has {pool.leases} leases")
    start_ms = ctx.at_ms + bid.start_delay_ms
    used = pool.timeline.peak(start_ms, start_ms + lease_ms)
    fits = used + cfp.units <= pool.units
    require(fits, Code.NO_CAPACITY, f"{used} of {pool.units} units are in use, needed {cfp.units}")


def _end(
    state: State,
    cfp: Cfp,
    reason: ReleaseReason,
    outcome: CfpOutcome,
    decided: Bid | None = None,
    *,
    awards: int | None = None,
) -> list[Event]:
    """All bids that nobody has decided on lose, and the CFP ends: as AWARDED if a slot was given, else as `outcome`.

    `decided` is the bid that this very command decides on; `awards` counts it where it won.
    """
    awards = len(cfp.awards) if awards is None else awards
    events: list[Event] = []
    if cfp.terms is not None:
        left_ucr = cfp.ceiling_of(cfp.slots - awards)
        events.append(e.HoldReleased(hold=cfp.id, account=cfp.manager, amount_ucr=left_ucr))
    for bid in cfp.bids.values():
        if bid is not decided and state.is_undecided(bid):
            events += contracts.lose(state, bid, _why(cfp, bid, reason))
    return [*events, contracts.closed(cfp, CfpOutcome.AWARDED if awards else outcome, awards)]


def _why(cfp: Cfp, bid: Bid, reason: ReleaseReason) -> ReleaseReason:
    if bid.withdrawn:
        return ReleaseReason.WITHDRAWN
    if reason is not ReleaseReason.CFP_CANCELLED and not cfp.admits(bid.price_ucr):
        return ReleaseReason.BELOW_RESERVE
    return reason
