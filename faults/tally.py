"""What a section did and what the log says about it, and the closing lines of a campaign."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

FAILURES = ("duplicate", "lost", "torn", "diverged", "rows_lost", "rows_doubled")
OPEN_LEAST = 0.3
"""Of the kills of a campaign, so many have to fall inside an open transaction: others have nothing to tear."""


@dataclass
class Tally:
    """Counts of one section, or their sum. `phases` counts kills by where they fell, `opened` those of them that left
    an open transaction in the log; `recovery_s` are the times from a kill to the next award at read_committed,
    from the first one where several followed without an award;
    `other` are faults of other kinds, `attempts` those of adversaries by kind, which are no faults; `notes` what came
    of faults, and what came with one that is counted elsewhere; `problems` are failures that are no count of records.
    `rows` are the rows of events that were compared with the ledger, in the sections that have a projector.
    `mix` is what else came about of the load. `verified` are ledger records that the independent checker has seen.
    `skipped` and `unfinished` are sections."""

    kills: int = 0
    zombies: int = 0
    broker: int = 0
    commands: int = 0
    awards: int = 0
    works: int = 0
    deals: int = 0
    resold: int = 0
    claims: int = 0
    grants: int = 0
    mix: Counter[str] = field(default_factory=Counter)
    visible: int = 0
    acknowledged: int = 0
    verified: int = 0
    duplicate: int = 0
    lost: int = 0
    torn: int = 0
    diverged: int = 0
    rows_lost: int = 0
    rows_doubled: int = 0
    rows: int = 0
    duration_s: float = 0.0
    recovery_s: list[float] = field(default_factory=list)
    phases: Counter[str] = field(default_factory=Counter)
    opened: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    @property
    def failures(self) -> int:
        """How much is wrong; 0 is the claim."""
        return sum(int(getattr(self, name)) for name in FAILURES) + len(self.problems)

    @property
    def trials(self) -> int:
        """Faults of all kinds, each once."""
        return self.kills + self.zombies + self.broker + sum(self.other.values())

    def count(self, fault: str, n: int = 1, *, with_kill: bool = False) -> None:
        """Count a fault of another kind; one that came with a kill of a worker is counted as that."""
        (self.notes if with_kill else self.other)[fault] += n

    def demand_open(self) -> None:
        """Fail where too few kills fell inside an open transaction to claim anything by them."""
        kills, opened = sum(self.phases.values()), sum(self.opened.values())
        if opened < OPEN_LEAST * kills:
            self.problems.append(
                f"the faults did not take effect: {opened} of {kills} kills fell inside an open transaction, less than "
                f"{OPEN_LEAST:.0%}"
            )

    def add(self, more: Tally) -> None:
        """Add another section's counts."""
        for name, value in vars(more).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            elif isinstance(value, (int, float, list)):
                setattr(self, name, getattr(self, name) + value)

    def counts(self) -> str:
        """The failures, as the closing line has them."""
        return " ".join(f"{name}={getattr(self, name)}" for name in FAILURES)

    def closing_line(self) -> str:
        """The line that a campaign ends with."""
        recovery = f"{statistics.median(self.recovery_s):.2f}" if self.recovery_s else "none"
        named = (("skipped", self.skipped), ("unfinished", self.unfinished))
        without = "".join(f" {what}={','.join(names)}" for what, names in named if names)
        return (
            f"faults: kills={self.kills} zombies={self.zombies} broker={self.broker} commands={self.commands} "
            f"{self.counts()} recovery_p50_s={recovery} recovery_n={len(self.recovery_s)} "
            f"rows={self.rows}{without}"
        )

    def hostile_lines(self) -> list[str]:
        """What adversaries have tried: no faults of the environment, and not in their bound."""
        if not self.attempts:
            return []
        return [f"hostile: {self.attempts.total()} attempts of {len(self.attempts)} kinds, not counted as faults"]

    def bound_line(self) -> str:
        """What zero failures prove: with n trials and none failed, the rate is below 3/n (95%)."""
        if self.failures or not self.trials:
            return f"no bound: {self.failures} failures in {self.trials} faults"
        return (
            f"bound (rule of three, 95%): below {3 / self.trials:.2g} failures a fault (n = {self.trials}) and below "
            f"{3 / max(1, self.commands):.2g} a command (n = {self.commands})"
        )

    def phase_lines(self) -> list[str]:
        """Kills by phase, and how many of them left an open transaction."""
        kills, opened = sum(self.phases.values()), sum(self.opened.values())
        if not kills:
            return []
        each = [
            f"  {phase:18} {n:4} kills, {self.opened[phase]:4} inside an open transaction"
            for phase, n in sorted(self.phases.items())
        ]
        return [f"kills by phase ({opened} of {kills}, {opened / kills:.0%}, inside an open transaction):", *each]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Tally:
        """From its fields, as JSON has them."""
        counters = {name: Counter(value) for name, value in fields.items() if isinstance(value, dict)}
        return cls(**fields | counters)
