"""What happened to budgets; contractnet.messages.events has them as well."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event


@dataclass(frozen=True, slots=True)
class BudgetSet(Event):
    """An account or a project has a budget, or other terms for the one it has. What the window has spent so far
    stays."""

    budget: bytes
    account: bytes | None
    project: str
    limit_ucr: int | None
    allowance_ucr: int
    window_ms: int
    offset_ms: int
    decay_permille: int
    cap_allowances: int
    warn_permille: int
    starts_at_ms: int
    ends_at_ms: int


@dataclass(frozen=True, slots=True)
class BudgetCleared(Event):
    """A budget ended."""

    budget: bytes
    account: bytes | None
    project: str


@dataclass(frozen=True, slots=True)
class BudgetToppedUp(Event):
    """The limit of a budget is higher for the window that runs now."""

    budget: bytes
    amount_ucr: int


@dataclass(frozen=True, slots=True)
class BudgetWarned(Event):
    """What was spent in a window has reached the part of the limit from which on the market warns. Once a window."""

    budget: bytes
    spent_ucr: int
    limit_ucr: int


@dataclass(frozen=True, slots=True)
class BudgetWindowStarted(Event):
    """A window of a budget ended and the next one began; the postings of both follow."""

    budget: bytes
    starts_at_ms: int
    ends_at_ms: int
    limit_ucr: int | None
    spent_ucr: int
    decayed_ucr: int
    issued_ucr: int


@dataclass(frozen=True, slots=True)
class DecayOwed(Event):
    """An account owes decay that was not free to be taken when its budget's window ended; 0: it owes none any more."""

    account: bytes
    owed_ucr: int
