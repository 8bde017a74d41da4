"""A manager's reserve price from what capacity may be worth to whoever comes next: leases are not preempted, so what is
let go cheaply now is missing later.

The threshold is that of the online knapsack (Zhou, Chakrabarty & Lukose 2008, "Budget constrained bidding in keyword
auctions and online knapsack problems", section 3): with prices per unit between `low` and `high`, take what offers at
least (high e / low)^z low / e at utilization z. Against any order of offers it gets at least 1 / (1 + ln(high / low))
of the best; docs/strategies.md has what it gets of ordinary ones.

**Nobody's own offers lower its reserve.** Thresholds are computed without each budget root in turn, and the highest of
them counts: it is at least the one that the others' offers alone give.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class PricedOffer:
    """What a budget root has offered for one unit for an hour, micro-credits, whether it won or not."""

    root: str
    hourly_ucr: int


def threshold_ucr(utilization: float, low_ucr: float, high_ucr: float) -> float:
    """The least price that is worth taking at a utilization of 0 to 1, in the unit of the two bounds.

    Raises ValueError unless 0 < low_ucr <= high_ucr and 0 <= utilization <= 1.
    """
    if not (0 < low_ucr <= high_ucr and 0 <= utilization <= 1):
        raise ValueError(f"no threshold between {low_ucr} and {high_ucr} at a utilization of {utilization}")
    return min(high_ucr, math.pow(high_ucr * math.e / low_ucr, utilization) * low_ucr / math.e)


class OpportunityReserve:
    """Learns from the newest `memory` offers of a pool. Below `roots_min` budget roots it says `least_ucr` an hour, and
    never less; `low` and `high` are the shares of offers below which its bounds lie: what is rarer is not waited for.

    Raises ValueError for bounds that are none.
    """

    def __init__(
        self, *, least_ucr: int = 1, low: float = 0.05, high: float = 0.95, memory: int = 1_000, roots_min: int = 3
    ) -> None:
        if not (0 <= low < high <= 1 and memory > 0 and roots_min > 1 and least_ucr > 0):
            raise ValueError("low is below high, both from 0 to 1; memory and least_ucr are above 0, roots_min above 1")
        self._least_ucr = least_ucr
        self._low = low
        self._high = high
        self._roots_min = roots_min
        self._offers: deque[PricedOffer] = deque(maxlen=memory)

    def observe(self, offer: PricedOffer) -> None:
        """Learn of an offer, also of one below the reserve: else the reserve would drive itself up."""
        self._offers.append(offer)

    def hourly_ucr(self, utilization: float) -> int:
        """The reserve for a unit and an hour at a utilization of 0 to 1, rounded up."""
        roots = Counter(offer.root for offer in self._offers)
        if len(roots) < self._roots_min:
            return self._least_ucr
        ordered = sorted(self._offers, key=lambda offer: offer.hourly_ucr)
        # Of all roots but those with an extreme offer the thresholds are nearly the same: each is looked at.
        thresholds = (self._without(root, ordered, utilization) for root in roots)
        return max(self._least_ucr, math.ceil(max(thresholds)))

    def reserve_ucr(self, units: int, duration_ms: int, utilization: float) -> int:
        """The reserve price of a slot, rounded up."""
        return -(-self.hourly_ucr(utilization) * units * duration_ms // HOUR_MS)

    def _without(self, root: str, ordered: Sequence[PricedOffer], utilization: float) -> float:
        prices = [offer.hourly_ucr for offer in ordered if offer.root != root and offer.hourly_ucr > 0]
        if not prices:
            return self._least_ucr
        low, high = (prices[min(len(prices) - 1, int(share * len(prices)))] for share in (self._low, self._high))
        return threshold_ucr(utilization, low, high)
