"""A bug that is planted by hand."""

from __future__ import annotations

from dataclasses import dataclass

GOLDEN, DIRECTED, SEEDS = "golden", "directed", "seeds"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug. Tried killer after killer; `survives` is the reason why it may live, where it may."""

    name: str
    file: str
    old: str
    new: str
    breaks: str
    killers: tuple[str, ...]
    survives: str = ""
