"""How a long step tells its caller how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is, over all jars of the lock that were not in the cache."""

    jars_done: int
    jars_total: int
    bytes_done: int
    bytes_total: int


ProgressCallback = Callable[[Progress], None]
# One sentence on a step that takes seconds, such as preparing fast starts.
Notify = Callable[[str], None]


def silent(_: str) -> None:
    """A `Notify` for callers that want to hear nothing."""
