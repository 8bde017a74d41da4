"""A market of one token pool in the test's process: a bucket as REFERENCE has it, cleared by hand. No broker, no cost.

It is a source of grants for what a wallet does by itself; that the market does the same is tested on the broker.
"""

from __future__ import annotations

import asyncio
from itertools import count

from contractnet.client.grants import Grant
from contractnet.client.stream import Stream
from contractnet.client.supply import Bound
from contractnet.envelope import Sealed
from contractnet.errors import RejectedError
from contractnet.messages import Code

POOL = "provider/model"


class Grants(Stream[Grant]):
    """What the wallet reads."""


class TokenMarket:
    """tokens(t) = min(burst, tokens(t0) + rate·(t - t0)), t in milliseconds; `system` may draw `reserve` of them."""

    def __init__(
        self, *, rate_per_s: int = 1_000, burst: int = 2_000, reserve: int = 0, interval_s: float = 0.05
    ) -> None:
        self.at_ms = 10**12
        self.rate_per_s, self.burst, self.reserve = rate_per_s, burst, reserve
        self.level = float(burst)
        self.grant_ms = 60_000
        self.orders: dict[bytes, tuple[int, int]] = {}
        self.placed: list[tuple[int, int]] = []
        self.cancelled: list[bytes] = []
        self.granted: list[Grant] = []
        self.reports: list[tuple[bytes, int, int, int, str]] = []
        self.refuses: Code | None = None
        self.available: int | None = None
        self.most: Bound | None = None
        self.silent = False
        self.answers_after_s = 0.0
        self._interval_s = interval_s
        self._numbers = count(1)
        self._readers: list[Grants] = []

    def now_ms(self) -> int:
        return self.at_ms

    def interval_s(self, pool: str) -> float:
        return self._interval_s

    def available_ucr(self) -> int | None:
        return self.available

    def bound(self, pool: str, *, system: bool) -> Bound | None:
        return self.most

    def grants(self, pool: str) -> Grants:
        self._readers.append(Grants([]))
        return self._readers[-1]

    def pass_s(self, seconds: float) -> None:
        """Time of the market, which is not the test's."""
        self.at_ms += round(seconds * 1000)
        self.level = min(self.burst, self.level + self.rate_per_s * seconds)

    def clear(self) -> None:
        """Serve the order."""
        for order, (tokens, limit) in self.orders.items():
            served = min(tokens, max(0, int(self.level) - self.reserve))
            if served:
                self._grant(served, order, served * limit // 1000)

    def _grant(self, tokens: int, order: bytes | None, paid_ucr: int = 0, ident: bytes | None = None) -> Grant:
        self.level -= tokens
        assert self.level >= 0
        ident = self._ident() if ident is None else ident
        ends_ms = self.at_ms + self.grant_ms
        grant = Grant(ident, POOL, order, tokens, paid_ucr, ends_ms, order is None, self.at_ms)
        self.granted.append(grant)
        for reader in self._readers:
            reader.push(grant)
        return grant

    def foreign(self, tokens: int) -> Grant:
        """A grant that an earlier process of the account ordered."""
        return self._grant(tokens, b"elsewhere".ljust(16))

    def _ident(self) -> bytes:
        return next(self._numbers).to_bytes(16, "big")

    def _check(self) -> None:
        if self.refuses is not None:
            raise RejectedError(self.refuses, bytes(16))

    async def order(
        self, pool: str, tokens: int, limit_per_1000_ucr: int, task: str, open_s: float
    ) -> tuple[bytes, Exception | None]:
        self._check()
        order = self._ident()
        self.orders = {order: (tokens, limit_per_1000_ucr)}
        self.placed.append((tokens, limit_per_1000_ucr))
        await asyncio.sleep(self.answers_after_s)
        return order, None

    async def cancel(self, order: bytes) -> None:
        self.orders.pop(order, None)
        self.cancelled.append(order)

    async def draw(self, pool: str, tokens: int, task: str) -> tuple[bytes, Grant | None]:
        self._check()
        if tokens > self.level:
            raise RejectedError(Code.NO_TOKENS, bytes(16))
        grant = self._grant(tokens, None)
        return grant.id, None if self.silent else grant

    async def report(self, grant: bytes, tokens: int, calls: int, throttled: int, task: str) -> Sealed | None:
        (own,) = [one for one in self.granted if one.id == grant]
        used = sum(report[1] for report in self.reports if report[0] == grant)
        if used + tokens > own.tokens:
            raise RejectedError(Code.GRANT_SPENT, bytes(16))
        self.reports.append((grant, tokens, calls, throttled, task))
        return None

    async def report_again(self, sealed: Sealed) -> None:
        raise NotImplementedError
