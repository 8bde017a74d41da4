"""Where a wallet's tokens come from: the market, by way of an agent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from contractnet.client.grants import Grant
from contractnet.client.stream import Stream
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import Code
from contractnet.money import credits_text
from contractnet.strategies.demand import Price, affordable_tokens

if TYPE_CHECKING:
    from contractnet.client.token_pools import TokenBuyer
    from contractnet.envelope import Sealed
    from contractnet.messages.notices import TokenPoolAnnounced

MINUTE_MS = 60_000
INTERVAL_S = 5.0
"""Taken for a pool whose terms were announced before the look-back."""


@dataclass(frozen=True, slots=True)
class WalletTerms:
    """How a wallet buys: see `Agent.wallet`."""

    price: Price | None
    task: str
    system: bool = False
    draw_after_s: float = 0.5
    margin: float = 1.0
    timeout_s: float = 60.0
    report_s: float = 5.0
    order_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Bound:
    """The most `tokens` that an account can hold at once, and why."""

    tokens: int
    why: str


class Supply(Protocol):
    """What a wallet needs of a market. Times are market time, milliseconds since the epoch."""

    def now_ms(self) -> int:
        """The market's time as far as it is known here."""

    def interval_s(self, pool: str) -> float:
        """Seconds between clearings of a pool."""

    def available_ucr(self) -> int | None:
        """Micro-credits that may be spent; None where nobody has said."""

    def bound(self, pool: str, *, system: bool) -> Bound | None:
        """What an account, a System agent where `system`, can hold of a pool at most; None where nobody has said."""

    def grants(self, pool: str) -> Stream[Grant]:
        """The grants of a pool from now on."""

    async def order(
        self, pool: str, tokens: int, limit_per_1000_ucr: int, task: str, open_s: float
    ) -> tuple[bytes, Exception | None]:
        """Place a standing order; its id, and why it is not known whether it stands. Raises RejectedError."""

    async def cancel(self, order: bytes) -> None:
        """End an order; one that is over already is no error."""

    async def draw(self, pool: str, tokens: int, task: str) -> tuple[bytes, Grant | None]:
        """Draw from the reserve; the grant and its id, or the id only where no answer came. Raises RejectedError."""

    async def report(self, grant: bytes, tokens: int, calls: int, throttled: int, task: str) -> Sealed | None:
        """Report usage; what to send again where no answer came. Raises RejectedError."""

    async def report_again(self, sealed: Sealed) -> None:
        """Send a report again. Raises RejectedError and OutcomeTimeoutError."""


class MarketSupply:
    """A market, by way of an agent."""

    def __init__(self, agent: TokenBuyer) -> None:
        self._agent = agent

    def now_ms(self) -> int:
        """By the notices' stamps: this machine's clock may be minutes off."""
        return self._agent.connection.now_ms()

    def interval_s(self, pool: str) -> float:
        """As announced."""
        terms = self._agent.connection.book.token_pools.get(pool)
        return INTERVAL_S if terms is None else terms.interval_ms / 1000

    def available_ucr(self) -> int | None:
        """By the last notice of the balance, and of the budgets."""
        inbox = self._agent._need_inbox()
        balance = None if inbox.balance is None else inbox.balance.available_ucr
        # A budget whose window is over says nothing of the one that follows.
        budgets = [one.unspent_ucr for one in inbox.budgets.values() if one.ends_at_ms > self.now_ms()]
        known = [amount for amount in (balance, *budgets) if amount is not None]
        return min(known, default=None)

    def bound(self, pool: str, *, system: bool) -> Bound | None:
        """By the pool's terms, and by the limits of the budgets, as announced."""
        terms = self._agent.connection.book.token_pools.get(pool)
        if terms is None:
            return None
        bound = most_granted(terms, system=system)
        if system:  # draws cost nothing
            return bound
        limits = [one.limit_ucr for one in self._agent._need_inbox().budgets.values() if one.limit_ucr is not None]
        paid = most_paid(terms, limits)
        return bound if paid is None or bound.tokens <= paid.tokens else paid

    def grants(self, pool: str) -> Stream[Grant]:
        """The agent's."""
        return self._agent.grants(pool)

    async def order(
        self, pool: str, tokens: int, limit_per_1000_ucr: int, task: str, open_s: float
    ) -> tuple[bytes, Exception | None]:
        """As the protocol says."""
        try:
            return await self._agent.order_tokens(pool, tokens, limit_per_1000_ucr, task=task, open_s=open_s), None
        except OutcomeTimeoutError as error:
            return error.command_id, error

    async def cancel(self, order: bytes) -> None:
        """As the protocol says."""
        try:
            await self._agent.cancel_order(order)
        except OutcomeTimeoutError:
            return  # it ends by itself
        except RejectedError as error:
            if error.code is not Code.UNKNOWN_ORDER:
                raise

    async def draw(self, pool: str, tokens: int, task: str) -> tuple[bytes, Grant | None]:
        """As the protocol says."""
        try:
            grant = await self._agent.draw_tokens(pool, tokens, task)
        except OutcomeTimeoutError as error:
            return error.command_id, None
        return grant.id, grant

    async def report(self, grant: bytes, tokens: int, calls: int, throttled: int, task: str) -> Sealed | None:
        """As the protocol says."""
        try:
            await self._agent.report_usage(grant, tokens, calls=calls, throttled=throttled, task=task)
        except OutcomeTimeoutError as error:
            return error.sealed
        return None

    async def report_again(self, sealed: Sealed) -> None:
        """As the protocol says."""
        await self._agent.submit(sealed)


def most_granted(terms: TokenPoolAnnounced, *, system: bool) -> Bound:
    """What a pool grants at most within the life of a grant: its burst, to all but System agents without their reserve,
    and what flows in meanwhile."""
    kept = 0 if system else terms.burst_tokens * terms.reserve_permille // 1000
    inflow = terms.tokens_per_minute * terms.grant_ms // MINUTE_MS
    what = f"a burst of {terms.burst_tokens:,}" + (f", {kept:,} of them for System agents" if kept else "")
    why = f"the pool has {what}, and {inflow:,} flow in until a grant is over"
    return Bound(terms.burst_tokens - kept + inflow, why)


def most_paid(terms: TokenPoolAnnounced, limits_ucr: Collection[int]) -> Bound | None:
    """What one window of the tightest of these budgets pays at the pool's reserve price; None where nothing bounds it.

    Prices are divided by weights of at most 1, so that nobody pays less than the reserve price.
    """
    if not limits_ucr or not terms.reserve_per_1000_ucr:
        return None
    limit_ucr, price_ucr = min(limits_ucr), terms.reserve_per_1000_ucr
    why = (
        f"a window of the budget has {credits_text(limit_ucr)} credits, and 1,000 tokens cost {credits_text(price_ucr)}"
    )
    return Bound(affordable_tokens(limit_ucr, price_ucr), f"{why} at least")
