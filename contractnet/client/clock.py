"""Market time as seen from a client."""

from __future__ import annotations

import time


class MarketClock:
    """Estimates market time: the newest notice's timestamp plus what has passed since it arrived.

    Never runs backwards. It lags by the way of a notice, some 10 to 50 ms. Before the first notice that arrived live it
    goes by this machine's wall clock, which may be minutes off: nothing of that stays.
    """

    def __init__(self) -> None:
        self._at_ms: float | None = None
        self._seen_s = 0.0
        self._floor_ms = 0

    def saw(self, at_ms: int, *, live: bool) -> None:
        """A notice with this timestamp was read; `live`: just now, not while catching up."""
        self._floor_ms = max(self._floor_ms, at_ms)
        if live:
            self._at_ms, self._seen_s = at_ms, time.monotonic()

    def now_ms(self) -> int:
        """Estimated market time, milliseconds since the epoch."""
        if self._at_ms is None:
            return max(self._floor_ms, time.time_ns() // 1_000_000)
        self._floor_ms = max(self._floor_ms, int(self._at_ms + (time.monotonic() - self._seen_s) * 1000))
        return self._floor_ms
