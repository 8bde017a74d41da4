"""CFPs that buy: what is held, who is asked, and how work ends (FIPA SC00029H, direction BUY).

The manager's ceiling is held from the CFP to its deadline, then each winner's price until its work ends: the escrow.
Contractors back their asks by a bond, and commit units of pools of their own, which are locked at the award. Escrow
pays when the work is done; when it has failed, or is not done in time, it is freed, and the bond is the manager's.
"""

from __future__ import annotations

from contractnet.messages import (
    Awarder,
    CfpOutcome,
    Code,
    Event,
    LeaseEnd,
    PostingReason,
    Progress,
)
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.names import MEMO_BYTES_MAX, NAME_BYTES_MAX
from market import limits
from market.account import Account
from market.pricing import Win
from market.procurement import allot_asks, lease_ms, payment_ucr
from market.rejection import Rejection, require
from market.rules import budgets, contracts
from market.rules.accounts import check_credit
from market.rules.context import Context, check_amount, check_name, check_range
from market.rules.pools import find
from market.state import Cfp, State
from market.works import Terms, Work, escrow_of


def opened_6(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """A new CFP that buys, which the market awards."""
    _need_buyer(ctx, command)
    plain = command.award is Awarder.AUTO and command.decide_ms == 0
    require(plain, Code.UNKNOWN_RULES, "the market awards what is bought")
    return opened(ctx, command)


def opened(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """A new CFP that buys, with a hold of its ceiling for all slots."""
    manager = _need_buyer(ctx, command)
    announced = contracts.announced(ctx, command, manager, command.pool, limits.UNITS_MAX)
    check_range(Code.BAD_AMOUNT, "delay cost", command.delay_cost_per_s_ucr, 0, limits.AMOUNT_UCR_MAX)
    check_range(Code.BAD_AMOUNT, "bond", command.bond_ucr, 1, limits.AMOUNT_UCR_MAX)
    check_range(Code.BAD_DURATION, "start", command.start_within_ms, 0, limits.START_DELAY_MS_MAX)
    check_range(Code.BAD_DURATION, "grace", command.grace_ms, 0, limits.LEASE_MS_MAX - command.duration_ms)
    ceiling_ucr = command.reserve_price_ucr * command.slots
    check_amount(ceiling_ucr)
    check_credit(manager, ceiling_ucr)
    budgets.check_room(ctx.state, manager, ceiling_ucr)
    cfp = ctx.command_id
    return [
        announced,
        e.PurchaseOpened(
            cfp=cfp,
            delay_cost_per_s_ucr=command.delay_cost_per_s_ucr,
            bond_ucr=command.bond_ucr,
            start_within_ms=command.start_within_ms,
            grace_ms=command.grace_ms,
        ),
        e.HoldPlaced(hold=cfp, account=manager.id, amount_ucr=ceiling_ucr, cfp=cfp),
    ]


def _need_buyer(ctx: Context, command: c.CallForProposals) -> Account:
    """The sender, who may buy what has such a name."""
    manager = ctx.need_sender()
    require(manager.id != ctx.state.bank, Code.NOT_PERMITTED, "the bank does not buy")
    check_name("pool", command.pool)
    return manager


def place_ask(ctx: Context, command: c.PlaceAsk) -> list[Event]:
    """A contractor offers to do the work on units of its own pool, backed by a hold of the bond."""
    contractor = ctx.need_sender()
    cfp = contracts.open_cfp(ctx, command.cfp)
    require(contractor.id != cfp.manager, Code.OWN_CFP)
    require(contractor.id != ctx.state.bank, Code.NOT_PERMITTED, "the bank does not bid")
    require(contractor.id not in cfp.refused, Code.OUT_OF_SEQUENCE, "it has refused")
    if cfp.terms is None:
        raise Rejection(Code.OUT_OF_SEQUENCE, "the CFP sells: answer with a bid")
    # The ceiling is known to all: an ask above it could only waste its bond.
    check_range(Code.BAD_AMOUNT, "ask", command.price_ucr, 1, cfp.reserve_price_ucr)
    check_range(Code.BAD_DURATION, "start delay", command.start_delay_ms, 0, cfp.terms.start_within_ms)
    check_name("task", command.task, NAME_BYTES_MAX, empty=True)
    pool = find(ctx, command.pool)
    require(pool.owner == contractor.id, Code.NOT_OWNER, "the pool belongs to another account")
    require(cfp.units <= pool.units, Code.UNITS_EXCEED_POOL, f"the pool has {pool.units} units")
    contracts.check_room(cfp, contractor, limits.BIDS_PER_ACCOUNT_AND_CFP_MAX)
    check_credit(contractor, cfp.terms.bond_ucr)
    budgets.check_room(ctx.state, contractor, cfp.terms.bond_ucr)
    ask = ctx.command_id
    return [
        e.BidPlaced(
            bid=ask,
            cfp=cfp.id,
            account=contractor.id,
            price_ucr=command.price_ucr,
            weight_permille=ctx.state.weight_at(contractor, cfp.weight_epoch),
            start_delay_ms=command.start_delay_ms,
            task=command.task,
            pass_hash=command.pass_hash,
        ),
        e.UnitsOffered(bid=ask, pool=pool.name),
        e.HoldPlaced(hold=ask, account=contractor.id, amount_ucr=cfp.terms.bond_ucr, cfp=cfp.id),
    ]


def close(state: State, cfp: Cfp, terms: Terms, at_ms: int, head: bytes) -> list[Event]:
    """The market awards a CFP that buys at its deadline, and puts each winner's price in escrow."""
    allotment = allot_asks(state, cfp, terms, at_ms, head)
    events = contracts.freed(state, cfp)
    for slot, win in enumerate(allotment.wins):
        events += _award(cfp, terms, slot, win, at_ms)
    for ask, reason in allotment.losses:
        events += contracts.lose(state, ask, reason)
    outcome = CfpOutcome.AWARDED if allotment.wins else CfpOutcome.UNAWARDED
    return [*events, contracts.closed(cfp, outcome, len(allotment.wins))]


def _award(cfp: Cfp, terms: Terms, slot: int, win: Win, at_ms: int) -> list[Event]:
    """One step: award, lock, escrow. The bond stays."""
    escrow = e.HoldPlaced(hold=escrow_of(win.bid.id), account=cfp.manager, amount_ucr=win.price_ucr, cfp=cfp.id)
    return [*contracts.awarded(cfp, slot, win, win.bid.pool, at_ms, lease_ms(cfp, terms)), escrow]


def chosen(cfp: Cfp, terms: Terms, slot: int, win: Win, at_ms: int) -> list[Event]:
    """The same where the manager has chosen: the ceiling of one slot less is held before its price is."""
    *award, escrow = _award(cfp, terms, slot, win, at_ms)
    left_ucr = cfp.ceiling_of(cfp.slots - slot - 1)
    return [*award, e.HoldResized(hold=cfp.id, account=cfp.manager, amount_ucr=left_ucr), escrow]


def report_work(ctx: Context, command: c.ReportWork) -> list[Event]:
    """A contractor has started, is done, or has failed. Its market time of STARTED ends the delay."""
    work, lease = ctx.state.works.get(command.award), ctx.state.leases.get(command.award)
    if work is None or lease is None or ctx.at_ms >= lease.ends_at_ms:
        raise Rejection(Code.UNKNOWN_LEASE)
    require(ctx.need_sender().id == work.account, Code.NOT_OWNER, "the work belongs to another account")
    check_name("text", command.text, MEMO_BYTES_MAX, empty=True)
    match command.progress:
        case Progress.STARTED:
            require(work.delay_ms is None, Code.OUT_OF_SEQUENCE, "it has started")
            # Whoever is early is paid for what it promised: its units are locked from then on only.
            delay_ms = max(work.promised_ms, ctx.at_ms - work.awarded_at_ms)
            return [_told(work, command.progress, command.text, delay_ms)]
        case Progress.DONE:
            require(work.delay_ms is not None, Code.OUT_OF_SEQUENCE, "it has not started")
            return _done(ctx.state, work, command.text)
        case Progress.FAILED:
            return _failed(ctx.state, work, command.progress, command.text)
        case _:
            raise Rejection(Code.UNKNOWN_VALUE, "progress")


def time_out(state: State, work: Work) -> list[Event]:
    """Work was not done in time."""
    return _failed(state, work, Progress.TIMED_OUT, "")


def _done(state: State, work: Work, text: str) -> list[Event]:
    """Escrow pays the contractor, and its bond is free."""
    paid_ucr = payment_ucr(work)
    ended = _ended(state, work, Progress.DONE, text, paid_ucr)
    bond = e.HoldReleased(hold=work.award, account=work.account, amount_ucr=work.bond_ucr)
    if not paid_ucr:
        return [*ended, _refund(work), bond]
    left_ucr = work.price_ucr - paid_ucr
    captured = e.HoldCaptured(work.escrow, work.manager, captured_ucr=paid_ucr, released_ucr=left_ucr)
    payment = _posting(state, work, PostingReason.AWARD, paid_ucr)
    return [*ended, captured, payment, bond, *budgets.warnings(state, [(work.manager, paid_ucr)])]


def _failed(state: State, work: Work, progress: Progress, text: str) -> list[Event]:
    """Escrow is freed, and the bond is the manager's."""
    ended = _ended(state, work, progress, text, 0)
    forfeited = e.HoldCaptured(work.award, work.account, captured_ucr=work.bond_ucr, released_ucr=0)
    posting = _posting(state, work, PostingReason.FORFEIT, work.bond_ucr)
    warnings = budgets.warnings(state, [(work.account, work.bond_ucr)])
    return [*ended, _refund(work), forfeited, posting, *warnings]


def _ended(state: State, work: Work, progress: Progress, text: str, paid_ucr: int) -> list[Event]:
    reason = LeaseEnd.EXPIRED if progress is Progress.TIMED_OUT else LeaseEnd.RELEASED
    return [
        _told(work, progress, text, work.delay_ms, paid_ucr),
        e.LeaseEnded(award=work.award, pool=state.leases[work.award].pool, reason=reason),
    ]


def _told(work: Work, progress: Progress, text: str, delay_ms: int | None, paid_ucr: int = 0) -> Event:
    who = (work.award, work.cfp, work.manager, work.account)
    return e.WorkReported(*who, progress, delay_ms, paid_ucr, text)


def _refund(work: Work) -> Event:
    return e.HoldReleased(hold=work.escrow, account=work.manager, amount_ucr=work.price_ucr)


def _posting(state: State, work: Work, reason: PostingReason, amount_ucr: int) -> Event:
    """A payment to the contractor, or its bond to the manager; attributed to whoever pays."""
    paid = reason is PostingReason.AWARD
    debit, credit = (work.manager, work.account) if paid else (work.account, work.manager)
    payer = state.accounts[debit]
    return e.CreditsTransferred(
        debit=debit,
        credit=credit,
        amount_ucr=amount_ucr,
        reason=reason,
        agent=payer.name,
        project=payer.project,
        task=work.task,
        pool=state.leases[work.award].pool,
        cfp=work.cfp,
        award=work.award,
        memo="",
    )
