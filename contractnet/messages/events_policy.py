"""What happened to what the operator sets for a whole market. Part of contractnet.messages.events."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event


@dataclass(frozen=True, slots=True)
class PolicySet(Event):
    """The bank may issue so much, and offers cost so much, from now on. What was issued is counted anew."""

    issue_limit_ucr: int | None
    issue_window_ms: int
    round_fee_ucr: int


@dataclass(frozen=True, slots=True)
class DepositSet(Event):
    """Managers deposit so much for each call that opens from now on."""

    hourly_permille: int
    floor_ucr: int = 0
