"""Capacity over time: how many units of a pool are reserved at each instant, as a step function."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Timeline:
    """Units in use over half-open intervals of milliseconds. `used[i]` holds from `times[i]` up to `times[i + 1]`."""

    __slots__ = ("times", "used")

    def __init__(self) -> None:
        self.times = [0]
        self.used = [0]

    def copy(self) -> Timeline:
        """An independent copy."""
        other = Timeline()
        other.times = self.times.copy()
        other.used = self.used.copy()
        return other

    def peak(self, start_ms: int, end_ms: int | None = None) -> int:
        """Most units in use at any instant of [start_ms, end_ms), or from start_ms on."""
        first = bisect_right(self.times, start_ms) - 1
        last = len(self.times) if end_ms is None else bisect_left(self.times, end_ms)
        return max(self.used[first:last])

    def add(self, start_ms: int, end_ms: int, units: int) -> None:
        """Use `units` more (or, negative, fewer) in [start_ms, end_ms)."""
        assert 0 < start_ms < end_ms, f"empty interval [{start_ms}, {end_ms})"
        first = self._cut(start_ms)
        last = self._cut(end_ms)
        for i in range(first, last):
            self.used[i] += units
            assert self.used[i] >= 0, "units were freed that nobody used"
        for i in (last, first):
            if self.used[i] == self.used[i - 1]:
                del self.times[i], self.used[i]

    def forget(self, before_ms: int) -> None:
        """Drop the steps that ended at or before an instant; the level at that instant stays."""
        first = bisect_right(self.times, before_ms) - 1
        if first > 0:
            del self.times[:first], self.used[:first]
            self.times[0] = 0

    def _cut(self, at_ms: int) -> int:
        """Index of the step that starts at `at_ms`, made where there is none."""
        i = bisect_left(self.times, at_ms)
        if i == len(self.times) or self.times[i] != at_ms:
            self.times.insert(i, at_ms)
            self.used.insert(i, self.used[i - 1])
        return i
