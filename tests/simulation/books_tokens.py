"""What must hold of token pools, kept from the ledger's events alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from contractnet.messages import Entry, PostingReason
from contractnet.messages import events as e


@dataclass(slots=True)
class TokenPool:
    """A pool: what flowed in, at the full rate, and what was granted of it."""

    owner: bytes
    burst: int
    rate: int
    reserve: int
    level: Fraction
    at_ms: int
    orders: dict[bytes, e.StandingOrderPlaced] = field(default_factory=dict)
    cleared_at_ms: int = 0

    def flow(self, at_ms: int) -> None:
        """Time goes on. The true rate is lower where throttling was reported, never higher."""
        self.level = min(Fraction(self.burst), self.level + Fraction(self.rate * (at_ms - self.at_ms), 60_000))
        self.at_ms = at_ms


class TokenBooks:
    """Base of the books; every broken promise is an AssertionError."""

    owing: list[object]

    def __init__(self) -> None:
        self.token_pools: dict[str, TokenPool] = {}
        self.grants: dict[bytes, e.TokensGranted] = {}
        self.used: dict[bytes, int] = {}
        self.system: set[bytes] = set()
        self.paid: e.TokensGranted | None = None
        """The grant whose payment has to follow."""

    def pay(self, account: bytes, amount_ucr: int) -> None:
        """A payment counts for the budgets of an account."""
        raise NotImplementedError

    def pay_tokens(self, event: e.CreditsTransferred) -> None:
        """The payment of a grant, whole and to the owner."""
        assert (event.reason is PostingReason.TOKENS) == (self.paid is not None), "tokens are paid as they are granted"
        if self.paid is not None:
            grant, self.paid = self.paid, None
            wanted = (grant.account, self.token_pools[grant.pool].owner, grant.paid_ucr, grant.grant)
            assert (event.debit, event.credit, event.amount_ucr, event.award) == wanted
            self.pay(event.debit, event.amount_ucr)

    def _PriorityChanged(self, _: Entry, event: e.PriorityChanged) -> None:
        self.system.discard(event.account)
        self.system |= {event.account} if event.system else set()

    def _TokenPoolCreated(self, entry: Entry, event: e.TokenPoolCreated) -> None:
        assert event.pool not in self.token_pools
        reserve, burst = event.burst_tokens * event.reserve_permille // 1000, event.burst_tokens
        terms = (burst, event.tokens_per_minute, reserve, Fraction(burst), entry.source.at_ms)
        self.token_pools[event.pool] = TokenPool(event.owner, *terms)

    def _TokenPoolResized(self, entry: Entry, event: e.TokenPoolResized) -> None:
        pool = self.token_pools[event.pool]
        pool.flow(entry.source.at_ms)
        pool.burst, pool.rate = event.burst_tokens, event.tokens_per_minute
        pool.reserve = event.burst_tokens * event.reserve_permille // 1000
        pool.flow(entry.source.at_ms)

    def _StandingOrderPlaced(self, _: Entry, event: e.StandingOrderPlaced) -> None:
        orders = self.token_pools[event.pool].orders
        assert all(order.account != event.account for order in orders.values()), "two orders of one account"
        orders[event.order] = event

    def _StandingOrderEnded(self, _: Entry, event: e.StandingOrderEnded) -> None:
        assert self.token_pools[event.pool].orders.pop(event.order).account == event.account

    def _TokenPoolCleared(self, entry: Entry, event: e.TokenPoolCleared) -> None:
        pool, at_ms = self.token_pools[event.pool], entry.source.at_ms
        assert at_ms > pool.cleared_at_ms or not at_ms, "a pool was cleared twice at one instant"
        pool.cleared_at_ms = at_ms
        assert event.sold_tokens <= event.supply_tokens

    def _TokensGranted(self, entry: Entry, event: e.TokensGranted) -> None:
        pool = self.token_pools[event.pool]
        pool.flow(entry.source.at_ms)
        pool.level -= event.tokens
        assert pool.level >= (0 if event.system else pool.reserve), "more was granted than has flowed in"
        assert event.grant not in self.grants, "a grant was made twice"
        self.grants[event.grant] = event
        if event.system:
            assert event.account in self.system
            assert event.task, "a draw without a task"
            assert not event.paid_ucr
            return
        assert event.order is not None
        order = pool.orders[event.order]
        assert (order.account, order.task) == (event.account, event.task)
        assert event.tokens <= order.tokens
        assert event.paid_ucr * 1000 <= event.tokens * order.limit_per_1000_ucr, "somebody paid more than its limit"
        if event.paid_ucr:
            self.paid, self.owing = event, [e.CreditsTransferred]

    def _UsageReported(self, entry: Entry, event: e.UsageReported) -> None:
        grant = self.grants[event.grant]
        assert (grant.account, grant.pool) == (event.account, event.pool)
        assert entry.source.at_ms < grant.expires_at_ms + 60_000
        self.used[event.grant] = self.used.get(event.grant, 0) + event.tokens
        assert self.used[event.grant] <= grant.tokens, "a grant was used twice"

    def _TokenRateChanged(self, _: Entry, event: e.TokenRateChanged) -> None:
        assert 1 <= event.tokens_per_minute <= self.token_pools[event.pool].rate
