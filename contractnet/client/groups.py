"""Groups of bids as an agent sees them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from contractnet.client.book import BidWatch


class BidGroup:
    """Bids of one agent of which at most `wins_max` win: `Agent.bid_group` makes it, `Agent.bid` takes it.

    The market holds the prices of as many as may still win, the highest first. At the last win the others drop, and
    their outcome is None; a bid that comes later is rejected with GROUP_WON. `id` (16 bytes) says which group it is,
    also to another process of the same account.
    """

    def __init__(self, ident: bytes, wins_max: int, lose: Callable[[bytes, bytes], None]) -> None:
        """`lose` is told CFP and bid of each bid that drops."""
        self.id = ident
        self.wins_max = wins_max
        self._lose = lose
        self._open: dict[bytes, bytes] = {}
        self._won: set[bytes] = set()

    def __repr__(self) -> str:
        return f"BidGroup(id={self.id.hex()}, wins_max={self.wins_max}, wins={self.wins})"

    @property
    def wins(self) -> int:
        """How many of the bids that were placed through this object have won."""
        return len(self._won)

    def add(self, cfp: bytes, bid: bytes, watch: BidWatch) -> None:
        """A bid of the group is on its way; `watch` says what becomes of it."""
        if bid not in self._open:
            self._open[bid] = cfp
            watch.add_done_callback(partial(self._ended, bid))

    def forget(self, bid: bytes) -> None:
        """The market did not take a bid."""
        self._open.pop(bid, None)

    def _ended(self, bid: bytes, watch: BidWatch) -> None:
        self._open.pop(bid, None)
        if bid in self._won or watch.cancelled() or watch.exception() is not None or watch.result() is None:
            return
        self._won.add(bid)
        if self.wins >= self.wins_max:
            # No notice says so: how many bids drop is nobody's business before their deadlines.
            for other, cfp in list(self._open.items()):
                self._lose(cfp, other)
