"""Named points at which a process kills itself.

CONTRACTNET_FAULT_POINT is `point:probability:seed:pause_ms`. At the point the process waits `pause_ms` (librdkafka's
threads go on meanwhile, so that what was produced reaches the broker) and gets SIGKILL; at `committing` the wait runs
beside the commit.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time

POINTS = ("after_poll", "after_decide", "after_produce", "committing", "after_commit", "after_acknowledge")
VARIABLE = "CONTRACTNET_FAULT_POINT"


class FaultPoint:
    """One point at which this process ends, with a probability each time that it is passed."""

    def __init__(self, text: str) -> None:
        """Raises ValueError for what names no point."""
        self.point, probability, seed, pause_ms = text.split(":")
        if self.point not in POINTS:
            raise ValueError(f"{VARIABLE}={text!r}: the points are {', '.join(POINTS)}")
        self.probability = float(probability)
        self.pause_s = int(pause_ms) / 1000
        self._rng = random.Random(int(seed))

    def passed(self, point: str) -> None:
        """End the process here, or not."""
        if point != self.point or self._rng.random() >= self.probability:
            return
        if point == "committing":
            threading.Timer(self.pause_s, _kill).start()
        else:
            time.sleep(self.pause_s)
            _kill()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
