"""Progress of what takes long: a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

_INTERVAL_S = 2.0


@dataclass(slots=True)
class Progress:
    """Lines on `out`, at most one per interval; none where it is None."""

    out: TextIO | None
    started_s: float = field(default_factory=time.monotonic)
    told_s: float = field(default_factory=time.monotonic)

    def tell(self, line: Callable[[float], str]) -> None:
        """Print a line if it is time for one; it is given how many seconds have passed since the beginning."""
        now_s = time.monotonic()
        if self.out is None or now_s - self.told_s < _INTERVAL_S:
            return
        self.told_s = now_s
        print(line(now_s - self.started_s), file=self.out, flush=True)
