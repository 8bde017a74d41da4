"""What an account or a project may spend."""

from __future__ import annotations

from dataclasses import dataclass, field

from market.decay import Tally, decay_ucr


@dataclass(slots=True)
class Budget:
    """What an account, or all accounts of a project together, may spend in a window of time.

    Exactly one of `account` and `project` names the scope. The window is [starts_at_ms, ends_at_ms).
    """

    id: bytes
    account: bytes | None
    project: str
    limit_ucr: int | None
    """None: no limit; the budget is an allowance, or decay, or both."""
    allowance_ucr: int
    window_ms: int
    offset_ms: int
    decay_permille: int
    cap_allowances: int
    warn_permille: int
    starts_at_ms: int
    ends_at_ms: int
    topped_up_ucr: int = 0
    spent_ucr: int = 0
    """What awards have cost in this window."""
    warned: bool = False
    held_ucr: int = 0
    """What open bids hold, whenever they were placed. Derived."""
    tallies: dict[bytes, Tally] = field(default_factory=dict)
    """What its accounts have had, where it decays by that."""

    @property
    def posts(self) -> bool:
        """Whether the start of a window may move credits."""
        return bool(self.allowance_ucr or self.decay_permille)

    @property
    def most_ucr(self) -> int | None:
        """The limit of this window with what it was topped up by; None: there is none."""
        return None if self.limit_ucr is None else self.limit_ucr + self.topped_up_ucr

    @property
    def room_ucr(self) -> int | None:
        """What one more bid may hold; below 0 where terms changed under what was held. None: there is no limit."""
        return None if (most := self.most_ucr) is None else most - self.spent_ucr - self.held_ucr

    def decay_ucr(self, account: bytes, balance_ucr: int) -> int:
        """The decay of the window that is over, of an account that has this balance."""
        tally = self.tallies.get(account)
        area = 0 if tally is None else tally.area_at(balance_ucr, self.ends_at_ms)
        return decay_ucr(area, self.window_ms, self.decay_permille)

    def warns_at(self, spent_ucr: int) -> bool:
        """Whether so much spent is a reason to warn, where that was not done in this window."""
        most = self.most_ucr
        return not self.warned and most is not None and spent_ucr * 1000 >= self.warn_permille * most
