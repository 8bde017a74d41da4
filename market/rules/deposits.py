"""The deposit of a manager: whoever locks others' credits pays for those that it does not serve (docs/guards.md).

It is held from the opening on, and free again when the call ends. Where bids stood then that could have been served and
slots were not given to others, it pays those bids by the time that they were bound. Up to version 10 managers that sell
deposit; then those that buy as well, by the bonds that they ask for.
"""

from __future__ import annotations

from collections.abc import Sequence

from contractnet.messages import Code, Direction, Event, PostingReason, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.deposit import Claim, base_of, deposit_ucr, shares
from market.procurement import lease_ms
from market.rejection import require
from market.rules import budgets, groups, invitations
from market.rules.accounts import check_credit
from market.rules.context import Context, check_amount, check_range
from market.state import Bid, Cfp, State
from market.works import Terms, deposit_of


def set_deposit(ctx: Context, command: c.SetDeposit) -> list[Event]:
    """The operator sets the rate. Calls that are open keep theirs."""
    require(ctx.sender is None, Code.NOT_PERMITTED, "only the operator may do this")
    require(not command.floor_ucr, Code.UNKNOWN_RULES, "before version 10 there is no floor under the deposit")
    return _set(command)


def set_deposit_10(ctx: Context, command: c.SetDeposit) -> list[Event]:
    """As before, with a floor: what a unit counts for in an hour at least, whatever reserve a manager names."""
    require(ctx.sender is None, Code.NOT_PERMITTED, "only the operator may do this")
    check_range(Code.BAD_AMOUNT, "floor", command.floor_ucr, 0, limits.DEPOSIT_FLOOR_UCR_MAX)
    return _set(command)


def _set(command: c.SetDeposit) -> list[Event]:
    check_range(Code.BAD_AMOUNT, "deposit", command.hourly_permille, 0, limits.DEPOSIT_HOURLY_PERMILLE_MAX)
    return [e.DepositSet(hourly_permille=command.hourly_permille, floor_ucr=command.floor_ucr)]


def call_for_proposals_8(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """As before; a manager holds a deposit. The bank, which has no credits of its own, does not."""
    events = invitations.call_for_proposals_7(ctx, command)
    manager, state, cfp = ctx.need_sender(), ctx.state, ctx.command_id
    rate = state.deposit_rate_of(command.direction, manager.id)
    if not rate:
        return events
    if command.direction is Direction.BUY:
        hold, base_ucr, ceiling_ucr = deposit_of(cfp), command.bond_ucr, command.reserve_price_ucr * command.slots
    else:
        base_ucr = base_of(command.reserve_price_ucr, state.deposit_floor_ucr, command.units, command.duration_ms)
        hold, ceiling_ucr = cfp, 0
    amount_ucr = deposit_ucr(base_ucr, command.slots, command.open_ms + command.decide_ms, rate)
    check_amount(amount_ucr)
    check_credit(manager, ceiling_ucr + amount_ucr)
    budgets.check_room(state, manager, ceiling_ucr + amount_ucr)
    return [*events, e.HoldPlaced(hold=hold, account=manager.id, amount_ucr=amount_ucr, cfp=cfp)]


def place_bid_8(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """As before; a call with a deposit takes no bid that its pool has no room for as it is now, so that no credits are
    bound for what cannot be served, and nobody is paid for having known that."""
    events = invitations.place_bid_6(ctx, command)
    cfp = ctx.state.cfps[command.cfp]
    if cfp.deposit_ucr:
        pool, start_ms = ctx.state.pools[cfp.pool], cfp.closes_at_ms + command.start_delay_ms
        used = pool.timeline.peak(start_ms, start_ms + cfp.duration_ms)
        fits = used + cfp.units <= pool.units
        require(fits, Code.NO_CAPACITY, f"{used} of {pool.units} units are in use, needed {cfp.units}")
    return events


def cancel_8(ctx: Context, command: c.CancelCfp) -> list[Event]:
    """As before, with what it means for the deposit."""
    return follow(ctx.state, groups.cancel_6(ctx, command), ctx.at_ms)


def award_bid_8(ctx: Context, command: c.AwardBid) -> list[Event]:
    """As before, with what it means for the deposit."""
    return follow(ctx.state, groups.award_bid_6(ctx, command), ctx.at_ms)


def reject_bid_8(ctx: Context, command: c.RejectBid) -> list[Event]:
    """As before, with what it means for the deposit."""
    return follow(ctx.state, groups.reject_bid_6(ctx, command), ctx.at_ms)


def follow(state: State, events: list[Event], at_ms: int) -> list[Event]:
    """Events that may end a CFP, with what becomes of its deposit right before the end."""
    followed: list[Event] = []
    for event in events:
        cfp = state.cfps.get(event.cfp) if isinstance(event, e.CfpClosed) else None
        if cfp is not None and cfp.deposit_ucr:
            followed += _settled(state, cfp, events, at_ms)
        followed.append(event)
    return followed


def _settled(state: State, cfp: Cfp, events: Sequence[Event], at_ms: int) -> list[Event]:
    """The deposit is free, and pays. A posting and no capture: what is captured counts as spent in budgets."""
    won = {winner.bid for winner in cfp.awards}
    won |= {event.award for event in events if isinstance(event, e.AwardMade) and event.cfp == cfp.id}
    outbid = {
        event.bid for event in events if isinstance(event, e.BidRejected) and event.reason is ReleaseReason.OUTBID
    }
    over = won | outbid
    others = [bid for bid in cfp.bids.values() if _is_other(state, cfp, bid)]
    claims = [
        Claim(bid.account, (bid.freed_at_ms or at_ms) - bid.placed_at_ms)
        for bid in others
        if not bid.withdrawn and bid.id not in over and cfp.admits(bid.price_ucr)
        if cfp.terms is None or bid.freed_at_ms or _has_room(state, cfp, cfp.terms, bid, events, at_ms)
    ]
    unserved = min(len(claims), cfp.slots - sum(bid.id in won for bid in others))
    released = e.HoldReleased(hold=cfp.deposit_hold, account=cfp.manager, amount_ucr=cfp.deposit_ucr)
    if not unserved:
        return [released]
    paid = shares(cfp.deposit_ucr, cfp.slots, cfp.bound_ms, unserved, claims)
    return [released, *(_posting(state, cfp, account, amount_ucr) for account, amount_ucr in paid)]


def _is_other(state: State, cfp: Cfp, bid: Bid) -> bool:
    """Whether a bid is of another budget root than the manager's: what goes round in one serves nobody else."""
    return state.accounts[bid.account].budget_root != state.accounts[cfp.manager].budget_root


def _has_room(state: State, cfp: Cfp, terms: Terms, ask: Bid, events: Sequence[Event], at_ms: int) -> bool:
    """Whether an ask's own pool has room for it now, beside what this record gives: else it served itself badly."""
    pool, start_ms = state.pools[ask.pool], at_ms + ask.start_delay_ms
    given = [event for event in events if isinstance(event, e.SlotReserved) and event.pool == pool.name]
    timeline = pool.timeline.copy() if given else pool.timeline
    for lease in given:
        timeline.add(lease.starts_at_ms, lease.ends_at_ms, lease.units)
    used = timeline.peak(start_ms, start_ms + lease_ms(cfp, terms))
    return pool.leases + len(given) < limits.LEASES_PER_POOL_MAX and used + cfp.units <= pool.units


def _posting(state: State, cfp: Cfp, account: bytes, amount_ucr: int) -> Event:
    manager = state.accounts[cfp.manager]
    return e.CreditsTransferred(
        debit=manager.id,
        credit=account,
        amount_ucr=amount_ucr,
        reason=PostingReason.DEPOSIT,
        agent=manager.name,
        project=manager.project,
        task="",
        pool=cfp.pool,
        cfp=cfp.id,
        award=None,
        memo="",
    )
