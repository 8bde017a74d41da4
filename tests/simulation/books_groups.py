"""The part of the books that keeps groups of bids: what they hold adds up, and they win no more than they may."""

from __future__ import annotations

from dataclasses import dataclass, field

from contractnet.messages import Entry
from contractnet.messages import events as e

REMEMBERED_MIN = 2
"""How many groups of an account that have ended are remembered at least, also where limits are low."""


@dataclass(slots=True)
class Lot:
    """A group; `open` are its unsettled bids."""

    account: bytes
    wins_max: int
    wins: int = 0
    open: set[bytes] = field(default_factory=set)
    sure: bool = True
    """Whether `wins` is all: the market may still know of a win from before, or not."""


class GroupBooks:
    """Base of the books; every broken promise is an AssertionError."""

    holds: dict[bytes, tuple[bytes, int]]

    def __init__(self) -> None:
        super().__init__()
        self.lots: dict[tuple[bytes, bytes], Lot] = {}
        self.lot_of: dict[bytes, Lot] = {}
        self.ends: list[Lot] = []
        """Groups that have won something, in the order in which they lost their last open bid."""
        self.prices: dict[bytes, int] = {}
        self.withdrawn_bids: set[bytes] = set()

    def price_of(self, bid: bytes) -> int:
        """What was bid."""
        raise NotImplementedError

    def has_group(self, bid: bytes) -> bool:
        """Whether an unsettled bid belongs to a group."""
        return bid in self.lot_of

    def has_won(self, bid: bytes) -> tuple[bool, ...]:
        """Whether the group of an unsettled live bid has won as often as it may; both, where that is not sure."""
        lot = self.lot_of.get(bid)
        if lot is None or bid in self.withdrawn_bids:
            return (False,)
        return (lot.wins == lot.wins_max,) if lot.sure else (False, True)

    def leave(self, bid: bytes, *, won: bool) -> None:
        """A hold was captured or released."""
        lot = self.lot_of.pop(bid, None)
        if lot is not None:
            lot.open.remove(bid)
            lot.wins += won
            assert lot.wins <= lot.wins_max, "a group won more often than it may"
            if lot.wins and not lot.open:
                self.ends.append(lot)

    def check_groups(self) -> None:
        """Between records: a group holds the prices of those that could still win together, and no others."""
        for lot in filter(lambda lot: lot.sure, self.lots.values()):
            prices = sorted(self.prices[bid] for bid in lot.open)
            held = sorted(self.holds[bid][1] for bid in lot.open)
            left = lot.wins_max - lot.wins
            assert held == [0] * max(0, len(prices) - left) + (prices[-left:] if left else []), (
                "a group holds something else"
            )
            assert left or lot.open <= self.withdrawn_bids, "a group has won enough, and still bids"

    def _BidGrouped(self, _: Entry, event: e.BidGrouped) -> None:
        key = (event.account, event.group)
        lot = self.lots.get(key)
        if lot is None or self._is_forgotten(lot):
            sure = lot is None or lot.wins in (0, lot.wins_max)
            lot = self.lots[key] = Lot(event.account, event.wins_max, sure=sure)
        assert lot.wins_max == event.wins_max, "a group changed how many may win"
        assert lot.wins < lot.wins_max, "a bid of a group that has won enough"
        lot.open.add(event.bid)
        self.lot_of[event.bid] = lot
        self.prices[event.bid] = self.price_of(event.bid)

    def _is_forgotten(self, lot: Lot) -> bool:
        """Whether the market may take a bid of an ended group for the first of a new one."""
        if lot.open or not lot.wins:
            return not lot.open
        last = max(place for place, other in enumerate(self.ends) if other is lot)
        return sum(other.account == lot.account for other in self.ends[last + 1 :]) >= REMEMBERED_MIN

    def _HoldResized(self, _: Entry, event: e.HoldResized) -> None:
        assert event.hold in self.lot_of, "a hold without a group changed"
        account, before_ucr = self.holds[event.hold]
        assert account == event.account
        assert {before_ucr, event.amount_ucr} == {0, self.prices[event.hold]}
        self.holds[event.hold] = (account, event.amount_ucr)
