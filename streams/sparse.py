"""Logs while Kafka is away: aiokafka says the same some sixty times a second, and it is told once in a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

EVERY_S = 10.0


class Sparse(logging.Filter):
    """Lets each message of a logger, whatever fills its gaps, through once in `every_s` seconds; the next one tells
    how many were left out."""

    def __init__(self, every_s: float = EVERY_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s, self._monotonic = every_s, monotonic
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is told."""
        kind, now = (record.name, str(record.msg)), self._monotonic()
        told_at_s, left_out = self._told.get(kind, (-self._every_s, 0))
        if now - told_at_s < self._every_s:
            self._told[kind] = (told_at_s, left_out + 1)
            return False
        self._told[kind] = (now, 0)
        if left_out:
            record.msg = f"{record.msg} [and {left_out} times before]"
        return True


def make_sparse(parent: str) -> None:
    """Filter what a package's loggers say: a filter of the parent would not see what its children log."""
    sparse = Sparse()
    for name in (parent, *(each for each in logging.root.manager.loggerDict if each.startswith(f"{parent}."))):
        logging.getLogger(name).addFilter(sparse)
