"""The contract net: CFPs, bids, awards at the deadline, leases (FIPA SC00029H, direction SELL; BUY: buying.py)."""

from __future__ import annotations

from contractnet.messages import (
    Awarder,
    CfpOutcome,
    Code,
    Direction,
    Event,
    LeaseEnd,
    PostingReason,
    Pricing,
    Priority,
    ReleaseReason,
)
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.names import NAME_BYTES_MAX
from market import limits
from market.account import Account
from market.pricing import Allotment, Win, allot
from market.rejection import Rejection, require
from market.rules import budgets
from market.rules.accounts import check_credit
from market.rules.context import Context, check_amount, check_name, check_range
from market.rules.pools import find
from market.state import Bid, Cfp, Lease, State


def call_for_proposals(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """The owner of a pool calls for proposals for slots of it, which the market awards."""
    plain = command.award is Awarder.AUTO and command.decide_ms == 0
    require(plain, Code.UNKNOWN_RULES, "before version 5 the market awards every CFP")
    require(not command.invited, Code.UNKNOWN_RULES, "before version 6 every CFP is open to all")
    return opened(ctx, command)


def opened(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """A new CFP that sells, whoever awards it."""
    manager = ctx.need_sender()
    pool = find(ctx, command.pool)
    require(pool.owner == manager.id, Code.NOT_OWNER, "the pool belongs to another account")
    require(command.direction is Direction.SELL, Code.UNKNOWN_VALUE, "direction")
    buys = command.delay_cost_per_s_ucr or command.bond_ucr or command.start_within_ms or command.grace_ms
    require(not buys, Code.UNKNOWN_RULES, "only a CFP that buys has a bond and terms of delay")
    return [announced(ctx, command, manager, pool.name, pool.units)]


def announced(ctx: Context, command: c.CallForProposals, manager: Account, pool: str, most_units: int) -> Event:
    """A new CFP, whatever its direction; a slot has at most `most_units`."""
    require(command.pricing is not Pricing.UNSPECIFIED, Code.UNKNOWN_VALUE, "pricing")
    check_range(Code.BAD_UNITS, "units", command.units, 1, limits.UNITS_MAX)
    check_range(Code.BAD_UNITS, "slots", command.slots, 1, limits.SLOTS_MAX)
    require(command.units <= most_units, Code.UNITS_EXCEED_POOL, f"the pool has {most_units} units")
    check_range(Code.BAD_DURATION, "duration", command.duration_ms, limits.LEASE_MS_MIN, limits.LEASE_MS_MAX)
    check_range(Code.BAD_DURATION, "open", command.open_ms, limits.CFP_OPEN_MS_MIN, limits.CFP_OPEN_MS_MAX)
    check_range(Code.BAD_AMOUNT, "reserve", command.reserve_price_ucr, 1, limits.AMOUNT_UCR_MAX)
    require(manager.open_cfps < limits.OPEN_CFPS_PER_MANAGER_MAX, Code.LIMIT_REACHED, "open CFPs of the manager")
    require(len(ctx.state.cfps) < limits.OPEN_CFPS_MAX, Code.LIMIT_REACHED, "open CFPs")
    return e.CfpOpened(
        cfp=ctx.command_id,
        manager=manager.id,
        direction=command.direction,
        pool=pool,
        units=command.units,
        duration_ms=command.duration_ms,
        slots=command.slots,
        reserve_price_ucr=command.reserve_price_ucr,
        pricing=command.pricing,
        closes_at_ms=ctx.at_ms + command.open_ms,
    )


def cancel(ctx: Context, command: c.CancelCfp) -> list[Event]:
    """The manager takes an open CFP back; every hold of it is freed."""
    cfp = open_cfp(ctx, command.cfp)
    need_manager(ctx, cfp)
    events = freed(ctx.state, cfp)
    for bid in cfp.bids.values():
        if bid.id in ctx.state.holds:
            events += lose(ctx.state, bid, ReleaseReason.WITHDRAWN if bid.withdrawn else ReleaseReason.CFP_CANCELLED)
    return [*events, closed(cfp, CfpOutcome.CANCELLED, 0)]


def need_manager(ctx: Context, cfp: Cfp) -> None:
    """Reject whoever did not open the CFP."""
    require(ctx.need_sender().id == cfp.manager, Code.NOT_OWNER, "the CFP belongs to another account")


def place_bid(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """A bid, backed by a hold of its whole price."""
    return _place(ctx, command, limits.BIDS_PER_CFP_MAX)


def place_bid_3(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """The same; an account may try a few times on one CFP."""
    return _place(ctx, command, limits.BIDS_PER_ACCOUNT_AND_CFP_MAX)


def place_bid_4(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """The same, within what the budgets of the account and of its project leave."""
    events = place_bid_3(ctx, command)
    budgets.check_room(ctx.state, ctx.need_sender(), command.price_ucr)
    return events


def _place(ctx: Context, command: c.PlaceBid, tries_max: int) -> list[Event]:
    alone = command.group is None and command.wins_max == 0
    require(alone, Code.UNKNOWN_RULES, "before version 6 there are no groups")
    event, bidder = placed(ctx, command, tries_max), ctx.need_sender()
    check_credit(bidder, command.price_ucr)
    hold = e.HoldPlaced(hold=ctx.command_id, account=bidder.id, amount_ucr=command.price_ucr, cfp=command.cfp)
    return [event, hold]


def placed(ctx: Context, command: c.PlaceBid, tries_max: int) -> Event:
    """A bid that stands, whatever is held for it."""
    bidder = ctx.need_sender()
    cfp = open_cfp(ctx, command.cfp)
    require(bidder.id != cfp.manager, Code.OWN_CFP)
    require(bidder.id != ctx.state.bank, Code.NOT_PERMITTED, "the bank does not bid")
    require(cfp.terms is None, Code.OUT_OF_SEQUENCE, "the CFP buys: answer with an ask")
    check_amount(command.price_ucr)
    check_name("task", command.task, NAME_BYTES_MAX, empty=True)
    check_range(Code.BAD_DURATION, "start delay", command.start_delay_ms, 0, limits.START_DELAY_MS_MAX)
    vague = command.claim is not None and command.claim.priority is Priority.UNSPECIFIED
    require(not vague, Code.UNKNOWN_VALUE, "priority")
    check_room(cfp, bidder, tries_max)
    return e.BidPlaced(
        bid=ctx.command_id,
        cfp=cfp.id,
        account=bidder.id,
        price_ucr=command.price_ucr,
        weight_permille=ctx.state.weight_at(bidder, cfp.weight_epoch),
        start_delay_ms=command.start_delay_ms,
        task=command.task,
        pass_hash=command.pass_hash,
        claim=command.claim,
    )


def check_room(cfp: Cfp, bidder: Account, tries_max: int) -> None:
    """Reject one more bid of the account on the CFP where it has one, or there are too many."""
    require(bidder.id not in cfp.bidders, Code.ALREADY_BID, "withdraw it first")
    require(len(cfp.bids) < limits.BIDS_PER_CFP_MAX, Code.LIMIT_REACHED, "bids of the CFP")
    tried = cfp.tries.get(bidder.id, 0)
    require(tried < tries_max, Code.LIMIT_REACHED, "bids of the account on the CFP")
    require(bidder.open_bids < limits.OPEN_BIDS_PER_ACCOUNT_MAX, Code.LIMIT_REACHED, "open bids of the account")


def withdraw_bid(ctx: Context, command: c.WithdrawBid) -> list[Event]:
    """Takes a bid out of the ranking. Its hold stays until the CFP ends, so that bidding high and leaving costs."""
    bid = ctx.state.bids.get(command.bid)
    if bid is None or bid.withdrawn:
        raise Rejection(Code.UNKNOWN_BID)
    require(ctx.need_sender().id == bid.account, Code.NOT_OWNER, "the bid belongs to another account")
    open_cfp(ctx, bid.cfp)
    return [e.BidWithdrawn(bid=bid.id, cfp=bid.cfp, account=bid.account)]


def release_lease(ctx: Context, command: c.ReleaseLease) -> list[Event]:
    """The holder gives a lease back early; what was paid stays paid."""
    lease = own_lease(ctx, command.award)
    return [e.LeaseEnded(award=lease.award, pool=lease.pool, reason=LeaseEnd.RELEASED)]


def own_lease(ctx: Context, award: bytes) -> Lease:
    """A lease of the sender's that is not over."""
    lease = ctx.state.leases.get(award)
    if lease is None or ctx.at_ms >= lease.ends_at_ms:
        raise Rejection(Code.UNKNOWN_LEASE)
    require(ctx.need_sender().id == lease.account, Code.NOT_OWNER, "the lease belongs to another account")
    require(lease.award not in ctx.state.works, Code.OUT_OF_SEQUENCE, "it is for work: report that it is done")
    return lease


def close(state: State, cfp: Cfp, at_ms: int, head: bytes) -> list[Event]:
    """The market awards a CFP at its deadline. `head` is the chain head before the record that settles it."""
    allotment = allot(state, cfp, state.pools[cfp.pool], at_ms, head)
    awards = [event for slot, win in enumerate(allotment.wins) for event in award(state, cfp, slot, win, at_ms)]
    return ended(state, cfp, allotment, awards)


def ended(state: State, cfp: Cfp, allotment: Allotment, awards: list[Event]) -> list[Event]:
    """The end of a CFP that sells and that the market awards, after the events of its awards."""
    events = list(awards)
    for bid, reason in allotment.losses:
        # What its group has dropped is settled.
        if bid.id in state.holds:
            events += lose(state, bid, reason)
    outcome = CfpOutcome.AWARDED if allotment.wins else CfpOutcome.UNAWARDED
    warnings = budgets.warnings(state, [(win.bid.account, win.price_ucr) for win in allotment.wins])
    return [*events, closed(cfp, outcome, len(allotment.wins)), *warnings]


def awarded(cfp: Cfp, slot: int, win: Win, pool: str, at_ms: int, lease_ms: int) -> list[Event]:
    """A slot is a bid's: the award, and the lock of the pool's units for so long from its promised start on."""
    bid = win.bid
    starts_at_ms = at_ms + bid.start_delay_ms
    return [
        made(cfp, slot, win),
        e.SlotReserved(
            award=bid.id,
            pool=pool,
            units=cfp.units,
            account=bid.account,
            starts_at_ms=starts_at_ms,
            ends_at_ms=starts_at_ms + lease_ms,
            pass_hash=bid.pass_hash,
        ),
    ]


def made(cfp: Cfp, slot: int, win: Win) -> Event:
    """The award of a slot to a bid."""
    bid = win.bid
    return e.AwardMade(
        award=bid.id,
        cfp=cfp.id,
        slot=slot,
        account=bid.account,
        price_ucr=win.price_ucr,
        bid_price_ucr=bid.price_ucr,
    )


def award(state: State, cfp: Cfp, slot: int, win: Win, at_ms: int) -> list[Event]:
    """One step: award, lock, capture of a hold of the bid's whole price, payment."""
    return [*awarded(cfp, slot, win, cfp.pool, at_ms, cfp.duration_ms), *paid(state, cfp, win)]


def paid(state: State, cfp: Cfp, win: Win) -> list[Event]:
    """A winner's hold of its whole price is captured, and its price paid to the manager."""
    bid = win.bid
    bidder = state.accounts[bid.account]
    return [
        e.HoldCaptured(
            hold=bid.id, account=bid.account, captured_ucr=win.price_ucr, released_ucr=bid.price_ucr - win.price_ucr
        ),
        e.CreditsTransferred(
            debit=bid.account,
            credit=cfp.manager,
            amount_ucr=win.price_ucr,
            reason=PostingReason.AWARD,
            agent=bidder.name,
            project=bidder.project,
            task=bid.task,
            pool=cfp.pool,
            cfp=cfp.id,
            award=bid.id,
            memo="",
        ),
    ]


def freed(state: State, cfp: Cfp) -> list[Event]:
    """What the manager of a CFP that buys has held is free again."""
    if cfp.terms is None:
        return []
    return [e.HoldReleased(hold=cfp.id, account=cfp.manager, amount_ucr=state.holds[cfp.id])]


def lose(state: State, bid: Bid, reason: ReleaseReason) -> list[Event]:
    """A bid does not win, and its hold is freed."""
    return [
        e.BidRejected(bid=bid.id, cfp=bid.cfp, account=bid.account, reason=reason),
        e.HoldReleased(hold=bid.id, account=bid.account, amount_ucr=state.holds[bid.id]),
    ]


def closed(cfp: Cfp, outcome: CfpOutcome, awards: int) -> Event:
    """The end of a CFP."""
    standing = sum(not b.withdrawn for b in cfp.bids.values())
    return e.CfpClosed(cfp=cfp.id, outcome=outcome, bids=standing, awards=awards)


def known_cfp(ctx: Context, ident: bytes) -> Cfp:
    """A CFP that has not ended, whether its deadline has passed or not."""
    cfp = ctx.state.cfps.get(ident)
    if cfp is None:
        raise Rejection(Code.CFP_CLOSED if ident in ctx.state.closed else Code.UNKNOWN_CFP)
    return cfp


def open_cfp(ctx: Context, ident: bytes) -> Cfp:
    """A CFP that takes bids."""
    cfp = known_cfp(ctx, ident)
    # The deadline itself is too late: a bid counts if and only if at < closes_at.
    require(ctx.at_ms < cfp.closes_at_ms, Code.CFP_CLOSED, f"it closed at {cfp.closes_at_ms}, now {ctx.at_ms}")
    return cfp
