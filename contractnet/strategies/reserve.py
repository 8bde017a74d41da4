"""A manager's reserve price from what capacity may be worth to whoever comes next: leases are not preempted, so what is
let go cheaply now is missing later.

The threshold is that of the online knapsack (Zhou, Chakrabarty & Lukose 2008, "Budget constrained bidding in keyword
auctions and online knapsack problems", section 3): with prices per unit between `low` and `high`, take what offers at
least (high e / low)^z low / e at utilization z. Against any order of offers it gets at least 1 / (1 + ln(high / low))
of the best; docs/strategies.md has what it gets of ordinary ones.

**Only offers of roots that may not bid count**, where it is said who may (`bidders`): then no offer of a root changes
what a call that it may bid in faces. Where everybody may bid there is nobody else to learn from: the threshold is
computed without each budget root in turn, and the highest counts. Own offers can bring that down to what those of the
others give alone, and no lower. docs/strategies.md has what this is worth to a low bidder, and `TwoHalves` for a
manager that does not want to leave it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class PricedOffer:
    """What a budget root has offered for one unit for an hour, micro-credits, whether it won or not. One that rounds
    down to 0 sets no bound."""

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
    """Learns from the newest `memory` offers of a pool, those of `bidders` left out. Below `roots_min` budget roots it
    says `least_ucr` an hour, and never less; `low` and `high` are the shares of offers below which its bounds lie: what
    is rarer is not waited for.

    It keeps the newest `memory` offers of each root: else one that offers often would push out those of others.

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
        self._memory = memory
        self._roots_min = roots_min
        self._roots: set[str] = set()
        self._offers: list[PricedOffer] = []
        self._full = 2 * memory

    def observe(self, offer: PricedOffer) -> None:
        """Learn of an offer, also of one below the reserve: else the reserve would drive itself up."""
        self._roots.add(offer.root)
        if offer.hourly_ucr <= 0:
            return
        self._offers.append(offer)
        if len(self._offers) > self._full:
            self._offers = self._newest(len(self._offers))[::-1]
            self._full = 2 * (len(self._offers) + self._memory)

    def knows_enough(self, bidders: Collection[str] | None = None) -> bool:
        """Whether offers of enough budget roots that are none of `bidders` are known; else the reserve is the least."""
        return len(self._roots - set(bidders or ())) >= self._roots_min

    def hourly_ucr(self, utilization: float, *, bidders: Collection[str] | None = None) -> int:
        """The reserve for a unit and an hour at a utilization of 0 to 1, rounded up.

        `bidders` are all budget roots that may bid, as in a call by invitation; None: whoever wants may.
        """
        if not self.knows_enough(bidders):
            return self._least_ucr
        if bidders is not None:
            newest = self._newest(self._memory, bidders)
            left_out: dict[str | None, list[int]] = {None: []}
        else:
            # Of twice as many, a root has half at most, so that enough is left of the others.
            newest = self._newest(2 * self._memory)
            left_out = {offer.root: [] for offer in newest}
            for place, offer in enumerate(newest):
                left_out[offer.root].append(place)
        ordered = sorted((offer.hourly_ucr, place, offer.root) for place, offer in enumerate(newest))
        thresholds = (self._threshold(ordered, root, places, utilization) for root, places in left_out.items())
        return max(self._least_ucr, math.ceil(max(thresholds)))

    def reserve_ucr(
        self, units: int, duration_ms: int, utilization: float, *, bidders: Collection[str] | None = None
    ) -> int:
        """The reserve price of a slot, rounded up; `bidders` as in `hourly_ucr`."""
        return -(-self.hourly_ucr(utilization, bidders=bidders) * units * duration_ms // HOUR_MS)

    def _newest(self, count: int, bidders: Collection[str] = ()) -> list[PricedOffer]:
        """So many offers of others than `bidders`, the newest first, and of no root more than the memory."""
        left = dict.fromkeys(self._roots, self._memory) | dict.fromkeys(bidders, 0)
        newest: list[PricedOffer] = []
        for offer in reversed(self._offers):
            if len(newest) == count:
                break
            if left[offer.root]:
                left[offer.root] -= 1
                newest.append(offer)
        return newest

    def _threshold(
        self, ordered: list[tuple[int, int, str]], root: str | None, places: list[int], utilization: float
    ) -> float:
        """That of the newest offers of all but `root`, which has those at `places`, from what is ordered by price."""
        end = self._memory
        for place in places:
            end += place < end
        count = min(end, len(ordered)) - sum(place < end for place in places)
        if not count:
            return self._least_ucr

        def nth(number: int, offers: Iterable[tuple[int, int, str]]) -> int:
            others = (price for price, place, who in offers if place < end and who != root)
            return next(islice(others, number, None))

        low, high = (min(count - 1, int(share * count)) for share in (self._low, self._high))
        return threshold_ucr(utilization, nth(low, ordered), nth(count - 1 - high, reversed(ordered)))
