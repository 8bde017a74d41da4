"""What decays of an account in a window of a budget: a part of what it had on average, held credits included.

An average cannot be moved out of the way of a window's end (docs/guards.md). It is kept as an area: micro-credits times
the milliseconds that the account had them. Python's integers have no bounds, so that nothing is rounded on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """The areas of one account under one budget, window by window: the running one first, then those that are over as
    well and wait for their record."""

    until_ms: int
    """What the account had is counted until then."""
    areas: list[int] = field(default_factory=list)

    def count(self, balance_ucr: int, until_ms: int, starts_at_ms: int, window_ms: int) -> None:
        """The account has had the same balance since the last count. `starts_at_ms` is of the running window."""
        while self.until_ms < until_ms:
            number = (self.until_ms - starts_at_ms) // window_ms
            end_ms = min(until_ms, starts_at_ms + (number + 1) * window_ms)
            self.areas += [0] * (number + 1 - len(self.areas))
            self.areas[number] += balance_ucr * (end_ms - self.until_ms)
            self.until_ms = end_ms

    def area_at(self, balance_ucr: int, ends_at_ms: int) -> int:
        """The area of the running window at its end, the balance being that since the last count."""
        return sum(self.areas[:1]) + balance_ucr * max(0, ends_at_ms - self.until_ms)


def decay_ucr(area: int, window_ms: int, decay_permille: int) -> int:
    """The decay of a window: its average times the rate, rounded down once."""
    return area * decay_permille // (window_ms * 1000)
