"""The resource side of a lease: a gate admits whoever holds a current one, and nobody else.

What a gate guarantees, whatever the delay of the notices it follows:

- It admits a lease only between its start and its end by market time, and only to who knows token and secret.
- The units that it has admitted at one instant are disjoint, and a unit is given on only after `on_revoked` has
  returned for the former holder. All notices of a market are in one order, and the end of a lease stands before the
  grant that reuses its units: a gate that lags refuses the newcomer (UNKNOWN_LEASE) rather than letting two in.
- A lease that has ended, by its time or by a notice, is never admitted again.

What it does not guarantee:

- It hears of an early release some 10 to 50 ms late, so a holder may stay for that long after giving a lease back.
- Its market time lags by the same delay, and before the first live notice it is this machine's wall clock.
- Two gates know nothing of each other: units behind different gates belong in different pools.
- It forgets who was in when it ends; its owner has to end the holders then.
- Tokens grow with the time of the award, not with the start of the lease. A reservation that starts later may carry a
  smaller token than the one before it, so a gate goes by the lease and does not compare tokens of different leases.
"""

from __future__ import annotations

import heapq
import hmac
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from contractnet import settings
from contractnet.client.clock import MarketClock
from contractnet.client.feed import Batch, NoticeFeed
from contractnet.client.lease import Token, pass_hash
from contractnet.client.shown import Shown
from contractnet.codec import HEADER_BYTES, registry
from contractnet.credentials import Credential, access_for, load
from contractnet.errors import BrokerUnreachableError, CredentialError, GateRefusedError
from contractnet.messages import Notice
from contractnet.messages.notices import LeaseGranted, LeaseRevoked, MarketAnnounced, PoolAnnounced

ENDED_MAX = 20_000
"""How many ended leases a gate can tell from unknown ones; both are refused."""


class Refusal(StrEnum):
    """Why a gate does not admit."""

    UNKNOWN_LEASE = "UNKNOWN_LEASE"
    NOT_STARTED = "NOT_STARTED"
    ENDED = "ENDED"
    WRONG_TOKEN = "WRONG_TOKEN"
    WRONG_SECRET = "WRONG_SECRET"
    UNITS_IN_USE = "UNITS_IN_USE"
    GATE_DOWN = "GATE_DOWN"


REFUSAL_TEXT = {
    Refusal.UNKNOWN_LEASE: "no such lease of this pool; its notice may still be on the way",
    Refusal.NOT_STARTED: "the lease starts later",
    Refusal.ENDED: "the lease has ended",
    Refusal.WRONG_TOKEN: "the fencing token is not the one of this lease",
    Refusal.WRONG_SECRET: "the secret does not match the pass of this lease",
    Refusal.UNITS_IN_USE: "former holders still have the units",
    Refusal.GATE_DOWN: "the gate does not follow the market's notices",
}

_PASSING = (Refusal.UNKNOWN_LEASE, Refusal.NOT_STARTED, Refusal.UNITS_IN_USE)


@dataclass(frozen=True, slots=True, repr=False)
class Admission(Shown):
    """A holder that is in. `units` are the numbers, from 0, of the units of the pool that it may use until `ends_at_ms`
    (market time) or until `on_revoked` is called."""

    award: bytes
    pool: str
    units: tuple[int, ...]
    token: Token
    starts_at_ms: int
    ends_at_ms: int


class Gate:
    """Guards the units of one pool. It has a thread of its own, needs no event loop, and may be used from any thread.

    `on_revoked` is called with each admission that is over, in the gate's thread or in that of an `admit`; the units
    are free for others when it returns. When it raises, the gate goes down and admits nobody any more.
    Use as a context manager, or call `start` and `close`.
    """

    def __init__(
        self,
        pool: str,
        bootstrap: str | None = None,
        *,
        credential: str | Path | Credential | None = None,
        market: str = settings.MARKET_DEFAULT,
        genesis: bytes | None = None,
        on_revoked: Callable[[Admission], None] | None = None,
        look_back_s: float | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        """A `credential` (or its file) names market, genesis and broker; it may be anybody's, as a gate sends nothing.

        `genesis` (32 bytes) pins the market; `look_back_s` (None: all notices) must exceed the longest lease.
        """
        hint = path = access = None
        if credential is not None:
            known = credential if isinstance(credential, Credential) else load(credential)
            market, genesis, hint = known.market, known.genesis, known.bootstrap
            path = None if isinstance(credential, Credential) else credential
            access = access_for(known, path)
        self.pool = pool
        self._bootstrap = settings.bootstrap(bootstrap, hint=hint, credential=path)
        self._genesis = genesis
        self._on_revoked = on_revoked
        self._look_back_s = look_back_s
        self._timeout_s = timeout_s
        self._changed = threading.Condition(threading.RLock())
        self._clock = MarketClock()
        self._leases: dict[bytes, LeaseGranted] = {}
        self._ends: list[tuple[int, bytes]] = []
        self._ended: dict[bytes, None] = {}
        self._in: dict[bytes, Admission] = {}
        self._units: int | None = None
        self._live = False
        self._up = False
        newest = registry().newest
        self._kept = {newest[t][0] for t in (LeaseGranted, LeaseRevoked, PoolAnnounced, MarketAnnounced)}
        self._problem: CredentialError | None = None
        self._feed = NoticeFeed(self._bootstrap, market, access=access, keep=self._keep, deliver=self._deliver)

    def start(self) -> Self:
        """Read all notices up to now, then follow them. Blocks.

        Raises BrokerUnreachableError, AccessRefusedError, MarketNotFoundError, and CredentialError for a market of
        another genesis.
        """
        self._up = True
        with ExitStack() as undo:
            undo.callback(setattr, self, "_up", False)  # also after Ctrl-C the gate is not up
            self._feed.start(self._look_back_s, self._timeout_s)
            undo.pop_all()
        with self._changed:
            caught_up = self._changed.wait_for(lambda: self._live or not self._up, self._timeout_s)
            problem = self._problem
        if problem is not None:
            self.close()
            raise problem
        if not caught_up:
            self.close()
            raise BrokerUnreachableError(
                f"the notices at {self._bootstrap} were not read in {self._timeout_s:g} s: {self._feed.last_problem}"
            )
        return self

    def close(self) -> None:
        """Admit nobody any more, call `on_revoked` for everybody who is in, and end the thread. Blocks."""
        try:
            with self._changed:
                self._up = False
                self._changed.notify_all()
                for award in list(self._in):
                    self._evict(award)
        finally:
            self._feed.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def admit(self, award: bytes, token: Token, secret: bytes, *, wait_s: float = 0.0) -> Admission:
        """Let the holder of a lease in, and say which units are its own. Asking again gives the same answer.

        Waits up to `wait_s` seconds for a lease whose notice is still on the way, that starts later, or whose units are
        being cleared. Raises GateRefusedError, whose `reason` is a Refusal.
        """
        until_s = time.monotonic() + wait_s
        with self._changed:
            while True:
                verdict = self._judge(award, token, secret)
                if isinstance(verdict, Admission):
                    return verdict
                left_s = until_s - time.monotonic()
                if verdict not in _PASSING or left_s <= 0:
                    raise GateRefusedError(verdict, REFUSAL_TEXT[verdict])
                # In small steps: a start is reached by the passing of time, which notifies nobody.
                self._changed.wait(min(left_s, 0.02))

    def current(self) -> list[Admission]:
        """Who is in, in the order of admission."""
        with self._changed:
            self._expire()
            return list(self._in.values())

    def now_ms(self) -> int:
        """The gate's estimate of market time, milliseconds since the epoch."""
        with self._changed:
            return self._clock.now_ms()

    def _judge(self, award: bytes, token: Token, secret: bytes) -> Admission | Refusal:
        if not self._up:
            return Refusal.GATE_DOWN
        self._expire()
        lease = self._leases.get(award)
        if lease is None:
            return Refusal.ENDED if award in self._ended else Refusal.UNKNOWN_LEASE
        if token != Token(self._feed.partition, lease.token_offset, lease.token_index):
            return Refusal.WRONG_TOKEN
        if not hmac.compare_digest(pass_hash(secret), lease.pass_hash):
            return Refusal.WRONG_SECRET
        if self._clock.now_ms() < lease.starts_at_ms:
            return Refusal.NOT_STARTED
        return self._in.get(award) or self._let_in(lease, token)

    def _let_in(self, lease: LeaseGranted, token: Token) -> Admission | Refusal:
        taken = {unit for admission in self._in.values() for unit in admission.units}
        # The pool's notice may be older than the look-back; the market never grants more than there is.
        among = range(len(taken) + lease.units if self._units is None else self._units)
        free = [unit for unit in among if unit not in taken][: lease.units]
        if len(free) < lease.units:
            return Refusal.UNITS_IN_USE
        admission = Admission(lease.award, self.pool, tuple(free), token, lease.starts_at_ms, lease.ends_at_ms)
        self._in[lease.award] = admission
        return admission

    def _expire(self) -> None:
        now_ms = self._clock.now_ms()
        while self._ends and self._ends[0][0] <= now_ms:
            _, award = heapq.heappop(self._ends)
            if award in self._leases:
                self._end(award)

    def _end(self, award: bytes) -> None:
        self._leases.pop(award, None)
        self._ended[award] = None
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]
        self._evict(award)

    def _evict(self, award: bytes) -> None:
        admission = self._in.get(award)
        if admission is None:
            return
        if self._on_revoked is not None:
            with ExitStack() as undo:
                undo.callback(setattr, self, "_up", False)  # after an error the holder may still be in: admit nobody
                self._on_revoked(admission)
                undo.pop_all()
        # Only now: the units are not free before the holder is out.
        del self._in[award]

    # In the feed's thread.

    def _keep(self, value: bytes) -> bool:
        return value[:HEADER_BYTES] in self._kept

    def _deliver(self, batch: Batch) -> None:
        with self._changed:
            if batch.newest_at_ms:
                self._clock.saw(batch.newest_at_ms, live=batch.live)
            for noted in batch.noted:
                self._apply(noted.notice)
            self._live = batch.live
            self._expire()
            self._changed.notify_all()

    def _apply(self, notice: Notice) -> None:
        match notice:
            case LeaseGranted(pool=self.pool):
                self._leases[notice.award] = notice
                heapq.heappush(self._ends, (notice.ends_at_ms, notice.award))
            case LeaseRevoked(pool=self.pool):
                self._end(notice.award)
            case PoolAnnounced(pool=self.pool):
                self._units = notice.units
            case MarketAnnounced() if self._genesis not in (None, notice.genesis_hash):
                self._up = False
                self._problem = CredentialError("the broker's market has another genesis than the gate was given")
            case _:
                pass
