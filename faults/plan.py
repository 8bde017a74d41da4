"""How large a campaign is: the short form for every change, the full one for claims."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

RATE_SHORT = 300.0
RATE_FULL = 600.0
SIDE_BY_SIDE_SHORT = 2
SIDE_BY_SIDE_FULL = 1
"""Sections at a time: they mostly wait, but a measured time from a kill to an award wants the machine to itself."""


@dataclass(frozen=True)
class Plan:
    """Sizes of one section. `rate` is commands a second of the load; `say` prints a line of progress."""

    full: bool
    seed: int
    data: Path
    say: Callable[[str], None]
    rate: float
    rng: random.Random = field(default_factory=random.Random)

    def pick(self, short: int, full: int) -> int:
        """A count for the form that runs."""
        return full if self.full else short

    def progress(self, done: int, of: int, what: str) -> None:
        """A line about ten times a section."""
        if done == of or done % max(1, of // 10) == 0:
            self.say(f"  {done} of {of} {what}")
