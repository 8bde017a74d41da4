"""What happened in resales of leases and claims on them. Part of contractnet.messages.events."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event


@dataclass(frozen=True, slots=True)
class ResaleCallSet(Event):
    """A lease that is bargained for from now on is open to others for so long at the agreed price."""

    call_ms: int


@dataclass(frozen=True, slots=True)
class LeaseClaimed(Event):
    """The counterpart has opened the negotiation that was just opened, and waits for the holder; the hold of its cap
    follows."""

    negotiation: bytes
    account: bytes
    cap_ucr: int
    task: str
    pass_hash: bytes
