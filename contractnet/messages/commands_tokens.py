"""What is asked of token pools. Part of contractnet.messages.commands."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.command import Command


@dataclass(frozen=True, slots=True)
class CreateTokenPool(Command):
    """The bank creates a pool of API tokens that refills, and names its owner, who is paid."""

    name: str
    owner: bytes
    tokens_per_minute: int
    burst_tokens: int
    reserve_permille: int
    interval_ms: int
    reserve_per_1000_ucr: int
    grant_ms: int


@dataclass(frozen=True, slots=True)
class ResizeTokenPool(Command):
    """The owner (or the bank) gives a token pool other terms."""

    pool: str
    tokens_per_minute: int
    burst_tokens: int
    reserve_permille: int
    interval_ms: int
    reserve_per_1000_ucr: int
    grant_ms: int


@dataclass(frozen=True, slots=True)
class SetPriority(Command):
    """The operator makes an account a System agent, which may draw tokens at once, or ends that."""

    account: bytes
    system: bool


@dataclass(frozen=True, slots=True)
class PlaceStandingOrder(Command):
    """An account asks for tokens of a pool at each clearing. The order's id is this command's id; it replaces the
    account's order of this pool."""

    pool: str
    tokens: int
    limit_per_1000_ucr: int
    task: str
    open_ms: int


@dataclass(frozen=True, slots=True)
class CancelStandingOrder(Command):
    """An account takes its standing order back."""

    order: bytes


@dataclass(frozen=True, slots=True)
class DrawTokens(Command):
    """A System agent takes tokens at once, from the reserve as well, and pays nothing. The grant's id is this command's
    id."""

    pool: str
    tokens: int
    task: str


@dataclass(frozen=True, slots=True)
class ReportUsage(Command):
    """An account tells what it has used of a grant, and how often the provider said 429."""

    grant: bytes
    tokens: int
    calls: int
    throttled: int
    task: str
