"""What the operator sets for a whole market. Part of contractnet.messages.commands."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.command import Command


@dataclass(frozen=True, slots=True)
class SetPolicy(Command):
    """The operator bounds what the bank issues, and sets what an offer in a negotiation costs."""

    issue_limit_ucr: int | None
    issue_window_ms: int
    round_fee_ucr: int


@dataclass(frozen=True, slots=True)
class SetDeposit(Command):
    """The operator sets what managers deposit for each of their calls."""

    hourly_permille: int
    floor_ucr: int = 0
