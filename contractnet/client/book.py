"""What the notices of a market said, and who waits for what. Lives in the event loop's thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakSet

from contractnet.client.cfp import Cfp
from contractnet.client.feed import Noted
from contractnet.client.inbox import Inbox, Inboxes
from contractnet.errors import ConnectionClosedError
from contractnet.messages import Code, Direction, Winner
from contractnet.messages.notices import (
    BidAwarded,
    CfpAnnounced,
    CfpSettled,
    InvitationOnly,
    LeaseGranted,
    LeaseRevoked,
    ManagerAwards,
    MarketAnnounced,
    PoolAnnounced,
    PurchaseAnnounced,
    Receipt,
    SealedNotice,
    TokenPoolAnnounced,
)

T = TypeVar("T")

REMEMBERED_MAX = 20_000
"""How many ended CFPs, and how many leases, are remembered for those who ask later."""

BACKLOG_MAX = 4_096
"""How many announced CFPs wait for a slow reader; the oldest go first, as they close first."""


class Watches(dict[bytes, "asyncio.Future[T]"]):
    """One shared future per awaited id."""

    def on(self, key: bytes) -> asyncio.Future[T]:
        """The future of an id, created when nobody waits yet."""
        if (future := self.get(key)) is None:
            future = self[key] = asyncio.get_running_loop().create_future()
        return future

    def resolve(self, key: bytes, value: T) -> None:
        """Give the value to whoever waits for the id."""
        if (future := self.pop(key, None)) is not None and not future.done():
            future.set_result(value)

    def fail(self, key: bytes, error: Exception) -> None:
        """Raise the error for whoever waits for the id."""
        if (future := self.pop(key, None)) is not None:
            _fail(future, error)

    def end(self) -> None:
        """Let everybody who waits know that nothing comes any more."""
        for future in self.values():
            _fail(future)
        self.clear()


Handle = Callable[[CfpAnnounced, int, bool, PurchaseAnnounced | None], Cfp]
"""What makes a CFP of its announcement, its manager's time to decide, and its terms if it buys."""

BidWatch = asyncio.Future[tuple[Winner, LeaseGranted] | None]
"""Resolves when the CFP of a bid has ended: what the bid won, or None."""


def _fail(future: asyncio.Future[T], error: Exception | None = None) -> None:
    if not future.done():
        future.set_exception(error or ConnectionClosedError("the connection was closed"))
        future.exception()  # marks it as seen: nobody may be waiting


def _winner(ended: CfpSettled, bid: bytes) -> Winner | None:
    return next((w for w in ended.winners if w.bid == bid), None)


def _remember(memory: dict[bytes, T], key: bytes, value: T) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED_MAX:
        del memory[next(iter(memory))]


class Subscription:
    """An async iterator over CFPs that take bids: first those open already, then each as it is announced.

    It skips what has closed before it was read. It ends when it, its agent or its connection is closed. An agent's has
    of the CFPs by invitation those to which it is invited.
    """

    def __init__(
        self,
        pool: str | None,
        direction: Direction,
        now_ms: Callable[[], int],
        invitations: Mapping[bytes, None] | None,
    ) -> None:
        self.pool, self.direction = pool, direction
        self._invitations = invitations
        self._now_ms = now_ms
        self._backlog: deque[Cfp] = deque(maxlen=BACKLOG_MAX)
        self._wake: asyncio.Future[None] | None = None
        self._closed = False

    def push(self, cfp: Cfp) -> None:
        """Append a CFP for the reader, if it is one for it."""
        mine = not cfp.by_invitation or self._invitations is None or cfp.id in self._invitations
        if mine and self.direction is cfp.direction and self.pool in (None, cfp.pool):
            self._backlog.append(cfp)
            self._notify()

    def is_of(self, inbox: Inbox) -> bool:
        """Whether it waits for the invitations of this inbox."""
        return self._invitations is inbox.invitations

    def close(self) -> None:
        """End the iteration."""
        self._closed = True
        self._backlog.clear()
        self._notify()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Cfp:
        while True:
            while self._backlog:
                cfp = self._backlog.popleft()
                if cfp.closes_at_ms > self._now_ms():
                    return cfp
            if self._closed:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class Book:
    """The fold of the notices."""

    def __init__(self, now_ms: Callable[[], int], handle: Handle, position: Callable[[], int]) -> None:
        self.genesis: MarketAnnounced | None = None
        self.pools: dict[str, int] = {}
        self.token_pools: dict[str, TokenPoolAnnounced] = {}
        self.inboxes = Inboxes(self.lose_bid, self._invited, position)
        self.position = 0
        """All notices below this offset are in the book."""
        self.open_cfps: dict[bytes, Cfp] = {}
        self.settled: dict[bytes, CfpSettled] = {}
        self.leases: dict[bytes, LeaseGranted] = {}
        self.receipts: Watches[Code] = Watches()
        self.announcements: Watches[Cfp] = Watches()
        self.settlements: Watches[CfpSettled] = Watches()
        self._bids: dict[bytes, dict[bytes, BidWatch]] = {}
        self._won: dict[bytes, tuple[Winner, BidWatch]] = {}
        self._decide_ms: dict[bytes, int] = {}
        self._invitations: dict[bytes, int] = {}
        self._told_at: dict[bytes, range] = {}
        self._purchases: dict[bytes, PurchaseAnnounced] = {}
        self._awarded_lately: dict[bytes, Winner] = {}
        self._granted_lately: dict[bytes, LeaseGranted] = {}
        self._now_ms = now_ms
        self._handle = handle
        self._subscriptions: WeakSet[Subscription] = WeakSet()
        self._steps: dict[type[Any], Callable[[Any], None]] = {
            Receipt: self._receipt,
            MarketAnnounced: self._market,
            PoolAnnounced: self._pool,
            TokenPoolAnnounced: self._token_pool,
            ManagerAwards: self._deferred,
            InvitationOnly: self._by_invitation,
            PurchaseAnnounced: self._buys,
            BidAwarded: self._awarded,
            CfpSettled: self._settled,
            LeaseGranted: self._granted,
            LeaseRevoked: self._revoked,
        }

    def apply(self, noted: Noted) -> None:
        """Take one notice in, in the order of the partition."""
        if isinstance(noted.notice, SealedNotice):
            self.inboxes.take(noted.notice, noted.at_ms)
        elif isinstance(noted.notice, CfpAnnounced):
            self._announced(noted.notice, noted.offset)
        elif step := self._steps.get(type(noted.notice)):
            step(noted.notice)

    def subscribe(
        self, pool: str | None, direction: Direction, invitations: Mapping[bytes, None] | None = None
    ) -> Subscription:
        """A new subscription, starting with what is open; with all CFPs, or those by invitation among `invitations`."""
        subscription = Subscription(pool, direction, self._now_ms, invitations)
        for cfp in self.open_cfps.values():
            subscription.push(cfp)
        self._subscriptions.add(subscription)
        return subscription

    def is_invited(self, cfp: Cfp, inbox: Inbox | None) -> bool | None:
        """Whether a CFP takes bids of the account of an inbox; None where that is not known."""
        if not cfp.by_invitation:
            return True
        if inbox is None:
            return None
        told_at = self._told_at.get(cfp.id)
        unknown = told_at is None or told_at.start < inbox.since or self.position < told_at.stop
        return cfp.id in inbox.invitations or (None if unknown else False)

    def watch_bid(self, cfp: bytes, bid: bytes) -> BidWatch:
        """What becomes of a bid on a CFP, also when that is known already."""
        watch = self._bids.get(cfp, {}).get(bid) or asyncio.get_running_loop().create_future()
        if bid in self._awarded_lately:
            self._resolve_bid(self._awarded_lately[bid], bid, watch)
        elif (ended := self.settled.get(cfp)) is None:
            self._bids.setdefault(cfp, {})[bid] = watch
        else:
            self._resolve_bid(_winner(ended, bid), bid, watch)
        return watch

    def grant_of(self, award: bytes) -> LeaseGranted | None:
        """How a lease was granted, also when it has ended lately."""
        return self._granted_lately.get(award)

    def forget_bid(self, cfp: bytes, bid: bytes) -> None:
        """A bid was rejected: nothing becomes of it."""
        bids = self._bids.get(cfp, {})
        if bids.pop(bid, None) is not None and not bids:
            del self._bids[cfp]

    def lose_bid(self, cfp: bytes, bid: bytes) -> None:
        """A bid was withdrawn, or its manager declined it: it wins nothing, whatever the CFP's end."""
        watch = self._bids.get(cfp, {}).get(bid)
        self.forget_bid(cfp, bid)
        if watch is not None and not watch.done():
            watch.set_result(None)

    def end(self) -> None:
        """Nothing comes any more: end every subscription and everybody's waiting."""
        for subscription in list(self._subscriptions):
            subscription.close()
        self.inboxes.end()
        for watches in (self.receipts, self.announcements, self.settlements):
            watches.end()
        open_bids = [watch for bids in self._bids.values() for watch in bids.values()]
        for watch in (*open_bids, *(watch for _, watch in self._won.values())):
            _fail(watch)
        self._bids.clear()
        self._won.clear()

    def _receipt(self, notice: Receipt) -> None:
        self.receipts.resolve(notice.command, notice.code)

    def _market(self, notice: MarketAnnounced) -> None:
        self.genesis = notice

    def _pool(self, notice: PoolAnnounced) -> None:
        self.pools[notice.pool] = notice.units

    def _token_pool(self, notice: TokenPoolAnnounced) -> None:
        self.token_pools[notice.pool] = notice

    def _deferred(self, notice: ManagerAwards) -> None:
        _remember(self._decide_ms, notice.cfp, notice.decide_ms)

    def _by_invitation(self, notice: InvitationOnly) -> None:
        _remember(self._invitations, notice.cfp, notice.invitations)

    def _buys(self, notice: PurchaseAnnounced) -> None:
        _remember(self._purchases, notice.cfp, notice)

    def _announced(self, notice: CfpAnnounced, offset: int) -> None:
        invitations, purchase = self._invitations.pop(notice.cfp, 0), self._purchases.pop(notice.cfp, None)
        cfp = self._handle(notice, self._decide_ms.pop(notice.cfp, 0), invitations > 0, purchase)
        self.open_cfps[notice.cfp] = cfp
        if cfp.by_invitation:
            self._told_at[notice.cfp] = range(offset, offset + 1 + invitations)
        self.announcements.resolve(notice.cfp, cfp)
        for subscription in self._subscriptions:
            subscription.push(cfp)

    def _invited(self, inbox: Inbox, cfp: bytes) -> None:
        for subscription in self._subscriptions:
            if cfp in self.open_cfps and subscription.is_of(inbox):
                subscription.push(self.open_cfps[cfp])

    def _awarded(self, notice: BidAwarded) -> None:
        winner = Winner(notice.bid, notice.price_ucr)
        _remember(self._awarded_lately, notice.bid, winner)
        watch = self._bids.get(notice.cfp, {}).get(notice.bid)
        self.forget_bid(notice.cfp, notice.bid)
        if watch is not None:
            self._resolve_bid(winner, notice.bid, watch)

    def _settled(self, notice: CfpSettled) -> None:
        self.open_cfps.pop(notice.cfp, None)
        self._told_at.pop(notice.cfp, None)
        _remember(self.settled, notice.cfp, notice)
        self.settlements.resolve(notice.cfp, notice)
        self.inboxes.settled(notice.cfp)
        for bid, watch in self._bids.pop(notice.cfp, {}).items():
            self._resolve_bid(_winner(notice, bid), bid, watch)

    def _resolve_bid(self, winner: Winner | None, bid: bytes, watch: BidWatch) -> None:
        grant = self._granted_lately.get(bid)
        if watch.done():
            return
        if winner is None:
            watch.set_result(None)
        elif grant is not None:
            watch.set_result((winner, grant))
        else:
            self._won[bid] = (winner, watch)

    def _granted(self, notice: LeaseGranted) -> None:
        self.leases[notice.award] = notice
        _remember(self._granted_lately, notice.award, notice)
        winner, watch = self._won.pop(notice.award, (None, None))
        if winner is not None and watch is not None and not watch.done():
            watch.set_result((winner, notice))

    def _revoked(self, notice: LeaseRevoked) -> None:
        self.leases.pop(notice.award, None)
