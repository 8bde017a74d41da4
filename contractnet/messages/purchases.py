"""What happens only where a manager buys. Part of contractnet.messages.events."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event
from contractnet.messages.types import Progress


@dataclass(frozen=True, slots=True)
class PurchaseOpened(Event):
    """The CFP that was just opened buys: its other terms."""

    cfp: bytes
    delay_cost_per_s_ucr: int
    bond_ucr: int
    start_within_ms: int
    grace_ms: int


@dataclass(frozen=True, slots=True)
class UnitsOffered(Event):
    """The bid that was just placed is an ask, and names the contractor's pool."""

    bid: bytes
    pool: str


@dataclass(frozen=True, slots=True)
class WorkReported(Event):
    """Work has started or ended; what it sets off follows."""

    award: bytes
    cfp: bytes
    manager: bytes
    account: bytes
    progress: Progress
    delay_ms: int | None
    paid_ucr: int
    text: str
