"""How far below its worth to bid where the winner pays its own price (FIRST). Integer micro-credits."""

from __future__ import annotations

import math
from collections import deque


def uniform_first_price_ucr(worth_ucr: int, bidders: int, reserve_ucr: int = 0) -> int:
    """The equilibrium bid of a first-price auction among `bidders` whose worths are uniform from 0, rounded down.

    worth·(n - 1)/n + reserve^n / (n·worth^(n - 1)): with no reserve the known (n - 1)/n of the worth (Vickrey 1961;
    with a reserve Riley & Samuelson 1981). One bidder alone bids the reserve price.

    Raises ValueError unless bidders >= 1 and 0 <= reserve_ucr <= worth_ucr.
    """
    if bidders < 1 or not 0 <= reserve_ucr <= worth_ucr:
        raise ValueError("there is at least one bidder, and its worth is at least the reserve price")
    if worth_ucr == 0:
        return 0
    share = (bidders - 1 + math.pow(reserve_ucr / worth_ucr, bidders)) / bidders
    return min(worth_ucr, max(reserve_ucr, math.floor(worth_ucr * share)))


class WinningPrices:
    """The highest bid of the others, learned from what calls were won at.

    A call that somebody else won shows their highest bid. One that the agent won itself shows only that it was no more
    than the own bid: the observation is censored from the left, and counting it as a price would have the agent
    outbid its own past. The product-limit estimator for left-censored data takes that into account (Kaplan & Meier
    1958, time reversed). The last `memory` calls count; below `calls_min` of them there is no advice. It does not
    explore: an agent that wins every call learns nothing about lower bids than its own.

    Raises ValueError unless 1 <= calls_min <= memory.
    """

    def __init__(self, *, memory: int = 500, calls_min: int = 30) -> None:
        if not 1 <= calls_min <= memory:
            raise ValueError("memory is at least calls_min, and that at least 1")
        self._seen: deque[tuple[int, bool]] = deque(maxlen=memory)
        self._calls_min = calls_min
        self._steps: list[tuple[int, float]] | None = None

    def add(self, winning_ucr: int, *, own: bool) -> None:
        """Remember a call: the winner's price (0: nobody bid the reserve price), and whether that was the own bid."""
        self._seen.append((winning_ucr, own))
        self._steps = None

    def steps(self) -> list[tuple[int, float]]:
        """The estimate: (price, share of calls in which the others bid at most that), both rising, the last share 1."""
        if self._steps is None:
            self._steps = _left_censored_steps(sorted(self._seen))
        return self._steps

    def best_bid_ucr(self, worth_ucr: int, reserve_ucr: int) -> int | None:
        """The bid with the greatest expected gain, (worth - bid) · share of calls that it would have won; the lower
        one of equals. It is the reserve price or one micro-credit above a price seen. None without enough calls."""
        if len(self._seen) < self._calls_min:
            return None
        best_ucr, best_gain = reserve_ucr, -1.0
        for price_ucr, share in [(reserve_ucr - 1, self._share_up_to(reserve_ucr - 1)), *self.steps()]:
            bid_ucr = price_ucr + 1
            if reserve_ucr <= bid_ucr <= worth_ucr and (worth_ucr - bid_ucr) * share > best_gain:
                best_ucr, best_gain = bid_ucr, (worth_ucr - bid_ucr) * share
        return best_ucr

    def _share_up_to(self, price_ucr: int) -> float:
        return max((share for seen_ucr, share in self.steps() if seen_ucr <= price_ucr), default=0.0)


def _left_censored_steps(seen: list[tuple[int, bool]]) -> list[tuple[int, float]]:
    """Walk down from the highest price: at each one that was seen, the share below it shrinks by its part of all the
    calls that are known to lie at or below it. What lies below all of these is put at the lowest price that won."""
    steps: list[tuple[int, float]] = []
    share = 1.0
    at_most = len(seen)
    place = len(seen)
    while place:
        price_ucr = seen[place - 1][0]
        exact = 0
        start = place
        while place and seen[place - 1][0] == price_ucr:
            place -= 1
            exact += not seen[place][1]
        if exact:
            steps.append((price_ucr, share))
            share *= 1 - exact / at_most
        at_most -= start - place
    if share > 0:
        steps.append((seen[0][0], share))
    return steps[::-1]
