"""What agents may see of a record's entries. Pure functions, so that an audit can repeat every byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from contractnet.messages import (
    ZERO_ID,
    Cause,
    Code,
    Entry,
    Event,
    Notice,
    PostingReason,
    ReleaseReason,
    Source,
    Winner,
)
from contractnet.messages import events as e
from contractnet.messages import notices as n
from contractnet.messages.private import BUCKET_BYTES_MIN, Private, Told
from market import limits
from market.notices_negotiations import negotiations_told
from market.notices_tokens import GRANT_BUCKET_BYTES, grants_told
from market.shard import Shard
from market.state import State

SHOWN_BUCKET_BYTES = 256
"""Every bid that a manager is shown, and every decoy among them, has this size: names and tasks do not tell."""
WORK_BUCKET_BYTES = 512
"""Every notice of work has this size: how long its result is does not tell."""


def told(shard: Shard, market: str | None, entries: Sequence[Entry]) -> Told:
    """All notices of one record, which the shard has just answered with `entries` (at least one)."""
    state = shard.markets.get(market or "")
    return Told(
        genesis=bytes(32) if state is None else state.genesis_hash,
        market=market or "",
        partition=shard.partition,
        offset=entries[0].source.offset,
        public=notices_of(entries, {} if state is None else state.closed),
        private=[] if state is None else private_of(entries, state),
    )


def private_of(entries: Sequence[Entry], state: State) -> list[Private]:
    """The private notices of one record, `state` being that after it; decoys among them.

    Whoever was paid, charged, or got a hold back learns its new balance, and the budgets that it falls under; a manager
    that awards itself is shown the bids after the deadline, and whom it declines is told; the invited learn that they
    are, and the parties of a negotiation how it goes on. Up to a CFP's deadline the number of notices depends on no
    bid; from then on it is padded by decoys, as is that of invitations. A secret draws the order, so that a place in it
    tells nothing.
    """
    if state.rules_version < limits.SEALED_RULES_VERSION:
        return []
    touched: dict[bytes, None] = {}
    declined: dict[bytes, Private] = {}
    least = 0
    for entry in entries:
        event = entry.event
        if isinstance(event, e.CreditsTransferred):
            touched[event.debit] = touched[event.credit] = None
            if event.reason is PostingReason.TOKENS:
                least = limits.SEALED_PER_CLOSE_MIN
        elif isinstance(event, e.HoldCaptured | e.HoldReleased) or (
            # How many bids of groups hold less tells of sealed bids; what its manager gives away is public.
            isinstance(event, e.HoldResized) and event.hold in state.cfps
        ):
            touched[event.account] = None
        elif isinstance(event, e.CfpClosed | e.AwardMade | e.BidRejected | e.NegotiationClosed | e.WorkReported):
            least = limits.SEALED_PER_CLOSE_MIN
            declined |= _declined(event, state) | _dropped(event, state)
        else:
            touched.update(dict.fromkeys(_concerned(event, state)))
    offset = entries[0].source.offset
    invitations = _invitations(entries, state)
    fewest = limits.SEALED_PER_CLOSE_MIN if invitations else 0
    # First, so that a reader knows where they end.
    invited = _mixed(invitations, fewest, BUCKET_BYTES_MIN, state, offset)
    shown = _mixed(_shown(entries, state), _deciding(entries), SHOWN_BUCKET_BYTES, state, offset)
    shown += negotiations_told(entries, state)
    shown += _mixed(_works(entries, state), 0, WORK_BUCKET_BYTES, state, offset)
    grants, fewest_grants = grants_told(entries, state)
    shown += _mixed(grants, fewest_grants, GRANT_BUCKET_BYTES, state, offset)
    if not touched and not least:
        return [*invited, *shown]
    notices = {ident: balance for ident in touched if (balance := _balance(state, ident, offset)) is not None}
    notices.update(_budgets_told(entries, state, [ident for ident in touched if ident in notices]))
    return [*invited, *_mixed(notices | declined, least, BUCKET_BYTES_MIN, state, offset), *shown]


def _mixed(notices: dict[bytes, Private], least: int, bucket_bytes: int, state: State, offset: int) -> list[Private]:
    """Notices of one size with as many decoys as it takes, in an order that tells nothing."""
    mixed = dict(notices)
    for number in range(_padded(len(notices), least) - len(notices)):
        mixed[number.to_bytes(16, "big")] = Private(state.decoy_key, None, bucket_bytes)
    return [mixed[ident] for ident in sorted(mixed, key=lambda ident: _place(state.decoy_key, offset, ident))]


def _invitations(entries: Sequence[Entry], state: State) -> dict[bytes, Private]:
    """What the invited are told, by account."""
    told: dict[bytes, Private] = {}
    for entry in entries:
        if isinstance(entry.event, e.AccountInvited):
            ident = entry.event.account
            key = state.accounts[ident].inbox_key
            assert key is not None, "the bank is not invited"
            told[ident] = Private(key, n.Invitation(ident, entry.event.cfp))
    return told


def _deciding(entries: Sequence[Entry]) -> int:
    """How many bids a record seems to show at least."""
    return limits.SEALED_PER_CLOSE_MIN if any(isinstance(entry.event, e.DecisionOpened) for entry in entries) else 0


def _shown(entries: Sequence[Entry], state: State) -> dict[bytes, Private]:
    """The bids that managers may choose from now on."""
    shown: dict[bytes, Private] = {}
    for entry in entries:
        cfp = state.cfps.get(entry.event.cfp) if isinstance(entry.event, e.DecisionOpened) else None
        key = None if cfp is None else state.accounts[cfp.manager].inbox_key
        if cfp is None or key is None:
            continue
        bids = state.standing(cfp)
        for bid in bids:
            notice = n.BidShown(
                account=cfp.manager,
                cfp=cfp.id,
                bid=bid.id,
                bidder=bid.account,
                agent=state.accounts[bid.account].name,
                price_ucr=bid.price_ucr,
                weight_permille=bid.weight_permille,
                start_delay_ms=bid.start_delay_ms,
                task=bid.task,
                bids=len(bids),
            )
            shown[bid.id] = Private(key, notice, SHOWN_BUCKET_BYTES)
    return shown


def _works(entries: Sequence[Entry], state: State) -> dict[bytes, Private]:
    """What the manager and the contractor of work hear of it."""
    told: dict[bytes, Private] = {}
    for number, entry in enumerate(entries):
        event = entry.event
        if not isinstance(event, e.WorkReported):
            continue
        for account in (event.manager, event.account):
            key = state.accounts[account].inbox_key
            assert key is not None, "the bank neither buys nor works"
            terms = (event.cfp, event.award, event.progress, event.delay_ms, event.paid_ucr, event.text)
            told[account + number.to_bytes(4, "big")] = Private(key, n.WorkShown(account, *terms), WORK_BUCKET_BYTES)
    return told


def _declined(event: Event, state: State) -> dict[bytes, Private]:
    """What a bidder is told whose bid its manager declined."""
    if not isinstance(event, e.BidRejected) or event.reason is not ReleaseReason.REJECTED:
        return {}
    key = state.accounts[event.account].inbox_key
    assert key is not None, "the bank does not bid"
    return {event.bid: Private(key, n.BidDeclined(event.account, event.cfp, event.bid))}


def _dropped(event: Event, state: State) -> dict[bytes, Private]:
    """What a manager is told who is choosing, of a bid that its group drops. Before the deadline nobody is told: the
    bidder knows its group, and for others there is nothing to see."""
    cfp = state.cfps.get(event.cfp) if isinstance(event, e.BidRejected) else None
    if not isinstance(event, e.BidRejected) or event.reason is not ReleaseReason.GROUP_WON:
        return {}
    key = None if cfp is None or not cfp.decides_until_ms else state.accounts[cfp.manager].inbox_key
    return {} if cfp is None or key is None else {event.bid: Private(key, n.BidDropped(cfp.manager, cfp.id, event.bid))}


def _balance(state: State, ident: bytes, offset: int) -> Private | None:
    account = state.accounts[ident]
    if account.inbox_key is None:
        return None
    return Private(account.inbox_key, n.BalanceChanged(ident, account.available_ucr, account.held_ucr, offset))


def _concerned(event: Event, state: State) -> list[bytes]:
    """Whom an event of a budget concerns: those under it. The start of a window that moves no credits tells a project
    nothing; how many hear of one depends on no bid."""
    if isinstance(event, e.BudgetCleared):
        return state.projects.get(event.project, []) if event.account is None else [event.account]
    if not isinstance(event, e.BudgetSet | e.BudgetToppedUp | e.BudgetWindowStarted):
        return []
    budget = state.budgets.get(event.budget)
    silent = isinstance(event, e.BudgetWindowStarted) and budget is not None and not budget.account and not budget.posts
    return [] if budget is None or silent else state.accounts_under(budget)


def _budgets_told(entries: Sequence[Entry], state: State, accounts: Sequence[bytes]) -> dict[bytes, Private]:
    """What these accounts learn of their budgets, and what they owe under those that move credits. Of a project's they
    learn what was spent, and never what is held: that is how high the others bid."""
    offset = entries[0].source.offset
    ended: set[bytes | str] = {
        entry.event.account or entry.event.project for entry in entries if isinstance(entry.event, e.BudgetCleared)
    }
    told: dict[bytes, Private] = {}
    for ident in accounts:
        account = state.accounts[ident]
        assert account.inbox_key is not None
        for of_project, scope in ((False, ident), (True, account.project)):
            budget = state.scopes.get(scope)
            notice: Notice
            if budget is not None:
                window = (budget.most_ucr, budget.spent_ucr, budget.ends_at_ms, budget.warned)
                notice = n.BudgetChanged(ident, of_project, *window, offset)
            elif scope in ended:
                notice = n.BudgetEnded(ident, of_project, offset)
            else:
                continue
            told[ident + bytes([of_project])] = Private(account.inbox_key, notice)
        owes = state.rules_version >= limits.DECAY_RULES_VERSION
        if owes and any(budget.posts for budget in state.budgets_of(account)):
            # Also where it owes nothing: how many are told depends on no bid.
            owed = n.OwedChanged(ident, account.owed_ucr, offset)
            told[ident + bytes([2])] = Private(account.inbox_key, owed)
    return told


def _padded(count: int, least: int) -> int:
    """The least power of two that is not below either; 0 for none."""
    return 1 << (most - 1).bit_length() if (most := max(count, least)) else 0


def _place(secret: bytes, offset: int, ident: bytes) -> bytes:
    return hashlib.blake2b(offset.to_bytes(8, "big") + ident, key=secret, digest_size=16).digest()


def notices_of(entries: Iterable[Entry], awarded: Mapping[bytes, tuple[Winner, ...]]) -> list[Notice]:
    """The notices that the entries of one record give rise to, in order.

    Before a CFP closes they tell that it opened, and nothing of its bids. A receipt names a command id and a code.
    `awarded` is what managers gave away themselves, maybe in earlier records, by CFP that has ended.
    """
    notices: list[Notice] = []
    winners: dict[bytes, list[Winner]] = {}
    invitations = 0
    for entry in entries:
        event = entry.event
        if isinstance(event, e.AwardMade) and entry.source.cause is Cause.COMMAND:
            notices.append(n.BidAwarded(event.cfp, event.award, event.price_ucr))
        elif isinstance(event, e.AwardMade):
            winners.setdefault(event.cfp, []).append(Winner(event.award, event.price_ucr))
        elif isinstance(event, e.CfpClosed):
            won = awarded.get(event.cfp) or tuple(winners.pop(event.cfp, ()))
            notices.append(n.CfpSettled(cfp=event.cfp, outcome=event.outcome, winners=won))
        elif isinstance(event, e.AccountInvited):
            invitations += 1
        elif isinstance(event, e.AwardDeferred):
            # Before the announcement, so that nobody who reads that knows it not.
            notices.insert(-1, n.ManagerAwards(cfp=event.cfp, decide_ms=event.decide_ms))
        elif isinstance(event, e.PurchaseOpened):
            terms = (event.delay_cost_per_s_ucr, event.bond_ucr, event.start_within_ms, event.grace_ms)
            notices.insert(-1, n.PurchaseAnnounced(event.cfp, *terms))
        else:
            notice = _receipt(entry.source, event) or _public(entry.source, event)
            if notice is not None:
                notices.append(notice)
    if invitations:
        # A record opens one CFP at most, and its announcement comes last.
        announced = notices[-1]
        assert isinstance(announced, n.CfpAnnounced)
        many = _padded(invitations, limits.SEALED_PER_CLOSE_MIN)
        notices.insert(-1, n.InvitationOnly(cfp=announced.cfp, invitations=many))
    return notices


def _receipt(source: Source, event: Event) -> Notice | None:
    if source.command == ZERO_ID:
        return None
    if isinstance(event, e.CommandAccepted):
        return n.Receipt(source.command, Code.ACCEPTED)
    if isinstance(event, e.CommandRejected | e.CommandRepeated):
        return n.Receipt(source.command, event.code)
    if isinstance(event, e.CommandUnreadable):
        return n.Receipt(source.command, Code.UNREADABLE)
    return None


def _public(source: Source, event: Event) -> Notice | None:
    if isinstance(event, e.CfpOpened):
        return n.CfpAnnounced(
            cfp=event.cfp,
            direction=event.direction,
            pool=event.pool,
            units=event.units,
            duration_ms=event.duration_ms,
            slots=event.slots,
            reserve_price_ucr=event.reserve_price_ucr,
            pricing=event.pricing,
            opened_at_ms=source.at_ms,
            closes_at_ms=event.closes_at_ms,
        )
    if isinstance(event, e.DecisionOpened):
        return n.BiddingEnded(cfp=event.cfp, decides_until_ms=event.decides_until_ms)
    if isinstance(event, e.SlotReserved):
        return n.LeaseGranted(
            award=event.award,
            pool=event.pool,
            units=event.units,
            starts_at_ms=event.starts_at_ms,
            ends_at_ms=event.ends_at_ms,
            token_offset=source.offset,
            token_index=source.index,
            pass_hash=event.pass_hash,
        )
    if isinstance(event, e.LeaseEnded):
        return n.LeaseRevoked(award=event.award, pool=event.pool, ended_at_ms=source.at_ms)
    if isinstance(event, e.PoolCreated | e.PoolResized):
        return n.PoolAnnounced(pool=event.pool, units=event.units)
    if isinstance(event, e.TokenPoolCreated | e.TokenPoolResized):
        return n.TokenPoolAnnounced(
            pool=event.pool,
            tokens_per_minute=event.tokens_per_minute,
            burst_tokens=event.burst_tokens,
            reserve_permille=event.reserve_permille,
            interval_ms=event.interval_ms,
            reserve_per_1000_ucr=event.reserve_per_1000_ucr,
            grant_ms=event.grant_ms,
        )
    if isinstance(event, e.MarketOpened):
        return n.MarketAnnounced(genesis_hash=event.genesis_hash, operator_key=event.operator_key)
    return None
