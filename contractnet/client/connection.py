"""One process's connection to one market: a producer, a notices feed, and everybody who shares them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from contractnet import settings
from contractnet.access import Access
from contractnet.client.book import Book, Subscription
from contractnet.client.cfp import Cfp
from contractnet.client.clock import MarketClock
from contractnet.client.feed import Batch, NoticeFeed
from contractnet.client.opening import Opening
from contractnet.client.producer import CommandProducer
from contractnet.codec import HEADER_BYTES, registry
from contractnet.envelope import Sealed
from contractnet.errors import (
    BrokerUnreachableError,
    BudgetExceededError,
    ConnectionClosedError,
    CredentialError,
    MarketNotFoundError,
    OutcomeTimeoutError,
    RejectedError,
)
from contractnet.messages import Code, Direction
from contractnet.messages.notices import CfpAnnounced, CfpSettled, LeaseGranted, PurchaseAnnounced, Receipt
from contractnet.refusals import is_refusal, refused

if TYPE_CHECKING:
    from contractnet.client.agent import Agent
    from contractnet.credentials import Credential

LOOK_BACK_S = 600.0
TIMEOUT_S = 30.0
"""How long the market may take to answer a command, unless the caller says otherwise."""

FLUSH_S = 5.0
BATCHES_AHEAD_MAX = 8
"""How many batches the feed may be ahead of the event loop, so that catching up cannot starve it."""


class Connection:
    """A connection to a market. Any number of agents of a process share it; it belongs to one event loop.

    Open it with `await Connection.open(...)` or `async with Connection.open(...) as connection:`.
    """

    def __init__(self, bootstrap: str, market: str, genesis: bytes | None, access: Access | None = None) -> None:
        self.bootstrap = bootstrap
        self._access = access
        self.market = market
        self._genesis = genesis
        self._loop = asyncio.get_running_loop()
        self._clock = MarketClock()
        self._book = Book(self._clock.now_ms, self._cfp_handle, lambda: self._feed.position)
        self._receipt_headers = registry().headers(Receipt)
        self._feed = NoticeFeed(bootstrap, market, access=access, keep=self._keep, deliver=self._deliver)
        self._producer = CommandProducer(bootstrap, self._undelivered, access)
        self._sequences: dict[bytes, int] = {}
        self._ahead = threading.BoundedSemaphore(BATCHES_AHEAD_MAX)
        self._live = asyncio.Event()
        self._closed = False

    @classmethod
    def open(
        cls,
        bootstrap: str | None = None,
        *,
        market: str = settings.MARKET_DEFAULT,
        genesis: bytes | None = None,
        access: Access | None = None,
        look_back_s: float = LOOK_BACK_S,
        timeout_s: float = TIMEOUT_S,
        members: Iterable[Credential] = (),
    ) -> Opening[Connection]:
        """Connect to a market, and read the notices of the last `look_back_s` seconds to know what is open.

        With no `genesis` hash (32 bytes; a credential file carries it) all notices of the market's partition are read.
        `access` is what the broker is shown (None: what the file of CONTRACTNET_ACCESS holds).
        Private notices of the look-back are opened for `members`; for other agents, from `agent()` on.
        Raises BrokerUnreachableError, AccessRefusedError, MarketNotFoundError (no topics), SettingsError.
        """

        async def begin() -> Connection:
            connection = cls(settings.bootstrap(bootstrap), market, genesis, access)
            for member in members:
                connection.book.inboxes.add(member)
            await connection._open(look_back_s if genesis else None, timeout_s)
            return connection

        return Opening(begin)

    async def _open(self, look_back_s: float | None, timeout_s: float) -> None:
        # First: the library takes half a second to get its idempotent producer's id from the broker.
        self._producer.start()
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.close)  # also a cancellation must not leave threads behind
            try:
                await asyncio.to_thread(self._feed.start, look_back_s, timeout_s)
                async with asyncio.timeout(timeout_s):
                    await self._live.wait()
            except TimeoutError as error:
                why = self._feed.last_problem or "it does not answer"
                raise BrokerUnreachableError(
                    f"the notices of market {self.market!r} at {self.bootstrap} were not read within {timeout_s:g} s: "
                    f"{why}"
                ) from error
            undo.pop_all()

    @property
    def partitions(self) -> int:
        """The number of partitions that the broker's markets lie on."""
        return self._feed.partitions

    @property
    def partition(self) -> int:
        """The partition that this market lies on."""
        return self._feed.partition

    @property
    def genesis(self) -> bytes:
        """The market's genesis hash, 32 bytes. Raises MarketNotFoundError before the market was opened."""
        announced = self._book.genesis
        if self._genesis is not None:
            if announced is not None and announced.genesis_hash != self._genesis:
                raise CredentialError(
                    f"market {self.market!r} at {self.bootstrap} is another one than the credential is for: "
                    "the genesis hashes differ; enroll again, or connect to the other broker"
                )
            return self._genesis
        if announced is None:
            raise MarketNotFoundError(f"nobody has opened a market {self.market!r} at {self.bootstrap}")
        return announced.genesis_hash

    @property
    def operator_key(self) -> bytes | None:
        """The key that signed the genesis, None while its notice has not been read."""
        return None if self._book.genesis is None else self._book.genesis.operator_key

    @property
    def pools(self) -> Mapping[str, int]:
        """Units of each pool that was created or resized within the look-back."""
        return self._book.pools

    @property
    def open_cfps(self) -> list[Cfp]:
        """The CFPs that take bids now, oldest first."""
        now_ms = self.now_ms()
        return [cfp for cfp in self._book.open_cfps.values() if cfp.closes_at_ms > now_ms]

    @property
    def leases(self) -> list[LeaseGranted]:
        """The leases that were granted within the look-back and have not ended."""
        now_ms = self.now_ms()
        return [lease for lease in self._book.leases.values() if lease.ends_at_ms > now_ms]

    @property
    def book(self) -> Book:
        """What the notices said so far."""
        return self._book

    def now_ms(self) -> int:
        """Estimated market time, milliseconds since the epoch. Never runs backwards."""
        return self._clock.now_ms()

    def silence(self) -> str:
        """How long ago the last notice was read, and what is wrong with the broker, in words."""
        return self._feed.silence()

    def agent(self, credential: Credential) -> Agent:
        """An agent that shares this connection; closing it leaves the connection open."""
        from contractnet.client.agent import Agent

        return Agent(self, credential)

    def cfps(
        self,
        pool: str | None = None,
        direction: Direction | str = Direction.SELL,
        invitations: Mapping[bytes, None] | None = None,
    ) -> Subscription:
        """Iterate over the CFPs that are open, and over every later one as it is announced; of one pool, or all.

        Those that sell, or with `direction` BUY those that buy. Of those by invitation it has those among
        `invitations`, where that is given.
        """
        self._check_open()
        return self._book.subscribe(pool, Direction(direction), invitations)

    def next_sequence(self, key: bytes) -> int:
        """A sequence for the next command of a key: max(last + 1, unix microseconds)."""
        sequence = max(self._sequences.get(key, 0) + 1, time.time_ns() // 1000)
        self._sequences[key] = sequence
        return sequence

    async def submit(self, sealed: Sealed, timeout_s: float = TIMEOUT_S) -> None:
        """Send a sealed command and wait until the market has accepted it. Safe to repeat with the same command.

        Raises RejectedError with the market's code, OutcomeTimeoutError when no answer came within `timeout_s` seconds
        (the command may still take effect: send the same one again; the error carries it), CommandUnsendableError,
        AccessRefusedError when the broker takes no commands from these credentials, ConnectionClosedError.
        """
        self._check_open()
        receipt = self._book.receipts.on(sealed.command_id)
        try:
            async with asyncio.timeout(timeout_s):
                await self._send(sealed)
                code = await asyncio.shield(receipt)
        except TimeoutError as error:
            why = f"the market has not answered; {self.silence()}"
            raise OutcomeTimeoutError(
                f"no outcome of command {sealed.command_id.hex()} within {timeout_s:g} s ({why}); "
                "it may still take effect: submit the same sealed command (`error.sealed`) again",
                sealed.command_id,
                sealed,
            ) from error
        if code is not Code.ACCEPTED:
            kind = BudgetExceededError if code is Code.BUDGET_EXCEEDED else RejectedError
            raise kind(code, sealed.command_id)

    async def cfp_outcome(self, cfp: bytes, timeout_s: float | None = None) -> CfpSettled:
        """How a CFP ended. Raises OutcomeTimeoutError."""
        if (ended := self._book.settled.get(cfp)) is not None:
            return ended
        self._check_open()
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(self._book.settlements.on(cfp))
        except TimeoutError as error:
            message = f"CFP {cfp.hex()} has not ended within {timeout_s:g} s ({self.silence()})"
            raise OutcomeTimeoutError(message, cfp) from error

    async def close(self) -> None:
        """Send what is queued (at most 5 s), end all iterators and threads. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._book.end()
        await asyncio.shield(asyncio.to_thread(self._close))

    def _close(self) -> None:
        self._producer.close(FLUSH_S)
        self._feed.stop()

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionClosedError(f"the connection to market {self.market!r} is closed")

    async def _send(self, sealed: Sealed) -> None:
        while not self._producer.send(sealed, self._feed.partition):
            await asyncio.sleep(0.01)

    def _cfp_handle(
        self, notice: CfpAnnounced, decide_ms: int, by_invitation: bool, purchase: PurchaseAnnounced | None
    ) -> Cfp:
        return Cfp(
            id=notice.cfp,
            direction=notice.direction,
            pool=notice.pool,
            units=notice.units,
            duration_ms=notice.duration_ms,
            slots=notice.slots,
            reserve_price_ucr=notice.reserve_price_ucr,
            pricing=notice.pricing,
            opened_at_ms=notice.opened_at_ms,
            closes_at_ms=notice.closes_at_ms,
            decide_ms=decide_ms,
            by_invitation=by_invitation,
            _outcome=self.cfp_outcome,
            purchase=purchase,
        )

    # In the threads of the feed and the producer.

    def _keep(self, value: bytes) -> bool:
        """Most of the traffic is for others, receipts and sealed notices: look at id or tag before decoding one."""
        if not value.startswith(self._receipt_headers):
            return self._book.inboxes.want(value)
        return value[HEADER_BYTES : HEADER_BYTES + 16] in self._book.receipts

    def _deliver(self, batch: Batch) -> None:
        if not batch.newest_at_ms and self._live_told == batch.live:
            return
        while not self._ahead.acquire(timeout=0.1):
            if self._closed:
                return
        self._live_told = batch.live
        try:
            self._loop.call_soon_threadsafe(self._take, batch)
        except RuntimeError:  # the loop was closed without closing the connection: nobody is left to tell
            self._closed = True

    def _undelivered(self, sealed: Sealed, why: KafkaError) -> None:
        self._feed.last_problem = why.str()
        try:
            if is_refusal(why):
                error = refused(self.bootstrap, why, self._access)
                self._loop.call_soon_threadsafe(self._book.receipts.fail, sealed.command_id, error)
            else:
                self._loop.call_soon_threadsafe(self._resend, sealed)
        except RuntimeError:  # as above
            self._closed = True

    _live_told = False

    # In the event loop's thread.

    def _take(self, batch: Batch) -> None:
        self._ahead.release()
        if batch.newest_at_ms:
            self._clock.saw(batch.newest_at_ms, live=batch.live)
        for noted in batch.noted:
            self._book.apply(noted)
        self._book.position = batch.position
        if batch.live:
            self._live.set()

    def _resend(self, sealed: Sealed) -> None:
        """The broker did not take a command: as long as somebody waits for its outcome, send it again."""
        receipt = self._book.receipts.get(sealed.command_id)
        if self._closed or receipt is None or receipt.done():
            return
        self._producer.send(sealed, self._feed.partition)
