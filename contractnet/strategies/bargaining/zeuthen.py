"""Zeuthen's strategy: who has more to lose by a conflict stands still, who has less concedes."""

from __future__ import annotations

from fractions import Fraction

from contractnet.strategies.bargaining.domain import Domain, Exact
from contractnet.strategies.bargaining.monotonic import Standing


def risk(domain: Domain, side: int, own: int, other: int) -> Fraction:
    """Zeuthen's risk limit of `side`: the share of its gain that it loses by taking the other's offer, at most 1.

    (gain of own - gain of other) / gain of own, and 1 where the own offer gains nothing (Zeuthen 1930; Harsanyi 1956).
    For people and tests: the strategy compares products, which needs no division.
    """
    gain: Exact = domain.gains[side][own]
    if gain == 0:
        return Fraction(1)
    return Fraction(gain - domain.gains[side][other]) / Fraction(gain)


class Zeuthen:
    """Zeuthen's strategy for the monotonic concession protocol (Rosenschein & Zlotkin 1994, ch. 3).

    Against itself it ends at a deal with the greatest product of gains (Nash's solution), on every domain. It rests
    on three rules: a party concedes only to deals that are no worse for itself than the other's standing offer; of
    the concessions that just suffice to shift the risk it takes the one best for itself; on equal risk it concedes.
    A concession suffices when the other's risk becomes the lower one: when its product of gains exceeds that of the
    other's offer. Where none does, the other's offer has the greatest product already, and it is taken.

    It needs both parties' gains: it is for utilities that are declared, and says nothing about their truth.

    All offers of a negotiation cost one walk along the frontier, since a product that was too small once stays so.

    Raises ValueError when the negotiation set is empty.
    """

    def __init__(self, domain: Domain, side: int) -> None:
        self._domain = domain
        self._own_gains = domain.gains[side]
        self._order = domain.order(side)
        self._places = {outcome: place for place, outcome in enumerate(self._order)}

    def propose(self) -> int:
        """The deal that is best for itself."""
        return self._order[0]

    def respond(self, standing: Standing) -> int:
        """Stand still while the own risk is the higher one, else make a concession that just suffices."""
        own, other = standing.own, standing.other
        threshold = self._domain.product(other)
        # risk of own < risk of other  <=>  product at own < product at other; no quotient is rounded.
        if self._domain.product(own) > threshold:
            return own
        floor = self._own_gains[other]
        for place in range(self._places[own] + 1, len(self._order)):
            candidate = self._order[place]
            if self._own_gains[candidate] < floor:
                break
            if self._domain.product(candidate) > threshold:
                return candidate
        return other
