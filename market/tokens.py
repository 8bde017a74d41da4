"""Token pools: a bucket that refills, the orders that stand for it, and what was granted of it.

A token bucket (Turner 1986) in whole numbers: the level is kept in 60,000ths of a token, so that a rate of whole tokens
per minute adds a whole number of them each millisecond and no fraction is ever lost. Additive increase, multiplicative
decrease of its rate: Chiu and Jain (1989).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from market import limits

PARTS = 60_000
"""Parts of a token: milliseconds of a minute."""


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What the owner of a token pool has said; units as in CreateTokenPool."""

    tokens_per_minute: int
    burst_tokens: int
    reserve_permille: int
    interval_ms: int
    reserve_per_1000_ucr: int
    grant_ms: int

    @property
    def reserve_tokens(self) -> int:
        """What clearings leave to System agents, rounded down."""
        return self.burst_tokens * self.reserve_permille // 1000

    @property
    def floor_per_minute(self) -> int:
        """The lowest rate that throttling leads to, tokens per minute."""
        return max(1, self.tokens_per_minute // limits.RATE_FLOOR_DIVISOR)

    @property
    def step_per_minute(self) -> int:
        """How much of its rate a pool gains back in an interval, tokens per minute."""
        return max(1, self.tokens_per_minute // limits.RATE_STEP_DIVISOR)


@dataclass(frozen=True, slots=True)
class Order:
    """A standing order: so many tokens at each clearing, at most at this price."""

    id: bytes
    account: bytes
    tokens: int
    limit_per_1000_ucr: int
    task: str
    expires_at_ms: int


@dataclass(slots=True)
class Grant:
    """Tokens that an account may spend. `used` is what it has reported."""

    id: bytes
    account: bytes
    root: str
    tokens: int
    expires_at_ms: int
    used: int = 0

    def is_over(self, at_ms: int) -> bool:
        """Whether nothing is to be reported any more."""
        return at_ms >= self.expires_at_ms + limits.GRANT_GRACE_MS


@dataclass(slots=True)
class TokenPool:
    """One token pool. `rate` is the tokens per minute that flow in now, `level` the 60,000ths of a token at `at_ms`."""

    id: bytes
    name: str
    owner: bytes
    terms: TokenTerms
    rate: int
    level: int
    at_ms: int
    clears_at_ms: int = 0
    """When it is cleared, or its rate rises, next; 0: nothing waits for that."""
    throttled_at_ms: int = 0
    """When its rate was lowered last."""
    complained_at_ms: int = 0
    orders: dict[bytes, Order] = field(default_factory=dict)
    """By account, in order of placing."""
    grants: dict[bytes, Grant] = field(default_factory=dict)
    """Oldest first."""
    recent: dict[str, int] = field(default_factory=dict)
    """What budget roots bought lately: tokens, of which each clearing forgets a part."""
    complaints: dict[str, None] = field(default_factory=dict)
    """Budget roots that reported throttling in the interval of `complained_at_ms`."""

    def interval(self, at_ms: int) -> int:
        """Number of the interval that an instant is in."""
        return at_ms // self.terms.interval_ms

    def after(self, at_ms: int) -> int:
        """The first clearing after an instant."""
        return (self.interval(at_ms) + 1) * self.terms.interval_ms

    def level_at(self, at_ms: int) -> int:
        """The level at a later instant."""
        return min(self.terms.burst_tokens * PARTS, self.level + self.rate * (at_ms - self.at_ms))

    def tokens_at(self, at_ms: int) -> int:
        """Whole tokens that are there at a later instant."""
        return self.level_at(at_ms) // PARTS

    def supply_at(self, at_ms: int) -> int:
        """Whole tokens that a clearing may sell."""
        return max(0, self.tokens_at(at_ms) - self.terms.reserve_tokens)

    def settle(self, at_ms: int) -> None:
        """Let flow in what does until an instant."""
        self.level, self.at_ms = self.level_at(at_ms), at_ms

    def factor_permille(self, root: str) -> int:
        """The congestion surcharge, as a factor of weight: 1000 for who bought nothing lately, 500 for all."""
        total = sum(self.recent.values())
        return 1000 - (500 * self.recent.get(root, 0) // total if total else 0)

    def forget_some(self) -> None:
        """An eighth of what was bought lately, and whoever has so little of it that its factor is 1000."""
        left = {root: tokens * 7 // 8 for root, tokens in self.recent.items()}
        total = sum(left.values())
        self.recent = {root: tokens for root, tokens in left.items() if 500 * tokens >= total > 0}

    def drop_over(self, at_ms: int) -> list[bytes]:
        """Forget the oldest grants as far as they are over; their ids."""
        over: list[bytes] = []
        for ident, grant in self.grants.items():
            if not grant.is_over(at_ms):
                break
            over.append(ident)
        for ident in over:
            del self.grants[ident]
        return over

    def complaining(self, at_ms: int) -> set[str]:
        """The budget roots that have reported throttling in the interval of an instant."""
        return set(self.complaints) if self.interval(self.complained_at_ms) == self.interval(at_ms) else set()

    def roots_with_grants(self, at_ms: int) -> set[str]:
        """The budget roots that may report."""
        return {grant.root for grant in self.grants.values() if not grant.is_over(at_ms)}
