"""How an entry of the ledger changes a market. The only place where state changes."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from contractnet.messages import Code, Direction, Entry, Event, PostingReason, Source, Winner
from contractnet.messages import events as e
from market import evolve_decay as decay
from market import evolve_groups as groups
from market import evolve_policies as policies
from market import evolve_works as works
from market import limits
from market.account import Account, Key
from market.evolve_budgets import BUDGET_CHANGES
from market.evolve_negotiations import NEGOTIATION_CHANGES
from market.evolve_tokens import TOKEN_CHANGES
from market.state import Bid, Cfp, Lease, Pool, State

NO_CHANGE = (e.CommandUnreadable, e.CommandRepeated, e.ClockAdvanced, e.ClockJumped)
"""Events that tell something without changing more than market time."""


def opened(name: str, entry: Entry) -> State:
    """The state right after a market's genesis."""
    event = entry.event
    assert isinstance(event, e.MarketOpened)
    state = State(
        name=name,
        genesis_hash=event.genesis_hash,
        bank=event.bank,
        partitions=event.partitions,
        signed=event.signed,
        rules_version=event.rules_version,
        now_ms=entry.source.at_ms,
    )
    state.keys[event.operator_key] = Key(account=None)
    _add_account(state, Account(event.bank, "bank", "bank", "bank"), event.bank_key)
    return state


def evolve(state: State, entry: Entry) -> None:
    """Fold one entry into the state."""
    source = entry.source
    assert source.at_ms >= state.now_ms, "market time never runs back"
    state.now_ms = source.at_ms
    change = _CHANGES.get(type(entry.event))
    if change is not None:
        change(state, source, entry.event)
    else:
        assert isinstance(entry.event, NO_CHANGE), f"no rule folds {type(entry.event).__name__}"


def _rules_activated(state: State, source: Source, event: e.RulesActivated) -> None:
    before, state.rules_version = state.rules_version, event.version
    decay.activated(state, before, source.at_ms)


def _accepted(state: State, source: Source, event: e.CommandAccepted) -> None:
    _remember(state.keys[event.key], event.sequence, source.command, Code.ACCEPTED)


def _rejected(state: State, source: Source, event: e.CommandRejected) -> None:
    if event.sequence is not None:
        assert event.key is not None
        _remember(state.keys[event.key], event.sequence, source.command, event.code)


def _remember(key: Key, sequence: int, command: bytes, code: Code) -> None:
    assert sequence not in key.seen, "a command has one outcome"
    assert sequence > key.floor, "a command has one outcome"
    key.seen[sequence] = (command[: limits.COMMAND_TAG_BYTES], code)
    if len(key.seen) > limits.SEQUENCES_PER_KEY_MAX:
        key.floor = min(key.seen)
        del key.seen[key.floor]


def _account_opened(state: State, source: Source, event: e.AccountOpened) -> None:
    account = Account(event.account, event.name, event.project, event.budget_root, event.inbox_key)
    _add_account(state, account, event.signing_key)
    decay.opened(state, account, source.at_ms)


def _add_account(state: State, account: Account, signing_key: bytes) -> None:
    state.add_account(account)
    _add_key(state, account, signing_key)


def _add_key(state: State, account: Account, signing_key: bytes) -> None:
    assert signing_key not in state.keys
    state.keys[signing_key] = Key(account.id)
    account.keys += 1
    account.live_keys += 1


def _key_registered(state: State, _: Source, event: e.KeyRegistered) -> None:
    _add_key(state, state.accounts[event.account], event.signing_key)


def _key_revoked(state: State, _: Source, event: e.KeyRevoked) -> None:
    key = state.keys[event.signing_key]
    assert not key.revoked
    _end_key(state, key)
    state.accounts[event.account].live_keys -= 1


def _end_key(state: State, key: Key) -> None:
    key.revoked = True
    # Later rules remember, so that a command that is sent again after a crash still gets its first outcome.
    if state.rules_version < limits.KEYS_RULES_VERSION:
        key.seen.clear()


def _key_expires(state: State, _: Source, event: e.KeyExpires) -> None:
    state.keys[event.signing_key].expires_at_ms = event.expires_at_ms


def _operator_key_rotated(state: State, _: Source, event: e.OperatorKeyRotated) -> None:
    old = state.keys[event.revoked_key]
    assert old.account is None
    assert not old.revoked
    assert event.signing_key not in state.keys
    _end_key(state, old)
    state.keys[event.signing_key] = Key(account=None)


def _weight_changed(state: State, _: Source, event: e.WeightChanged) -> None:
    state.weight_epoch += 1
    account = state.accounts[event.account]
    state.weights_of(account).change(account, state.weight_epoch, event.weight_permille)


def _transferred(state: State, source: Source, event: e.CreditsTransferred) -> None:
    assert event.amount_ucr > 0
    assert event.debit != event.credit
    debit, credit = state.accounts[event.debit], state.accounts[event.credit]
    for account in (debit, credit):
        decay.count(state, account, source.at_ms)
    debit.balance_ucr -= event.amount_ucr
    credit.balance_ucr += event.amount_ucr
    assert debit.id == state.bank or debit.free_ucr >= 0, "nobody spends what it does not have"
    if event.reason is PostingReason.TOKENS:
        # What backs other payments is a hold, whose capture counts.
        for budget in state.budgets_of(debit):
            budget.spent_ucr += event.amount_ucr
            assert budget.room_ucr is None or budget.room_ucr >= 0, "no clearing takes more than a budget leaves"
    policies.issued(state, source, event)


def _hold_placed(state: State, _: Source, event: e.HoldPlaced) -> None:
    assert event.hold not in state.holds
    state.holds[event.hold] = event.amount_ucr
    account = state.accounts[event.account]
    account.held_ucr += event.amount_ucr
    assert account.free_ucr >= 0, "nobody holds what it does not have"
    # An escrow is part of what its CFP has just freed, also where the bank lowered the limit meanwhile.
    opening = policies.is_deposit(state, event)
    escrow = not opening and not any(event.hold in opened for opened in (state.bids, state.cfps, state.negotiations))
    for budget in state.budgets_of(account):
        budget.held_ucr += event.amount_ucr
        fits = escrow or budget.room_ucr is None or budget.room_ucr >= 0
        assert fits, "no bid holds more than a budget leaves"


def _hold_captured(state: State, _: Source, event: e.HoldCaptured) -> None:
    if (bid := state.bids.get(event.hold)) is not None:
        groups.win(state, bid)
    _resolve(state, event.hold, event.account, event.captured_ucr + event.released_ucr)
    for budget in state.budgets_of(state.accounts[event.account]):
        budget.spent_ucr += event.captured_ucr


def _hold_released(state: State, _: Source, event: e.HoldReleased) -> None:
    _resolve(state, event.hold, event.account, event.amount_ucr)


def _resolve(state: State, hold: bytes, account: bytes, amount_ucr: int) -> None:
    held_ucr = state.holds.pop(hold)
    assert held_ucr == amount_ucr, "a hold resolves once, and whole"
    if (bid := state.bids.get(hold)) is not None:
        groups.leave(state, bid)
    if hold in state.works:
        works.end(state, hold)
    state.accounts[account].held_ucr -= amount_ucr
    for budget in state.budgets_of(state.accounts[account]):
        budget.held_ucr -= amount_ucr
        assert budget.held_ucr >= 0, "a budget counts no hold twice"


def _pool_created(state: State, _: Source, event: e.PoolCreated) -> None:
    assert event.pool not in state.pools
    state.pools[event.pool] = Pool(event.pool, event.owner, event.units)


def _pool_resized(state: State, _: Source, event: e.PoolResized) -> None:
    pool = state.pools[event.pool]
    pool.units = event.units
    assert pool.timeline.peak(state.now_ms) <= pool.units


def _cfp_opened(state: State, source: Source, event: e.CfpOpened) -> None:
    assert event.cfp not in state.cfps
    # A deal opens a call for its lease in its own record, before it ends.
    sold = state.negotiations.get(event.cfp)
    cfp = Cfp(
        id=event.cfp,
        manager=event.manager,
        direction=event.direction,
        pool=event.pool,
        units=event.units,
        duration_ms=event.duration_ms,
        slots=event.slots,
        reserve_price_ucr=event.reserve_price_ucr,
        pricing=event.pricing,
        closes_at_ms=event.closes_at_ms,
        weight_epoch=state.weight_epoch,
        opened_at_ms=source.at_ms,
        deposit_hourly_permille=0 if sold else state.deposit_rate_of(event.direction, event.manager),
        resale=None if sold is None else sold.award,
    )
    if cfp.deposit_hourly_permille and cfp.direction is Direction.SELL:
        cfp.deposit_floor_ucr = state.deposit_floor_ucr
    if cfp.resale is not None:
        lease = state.leases[cfp.resale]
        assert (lease.account, lease.units) == (cfp.manager, cfp.units), "a holder sells its lease on, and all of it"
        assert lease.award not in state.resales, "a lease is sold on once at a time"
    state.add_cfp(cfp)
    # The end of a round of its negotiation may have been on the agenda for the same instant.
    if sold is None or (event.closes_at_ms, event.cfp) not in state.agenda:
        heapq.heappush(state.agenda, (event.closes_at_ms, event.cfp))


def _award_deferred(state: State, _: Source, event: e.AwardDeferred) -> None:
    state.cfps[event.cfp].decide_ms = event.decide_ms


def _account_invited(state: State, _: Source, event: e.AccountInvited) -> None:
    cfp = state.cfps[event.cfp]
    assert event.account not in cfp.invited
    cfp.invited[event.account] = None


def _cfp_refused(state: State, source: Source, event: e.CfpRefused) -> None:
    cfp = state.cfps[event.cfp]
    assert source.at_ms < cfp.closes_at_ms, "an answer counts before the deadline only"
    assert event.account not in cfp.refused
    assert cfp.takes(event.account), "the invited alone answer"
    cfp.refused[event.account] = None


def _decision_opened(state: State, source: Source, event: e.DecisionOpened) -> None:
    cfp = state.cfps[event.cfp]
    assert cfp.closes_at_ms <= source.at_ms < event.decides_until_ms
    assert not cfp.decides_until_ms, "a manager decides once"
    cfp.decides_until_ms = event.decides_until_ms
    heapq.heappush(state.agenda, (cfp.due_at_ms, cfp.id))
    state.trim_agenda()


def _award_made(state: State, source: Source, event: e.AwardMade) -> None:
    cfp = state.cfps[event.cfp]
    if cfp.terms is not None:
        works.begin(state, source, event, cfp.terms)
    if cfp.decide_ms:
        assert event.slot == len(cfp.awards) < cfp.slots, "a slot is awarded once"
        assert cfp.decides_until_ms, "nobody chooses before the deadline"
        cfp.awards.append(Winner(event.award, event.price_ucr))


def _cfp_closed(state: State, _: Source, event: e.CfpClosed) -> None:
    cfp = state.cfps.pop(event.cfp)
    assert cfp.id not in state.holds, "what a manager holds is resolved when its CFP ends"
    state.count_cfp(cfp.manager, -1)
    if cfp.resale is not None:
        del state.resales[cfp.resale]
    for bid in cfp.bids.values():
        resolved = bid.id not in state.holds or bid.id in state.works
        assert resolved, "every hold of a CFP is resolved when it ends, except bonds of work"
        del state.bids[bid.id]
        state.accounts[bid.account].open_bids -= 1
    state.closed[cfp.id] = tuple(cfp.awards)
    if len(state.closed) > limits.CLOSED_CFPS_REMEMBERED:
        del state.closed[next(iter(state.closed))]
    state.trim_agenda()


def _bid_placed(state: State, source: Source, event: e.BidPlaced) -> None:
    cfp = state.cfps[event.cfp]
    assert source.at_ms < cfp.closes_at_ms, "a bid counts before the deadline only"
    bid = Bid(
        id=event.bid,
        cfp=event.cfp,
        account=event.account,
        price_ucr=event.price_ucr,
        weight_permille=event.weight_permille,
        start_delay_ms=event.start_delay_ms,
        task=event.task,
        pass_hash=event.pass_hash,
        placed_at_ms=source.at_ms,
    )
    assert bid.id not in state.bids
    assert bid.account not in cfp.bidders
    assert bid.account not in cfp.refused
    assert cfp.takes(bid.account), "the invited alone answer"
    state.bids[bid.id] = cfp.bids[bid.id] = bid
    cfp.bidders[bid.account] = bid.id
    cfp.tries[bid.account] = cfp.tries.get(bid.account, 0) + 1
    state.accounts[bid.account].open_bids += 1


def _bid_withdrawn(state: State, _: Source, event: e.BidWithdrawn) -> None:
    cfp = state.cfps[event.cfp]
    cfp.bids[event.bid].withdrawn = True
    del cfp.bidders[event.account]


def _slot_reserved(state: State, _: Source, event: e.SlotReserved) -> None:
    assert event.award not in state.leases
    pool = state.pools[event.pool]
    pool.timeline.forget(state.now_ms)
    pool.timeline.add(event.starts_at_ms, event.ends_at_ms, event.units)
    assert pool.timeline.peak(event.starts_at_ms, event.ends_at_ms) <= pool.units, "capacity is never exceeded"
    pool.leases += 1
    state.leases[event.award] = Lease(
        event.award, event.pool, event.units, event.account, event.starts_at_ms, event.ends_at_ms
    )
    heapq.heappush(state.agenda, (event.ends_at_ms, event.award))


def _lease_ended(state: State, source: Source, event: e.LeaseEnded) -> None:
    lease = state.leases.pop(event.award)
    pool = state.pools[lease.pool]
    pool.leases -= 1
    start_ms = max(source.at_ms, lease.starts_at_ms)
    if start_ms < lease.ends_at_ms:
        pool.timeline.add(start_ms, lease.ends_at_ms, -lease.units)
    pool.timeline.forget(source.at_ms)
    state.trim_agenda()


_CHANGES: dict[type[Event], Callable[[State, Source, Any], None]] = {
    e.RulesActivated: _rules_activated,
    e.CommandAccepted: _accepted,
    e.CommandRejected: _rejected,
    e.AccountOpened: _account_opened,
    e.KeyRegistered: _key_registered,
    e.KeyRevoked: _key_revoked,
    e.KeyExpires: _key_expires,
    e.OperatorKeyRotated: _operator_key_rotated,
    e.WeightChanged: _weight_changed,
    e.CreditsTransferred: _transferred,
    e.HoldPlaced: _hold_placed,
    e.HoldResized: groups.hold_resized,
    e.HoldCaptured: _hold_captured,
    e.HoldReleased: _hold_released,
    e.PoolCreated: _pool_created,
    e.PoolResized: _pool_resized,
    e.CfpOpened: _cfp_opened,
    e.AwardDeferred: _award_deferred,
    e.AccountInvited: _account_invited,
    e.PurchaseOpened: works.purchase_opened,
    e.CfpRefused: _cfp_refused,
    e.DecisionOpened: _decision_opened,
    e.AwardMade: _award_made,
    e.CfpClosed: _cfp_closed,
    e.BidPlaced: _bid_placed,
    e.BidGrouped: groups.bid_grouped,
    e.UnitsOffered: works.units_offered,
    e.BidWithdrawn: _bid_withdrawn,
    e.BidRejected: groups.bid_rejected,
    e.SlotReserved: _slot_reserved,
    e.LeaseEnded: _lease_ended,
    e.WorkReported: works.reported,
    e.PolicySet: policies.policy_set,
    e.DepositSet: policies.deposit_set,
    e.ResaleCallSet: policies.resale_call_set,
    e.DecayOwed: decay.owed,
    **BUDGET_CHANGES,
    **NEGOTIATION_CHANGES,
    **TOKEN_CHANGES,
}
