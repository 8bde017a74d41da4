"""A wallet: tokens of one pool, ordered ahead of need, handed to callers in turn, and reported when used.

Several tasks of one event loop work on it: one reads grants, one keeps the standing order in step with the demand, one
draws for a System agent, one reports. Callers only set tokens aside, which takes no round trip while some are held.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from contractnet.client.grants import Grant
from contractnet.client.holdings import Holdings, Part
from contractnet.client.spending import Spending
from contractnet.client.supply import Supply, WalletTerms
from contractnet.client.usage import Reporter
from contractnet.errors import CommandUnsendableError, ConnectionClosedError, RejectedError, TokensTimeoutError
from contractnet.messages import Code
from contractnet.strategies.demand import Demand, Need, affordable_tokens, is_worth_replacing, price_of

PASSING = {Code.BELOW_RESERVE, Code.LIMIT_REACHED, Code.NO_TOKENS, Code.BUDGET_EXCEEDED}
"""Answers that may be different next time. With any other one nobody waits on."""

CLOSE_S = 10.0
"""How long closing waits for the last reports."""

LOOKS = 4
"""How often an interval the order may be replaced."""

PRICE_SLACK = 0.05
"""A limit that moved by no more than this share stays."""

DRAW_PAUSE_S = 0.1
"""How long to wait after a draw that found nothing; doubled up to half an interval."""

REMEMBERED_MAX = 1_024
"""How many grants of unknown orders, own orders and own draws are remembered."""


@dataclass(slots=True)
class _Waiter:
    tokens: int
    task: str
    since_s: float
    parts: asyncio.Future[list[Part]] = field(repr=False)


class Wallet:
    """The tokens of one pool. Make it with `Agent.wallet`; one an account and pool, as orders replace each other.

    It spends what its own orders and draws brought, not what an earlier process of the account was granted and may have
    spent. `held`, `waiting`, `debt` are tokens.
    """

    def __init__(self, supply: Supply, pool: str, terms: WalletTerms) -> None:
        self.pool = pool
        self.terms = terms
        self.holdings = Holdings()
        self._supply = supply
        self._waiters: deque[_Waiter] = deque()
        self._demand = Demand()
        self._handed_out = 0
        """Tokens of this interval's forecast: what waits is ordered as such, and may go without having been served."""
        self._orders: dict[bytes, None] = {}
        self._ordered = 0
        self._limit = 0
        self._order_ends_s = 0.0
        self._order: bytes | None = None
        self._draws: dict[bytes, None] = {}
        self._early: dict[bytes, Grant] = {}
        self._last_grant_s: float | None = None
        self._problem: Exception | None = None
        self._need_changed = asyncio.Event()
        self._arrived = asyncio.Event()
        self._stopping = asyncio.Event()
        self._closed = False
        self._grants = supply.grants(pool)
        self._reporter = Reporter(supply, self.holdings, terms.report_s)
        jobs: list[Coroutine[Any, Any, None]] = [self._read(), self._keep_ordering(), self._reporter.run()]
        if terms.system:
            jobs.append(self._keep_drawing())
        self._jobs = [asyncio.create_task(job, name=f"contractnet-wallet-{pool}") for job in jobs]
        for job in self._jobs:
            job.add_done_callback(self._ended)

    @property
    def held(self) -> int:
        """Tokens that may be set aside now."""
        return self.holdings.free(self._supply.now_ms())

    @property
    def waiting(self) -> int:
        """Tokens that callers wait for."""
        return sum(waiter.tokens for waiter in self._waiters)

    @property
    def debt(self) -> int:
        """Tokens that were used beyond what was granted: the next grants pay them first."""
        return self.holdings.debt

    @property
    def expired(self) -> int:
        """Tokens that were granted and not used in time."""
        return self.holdings.expired

    @asynccontextmanager
    async def tokens(self, estimate: int, *, task: str = "", timeout_s: float | None = None) -> AsyncIterator[Spending]:
        """Set `estimate` tokens aside for what the block does; callers are served in the order in which they came.

        In the block say `used(n)`, what the provider counted. More than the estimate is taken from what is held, or
        owed and paid by the next grants. A block that says nothing has used the estimate; one that ends by an error or
        a cancellation without saying anything gives all of it back.

        Raises TokensTimeoutError when they are not there within `timeout_s` seconds (None: the wallet's),
        RejectedError when the market refuses the order for good, ConnectionClosedError, and, at once,
        CommandUnsendableError for an estimate below 1 and for one that can never be held: more than the pool grants
        within the life of a grant, or than a whole window of a budget pays at the pool's reserve price.
        """
        spending = Spending(self.pool, task, await self._take(estimate, task, timeout_s))
        try:
            yield spending
            if not spending.calls:
                spending.used(spending.tokens)
        finally:
            self._settle(spending)

    async def close(self) -> None:
        """End the order, report what was used (at most 10 s), and fail whoever waits. May be called twice."""
        if self._closed:
            return
        self._closed = True
        self._fail(ConnectionClosedError(f"the wallet of pool {self.pool!r} is closed"))
        self._grants.close()
        self._stopping.set()
        self._reporter.stop()
        # What is under way is finished: an order whose answer nobody looked at would go on buying.
        _, late = await asyncio.wait(self._jobs, timeout=CLOSE_S)
        for job in late:
            job.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if self._order is not None and monotonic() < self._order_ends_s:
            try:
                async with asyncio.timeout(CLOSE_S):
                    await self._cancel_order(self._order)
            except (TimeoutError, ConnectionClosedError):
                return  # it ends by itself

    async def _take(self, tokens: int, task: str, timeout_s: float | None) -> list[Part]:
        if type(tokens) is not int or tokens < 1:
            raise CommandUnsendableError(f"an estimate is a whole number of at least 1 token, not {tokens!r}")
        if self._closed:
            raise ConnectionClosedError(f"the wallet of pool {self.pool!r} is closed")
        if not self._waiters and (parts := self.holdings.set_aside(tokens, self._supply.now_ms())) is not None:
            self._handed_out += tokens
            self._need_changed.set()
            return parts
        if (bound := self._supply.bound(self.pool, system=self.terms.system)) is not None and tokens > bound.tokens:
            raise CommandUnsendableError(
                f"{tokens:,} tokens of pool {self.pool!r} can never be held at once: {bound.why}. Ask for at most "
                f"{bound.tokens:,}, in several parts."
            )
        waiter = _Waiter(tokens, task, monotonic(), asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._need_changed.set()
        self._arrived.set()
        wait_s = self.terms.timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(wait_s):
                return await waiter.parts
        except TimeoutError as error:
            self._leave(waiter)
            raise TokensTimeoutError(self._why(tokens, wait_s)) from error
        except BaseException:  # a cancellation too: whatever ended it, what it was given must not be lost
            self._leave(waiter)
            raise

    def _leave(self, waiter: _Waiter) -> None:
        """A caller does not wait any longer: what it was given meanwhile is there again."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif waiter.parts.done() and not waiter.parts.cancelled() and waiter.parts.exception() is None:
            self.holdings.give_back(waiter.parts.result(), self._supply.now_ms())
            self._handed_out -= waiter.tokens
        self._serve()

    def _settle(self, spending: Spending) -> None:
        spent, first = spending.spent, spending.parts[0].grant
        self.holdings.settle(spending.parts, spent, spending.task, self._supply.now_ms())
        if spending.calls:
            self.holdings.note_calls(first, spending.task, spending.calls, spending.throttled_calls)
        if spending.throttled_calls:
            self._reporter.hurry()
        self._handed_out += spent - spending.tokens
        self._serve()

    def _serve(self) -> None:
        """Hand out what is held, in turn."""
        now_ms = self._supply.now_ms()
        while self._waiters:
            waiter = self._waiters[0]
            if waiter.parts.done():
                self._waiters.popleft()
                continue
            parts = self.holdings.set_aside(waiter.tokens, now_ms)
            if parts is None:
                break
            self._waiters.popleft()
            self._handed_out += waiter.tokens
            waiter.parts.set_result(parts)
        self._need_changed.set()

    async def _read(self) -> None:
        """Take the grants of own orders; one may be told before its order's answer was looked at."""
        async for grant in self._grants:
            if grant.order in self._orders or grant.id in self._draws:
                self._got(grant)
            else:
                _remember(self._early, grant.id, grant)
        if not self._closed:
            raise ConnectionClosedError("the connection to the market was closed")

    def _got(self, grant: Grant) -> None:
        self._early.pop(grant.id, None)
        self._last_grant_s = monotonic()
        self._problem = None
        self.holdings.add(grant, self._supply.now_ms())
        self._serve()

    def _is_mine(self, order: bytes) -> None:
        _remember(self._orders, order, None)
        for grant in [grant for grant in self._early.values() if grant.order == order]:
            self._got(grant)

    async def _keep_ordering(self) -> None:
        """Look at the need a few times an interval, and once an interval learn from it."""
        began_s = monotonic()
        while not self._closed:
            interval_s = self._supply.interval_s(self.pool)
            if (passed_s := monotonic() - began_s) >= interval_s:
                self._demand.observe(round(max(0, self._handed_out) * interval_s / passed_s))
                self._handed_out, began_s = 0, began_s + passed_s
            try:
                await self._adjust()
            except RejectedError as error:
                self._refused(error)
            await self._pause(interval_s / LOOKS)
            await self._until(self._need_changed, interval_s)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not while the wallet closes."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _until(self, event: asyncio.Event, seconds: float | None = None) -> None:
        """Wait for an event, or for so long, or for the wallet to close."""
        waits = [asyncio.ensure_future(one.wait()) for one in (event, self._stopping)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        event.clear()

    def _need(self) -> Need:
        waited_s = monotonic() - self._waiters[0].since_s if self._waiters else 0.0
        now_ms, held = self._supply.now_ms(), self.held
        return Need(self.waiting, self.debt, held, round(self._demand.mean), round(waited_s * 1000), now_ms)

    def _until_clearing(self) -> float:
        """What is left of the interval, as a share of it: clearings are at its multiples."""
        interval_ms = max(1, round(self._supply.interval_s(self.pool) * 1000))
        return 1 - (self._supply.now_ms() % interval_ms) / interval_ms

    async def _adjust(self) -> None:
        """Place, replace or cancel the order so that it asks for what is needed."""
        need = self._need()
        limit = None if self.terms.price is None else price_of(self.terms.price, need)
        wanted = 0 if limit is None else self._demand.order_tokens(need, self._until_clearing(), self.terms.margin)
        available = self._supply.available_ucr()
        if limit is not None and available is not None:
            wanted = min(wanted, affordable_tokens(available, limit))
        ends = monotonic() > self._order_ends_s - self.terms.order_s / 3
        standing = 0 if monotonic() >= self._order_ends_s else self._ordered
        dearer = limit is not None and bool(standing) and is_worth_replacing(self._limit, limit, PRICE_SLACK)
        if not (wanted and (ends or dearer)) and not is_worth_replacing(standing, wanted):
            return
        if limit is None or not wanted:
            if self._order is not None and standing:
                await self._cancel_order(self._order)
            self._ordered = 0
            return
        began_s = monotonic()
        order, problem = await self._supply.order(self.pool, wanted, limit, self.terms.task, self.terms.order_s)
        self._problem = problem
        self._order, self._ordered, self._limit = order, wanted, limit
        self._order_ends_s = began_s + self.terms.order_s
        self._is_mine(order)

    async def _cancel_order(self, order: bytes) -> None:
        self._order, self._ordered, self._order_ends_s = None, 0, 0.0
        await self._supply.cancel(order)

    async def _keep_drawing(self) -> None:
        """For a System agent: draw what the market did not serve in time."""
        pause_s = DRAW_PAUSE_S
        while not self._closed:
            if not self._waiters:
                await self._until(self._arrived)
                continue
            late_s = self._waiters[0].since_s + self.terms.draw_after_s - monotonic()
            if late_s > 0:
                await self._pause(late_s)
            elif await self._draw():
                pause_s = DRAW_PAUSE_S
            else:
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, self._supply.interval_s(self.pool) / 2)

    async def _draw(self) -> bool:
        """Draw for all that wait or, where that is too much, for the first; whether anything came."""
        first, missing = self._waiters[0], self.debt - self.held
        amounts = {max(1, self.waiting + missing), max(1, first.tokens + missing)}
        for tokens in sorted(amounts, reverse=True):
            try:
                ident, grant = await self._supply.draw(self.pool, tokens, first.task or self.terms.task)
            except RejectedError as error:
                self._refused(error)
                continue
            _remember(self._draws, ident, None)
            if grant is not None:
                self._got(grant)
                return True
        return False

    def _refused(self, error: RejectedError) -> None:
        self._problem = error
        if error.code not in PASSING:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.parts.done():
                waiter.parts.set_exception(error)

    def _ended(self, job: asyncio.Task[None]) -> None:
        """A task of the wallet ends only when it is closed, or by an error that everybody who waits is told."""
        if job.cancelled() or (error := job.exception()) is None:
            return
        self._closed = True
        self._fail(error if isinstance(error, Exception) else ConnectionClosedError(str(error)))

    def _why(self, tokens: int, wait_s: float) -> str:
        need = self._need()
        last = "no grant came yet" if self._last_grant_s is None else f"{monotonic() - self._last_grant_s:.1f} s ago"
        limit = None if self.terms.price is None else price_of(self.terms.price, need)
        problem = "" if self._problem is None else f" The market's last answer: {self._problem}."
        return (
            f"no {tokens:,} tokens of pool {self.pool!r} within {wait_s:g} s: {need.held:,} are held, "
            f"{need.waiting:,} more are waited for, the last grant: {last}, the standing order: {self._ordered:,} "
            f"tokens at {limit} micro-credits for 1,000.{problem} Raise the price, wait longer, or ask for less."
        )


def _remember(known: dict[bytes, Any], ident: bytes, what: Any) -> None:
    known[ident] = what
    if len(known) > REMEMBERED_MAX:
        del known[next(iter(known))]
