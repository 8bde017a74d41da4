"""What the operator has set for a whole market: how much the bank may issue in a window, what an offer costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Policy:
    """Windows begin at multiples of their length. `issued_ucr` is of the window that begins at `starts_at_ms`."""

    issue_limit_ucr: int | None
    """None: no limit but that of all issued credits together."""
    issue_window_ms: int
    round_fee_ucr: int
    starts_at_ms: int
    issued_ucr: int = 0

    def window_of(self, at_ms: int) -> int:
        """When the window of an instant begins."""
        return at_ms - at_ms % self.issue_window_ms

    def left_ucr(self, at_ms: int) -> int | None:
        """What may still be issued in the window of an instant; None: there is no limit."""
        if self.issue_limit_ucr is None:
            return None
        return self.issue_limit_ucr - (self.issued_ucr if self.window_of(at_ms) == self.starts_at_ms else 0)

    def issue(self, amount_ucr: int, at_ms: int) -> None:
        """The bank has issued something."""
        if self.window_of(at_ms) != self.starts_at_ms:
            self.starts_at_ms, self.issued_ucr = self.window_of(at_ms), 0
        self.issued_ucr += amount_ucr
