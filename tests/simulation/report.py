"""What a seed of the simulation came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """What a seed came to. The digest tells whether two runs are the same."""

    seed: int
    commands: int = 0
    crashes: int = 0
    awards: int = 0
    digest: int = 0
    events: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
