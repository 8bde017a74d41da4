"""What happened to token pools; contractnet.messages.events has it as well."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event
from contractnet.messages.types import OrderEnd, TokenPricing


@dataclass(frozen=True, slots=True)
class TokenPoolCreated(Event):
    """A token pool began, with its burst in it."""

    token_pool: bytes
    pool: str
    owner: bytes
    tokens_per_minute: int
    burst_tokens: int
    reserve_permille: int
    interval_ms: int
    reserve_per_1000_ucr: int
    grant_ms: int


@dataclass(frozen=True, slots=True)
class TokenPoolResized(Event):
    """A token pool has other terms from now on."""

    pool: str
    tokens_per_minute: int
    burst_tokens: int
    reserve_permille: int
    interval_ms: int
    reserve_per_1000_ucr: int
    grant_ms: int


@dataclass(frozen=True, slots=True)
class PriorityChanged(Event):
    """An account is a System agent, or no longer."""

    account: bytes
    system: bool


@dataclass(frozen=True, slots=True)
class StandingOrderPlaced(Event):
    """An account asks for tokens at each clearing."""

    order: bytes
    pool: str
    account: bytes
    tokens: int
    limit_per_1000_ucr: int
    task: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class StandingOrderEnded(Event):
    """A standing order is over."""

    order: bytes
    pool: str
    account: bytes
    reason: OrderEnd


@dataclass(frozen=True, slots=True)
class TokenPoolCleared(Event):
    """The standing orders of a pool were cleared; what was sold follows."""

    pool: str
    pricing: TokenPricing
    roots: int
    supply_tokens: int
    sold_tokens: int
    price_per_1000_ucr: int


@dataclass(frozen=True, slots=True)
class TokensGranted(Event):
    """Tokens are an account's to spend."""

    grant: bytes
    pool: str
    account: bytes
    order: bytes | None
    tokens: int
    paid_ucr: int
    task: str
    expires_at_ms: int
    system: bool


@dataclass(frozen=True, slots=True)
class UsageReported(Event):
    """An account told what it used of a grant."""

    grant: bytes
    pool: str
    account: bytes
    tokens: int
    calls: int
    throttled: int
    task: str


@dataclass(frozen=True, slots=True)
class TokenRateChanged(Event):
    """A token pool refills at another rate: halved as the provider throttles, or a step back up."""

    pool: str
    tokens_per_minute: int
