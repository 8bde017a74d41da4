"""What the market tells one account alone: the sealed notices that its inbox key opens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakSet

from contractnet.client.grants import GrantBook
from contractnet.client.shown import Shown
from contractnet.client.stream import Stream
from contractnet.client.talks import Talks
from contractnet.codec import HEADER_BYTES, registry
from contractnet.credentials import Credential
from contractnet.errors import ConnectionClosedError, UnsealableError
from contractnet.messages import Notice, Progress
from contractnet.messages.notices import (
    BalanceChanged,
    BidDeclined,
    BidDropped,
    BidShown,
    BudgetChanged,
    BudgetEnded,
    GrantShown,
    Invitation,
    LeaseWanted,
    NegotiationEnded,
    NegotiationProposed,
    OwedChanged,
    RoundBegan,
    SealedNotice,
    WorkShown,
)
from contractnet.sealing import NONCE_BYTES, TAG_BYTES, open_notice, tag_of

log = logging.getLogger(__name__)

CFPS_MAX = 1_024
"""Of how many CFPs the shown bids are kept; the oldest go first, as they are decided on."""

_NONCE_AT = HEADER_BYTES + TAG_BYTES


@dataclass(frozen=True, slots=True, repr=False)
class Balance(Shown):
    """An account's credits, micro-credits, right after the command at `offset` of the market's commands partition.

    `available_ucr` can be spent, `held_ucr` backs open bids. What the account owes is in neither: where that is more
    than nothing holds, `available_ucr` is below 0. `at_ms` is market time, milliseconds since the epoch.
    """

    available_ucr: int
    held_ucr: int
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True, repr=False)
class Budget(Shown):
    """A budget that an account falls under, micro-credits, right after the command at `offset`.

    `limit_ucr` (None: no limit) is that of the window that ends at `ends_at_ms`, with what it was topped up by;
    `spent_ucr` is what awards have cost in it: the account's own, or all its project's where `of_project`. Open bids
    count against the limit as well, and are not told: those of others would be. `warned`: the threshold was reached.
    """

    of_project: bool
    limit_ucr: int | None
    spent_ucr: int
    ends_at_ms: int
    warned: bool
    offset: int
    at_ms: int

    @property
    def unspent_ucr(self) -> int | None:
        """What is left of the limit before open bids are counted; None: there is no limit."""
        return None if self.limit_ucr is None else max(0, self.limit_ucr - self.spent_ucr)


@dataclass(frozen=True, slots=True, repr=False)
class Proposal(Shown):
    """A bid that its CFP's manager may award, as it stood at the deadline.

    `id` (16 bytes) is the bid's, `account` and `agent` are who bid; the lease would begin `start_delay_ms` after the
    award.
    """

    id: bytes
    cfp: bytes
    account: bytes
    agent: str
    price_ucr: int
    weight_permille: int
    start_delay_ms: int
    task: str


@dataclass(frozen=True, slots=True, repr=False)
class Work(Shown):
    """How bought work stands, for its manager and its contractor: STARTED, or one of its ends.

    `delay_ms` is from the award to the start, None where it has not started; `paid_ucr` what the contractor got;
    `text` the result, or why it failed.
    """

    award: bytes
    cfp: bytes
    progress: Progress
    delay_ms: int | None
    paid_ucr: int
    text: str


class Balances(Stream[Balance]):
    """An async iterator over an account's balance: first the one that is known, then each as it changes.

    It ends when it, its agent or its connection is closed.
    """


class Inbox:
    """The sealed notices of one account. `has` may be asked in any thread; the rest belongs to the event loop's."""

    def __init__(self, account: bytes, inbox_key: bytes, genesis: bytes, market: str) -> None:
        self.account = account
        self.balance: Balance | None = None
        self.budgets: dict[bool, Budget] = {}
        """By whether it is the project's."""
        self.owed_ucr = 0
        """The decay that the account owes, micro-credits."""
        self.invitations: dict[bytes, None] = {}
        """The open CFPs by invitation that the account may bid on."""
        self.since = 0
        """Notices from this offset on are read for this inbox."""
        self._key, self._genesis, self._market = inbox_key, genesis, market
        self.talks = Talks()
        self.grants = GrantBook()
        self._readers: WeakSet[Balances] = WeakSet()
        self._proposals: dict[bytes, list[Proposal]] = {}
        self._complete: dict[bytes, asyncio.Future[None]] = {}
        self._works: dict[bytes, Work] = {}
        self._ended: dict[bytes, asyncio.Future[None]] = {}

    @classmethod
    def of(cls, credential: Credential) -> Inbox | None:
        """The inbox of a credential; None for one without an account, an inbox key, or a market that was opened."""
        who = credential
        if who.account is None or who.inbox_key is None or who.genesis is None:
            return None
        return cls(who.account, who.inbox_key, who.genesis, who.market)

    def has(self, tag: bytes, nonce: bytes) -> bool:
        """Whether a sealed notice is for this inbox key: all that other people's notices cost."""
        return tag_of(self._key, nonce) == tag

    def changes(self) -> Balances:
        """A new iterator."""
        balances = Balances([] if self.balance is None else [self.balance])
        self._readers.add(balances)
        return balances

    async def proposals(self, cfp: bytes, *, ended: bool) -> list[Proposal]:
        """The bids of a CFP that its manager is shown, the highest first, once all are there, or the CFP has ended."""
        if not ended:
            await asyncio.shield(self._complete.setdefault(cfp, asyncio.get_running_loop().create_future()))
        if cfp not in self._proposals:
            self._complete.pop(cfp, None)
        return sorted(self._proposals.get(cfp, ()), key=lambda p: -p.price_ucr)

    def take(self, sealed: SealedNotice, at_ms: int) -> Notice | None:
        """Open one of this inbox's notices; the notice, if it is this account's.

        What does not open is logged and passed over: nobody can make it right.
        """
        try:
            notice = open_notice(sealed, self._key, self._genesis, self._market)
        except UnsealableError as error:
            log.warning("a sealed notice for account %s skipped: %s", self.account.hex(), error)
            return None
        # Accounts that share an inbox key get each other's notices as well.
        kinds = BalanceChanged | BudgetChanged | BudgetEnded | BidShown | BidDeclined | BidDropped | Invitation
        kinds |= (
            NegotiationProposed | LeaseWanted | RoundBegan | NegotiationEnded | WorkShown | GrantShown | OwedChanged
        )
        if not isinstance(notice, kinds) or notice.account != self.account:
            return None
        if isinstance(notice, BidShown):
            self._take_shown(notice)
        elif isinstance(notice, BidDropped):
            left = [bid for bid in self._proposals.get(notice.cfp, ()) if bid.id != notice.bid]
            if notice.cfp in self._proposals:
                self._proposals[notice.cfp] = left
        elif isinstance(notice, Invitation):
            self.invitations[notice.cfp] = None
        elif isinstance(notice, WorkShown):
            self._take_work(notice)
        elif isinstance(notice, BudgetEnded):
            self.budgets.pop(notice.of_project, None)
        elif isinstance(notice, BudgetChanged):
            window = (notice.limit_ucr, notice.spent_ucr, notice.ends_at_ms, notice.warned)
            self.budgets[notice.of_project] = Budget(notice.of_project, *window, notice.offset, at_ms)
        elif isinstance(notice, OwedChanged):
            self.owed_ucr = notice.owed_ucr
        elif isinstance(notice, BalanceChanged):
            self.balance = Balance(notice.available_ucr, notice.held_ucr, notice.offset, at_ms)
            for reader in self._readers:
                reader.push(self.balance)
        elif isinstance(notice, NegotiationProposed | LeaseWanted | RoundBegan | NegotiationEnded):
            self.talks.take(notice)
        elif isinstance(notice, GrantShown):
            self.grants.take(notice, at_ms)
        return notice

    def _take_shown(self, notice: BidShown) -> None:
        bids = self._proposals.setdefault(notice.cfp, [])
        terms = (notice.price_ucr, notice.weight_permille, notice.start_delay_ms, notice.task)
        bids.append(Proposal(notice.bid, notice.cfp, notice.bidder, notice.agent, *terms))
        if len(self._proposals) > CFPS_MAX:
            gone = next(iter(self._proposals))
            del self._proposals[gone]
            self._complete.pop(gone, None)
        if len(bids) == notice.bids:
            self._tell(notice.cfp)

    async def work_ended(self, award: bytes) -> Work:
        """How work has ended, once it has."""
        known = self._works.get(award)
        if known is None or known.progress is Progress.STARTED:
            await asyncio.shield(self._ended.setdefault(award, asyncio.get_running_loop().create_future()))
        return self._works[award]

    def _take_work(self, notice: WorkShown) -> None:
        terms = (notice.progress, notice.delay_ms, notice.paid_ucr, notice.text)
        self._works[notice.award] = Work(notice.award, notice.cfp, *terms)
        if len(self._works) > CFPS_MAX:
            del self._works[next(iter(self._works))]
        done = None if notice.progress is Progress.STARTED else self._ended.pop(notice.award, None)
        if done is not None and not done.done():
            done.set_result(None)

    def settled(self, cfp: bytes) -> None:
        """A CFP has ended: no more of its bids will be shown, and it takes none."""
        self.invitations.pop(cfp, None)
        if cfp in self._complete:
            self._tell(cfp)

    def _tell(self, cfp: bytes) -> None:
        done = self._complete.setdefault(cfp, asyncio.get_running_loop().create_future())
        if not done.done():
            done.set_result(None)

    def end(self) -> None:
        """Nothing comes any more: end every iterator and everybody's waiting."""
        for done in (*self._complete.values(), *self._ended.values()):
            if not done.done():
                done.set_exception(ConnectionClosedError("the connection was closed"))
                done.exception()  # marks it as seen: nobody may be waiting
        for reader in list(self._readers):
            reader.close()
        self.talks.end()
        self.grants.end()


class Inboxes:
    """All inboxes that share a connection."""

    def __init__(
        self,
        declined: Callable[[bytes, bytes], None],
        invited: Callable[[Inbox, bytes], None],
        position: Callable[[], int],
    ) -> None:
        """`declined` is told CFP and bid of each bid of these accounts that its manager has declined, `invited` whom a
        CFP invites; `position` is how far the feed is."""
        self._declined, self._invited, self._position = declined, invited, position
        # Replaced as a whole: the feed's thread reads it meanwhile.
        self._all: tuple[Inbox, ...] = ()
        self._header = registry().newest[SealedNotice][0]

    def add(self, credential: Credential) -> Inbox | None:
        """The inbox of a credential, made where there is none yet."""
        fresh = Inbox.of(credential)
        if fresh is None:
            return None
        known = next((inbox for inbox in self._all if inbox.account == fresh.account), None)
        if known is None:
            self._all = (*self._all, fresh)
            # After it: what the feed looked at before may have been skipped.
            fresh.since = self._position()
        return known or fresh

    def want(self, value: bytes) -> bool:
        """Whether an encoded notice is worth decoding: any but the sealed ones of others."""
        if not value.startswith(self._header):
            return True
        tag, nonce = value[HEADER_BYTES:_NONCE_AT], value[_NONCE_AT : _NONCE_AT + NONCE_BYTES]
        return any(inbox.has(tag, nonce) for inbox in self._all)

    def take(self, sealed: SealedNotice, at_ms: int) -> None:
        """Give a sealed notice to whom it is for."""
        for inbox in self._all:
            notice = inbox.take(sealed, at_ms) if inbox.has(sealed.tag, sealed.nonce) else None
            if isinstance(notice, BidDeclined):
                self._declined(notice.cfp, notice.bid)
            elif isinstance(notice, Invitation):
                self._invited(inbox, notice.cfp)

    def settled(self, cfp: bytes) -> None:
        """A CFP has ended."""
        for inbox in self._all:
            inbox.settled(cfp)

    def end(self) -> None:
        """End every iterator of every inbox."""
        for inbox in self._all:
            inbox.end()
