"""Alternating offers (Rubinstein 1982): one offers, the other accepts or makes the next offer, and waiting costs."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from contractnet.strategies.bargaining.domain import Domain, Exact, Utility, ratio

Offer = TypeVar("Offer")
Discounts = tuple[Utility, Utility]
"""What a gain is worth one round later, by party, as a share of what it is worth now: between 0 and 1."""


class AlternatingParty(Protocol[Offer]):
    """A strategy for one side. Rounds count from 1; party 0 offers in the odd ones."""

    def propose(self, round_: int) -> Offer:
        """The offer of a round in which it is this party's turn."""

    def accepts(self, offer: Offer, round_: int) -> bool:
        """Whether it takes the other's offer of this round."""


@dataclass(frozen=True, slots=True)
class Alternation(Generic[Offer]):
    """How alternating offers went: the deal, or None, and all offers. Its value to a party is discounted by rounds."""

    deal: Offer | None
    trace: tuple[Offer, ...]

    @property
    def rounds(self) -> int:
        """Offers made."""
        return len(self.trace)

    @property
    def messages(self) -> int:
        """Offers, and the answer to the last one; a counter-offer answers those before."""
        return len(self.trace) + 1


def alternate(
    first: AlternatingParty[Offer], second: AlternatingParty[Offer], *, rounds_max: int
) -> Alternation[Offer]:
    """Play alternating offers for at most `rounds_max` rounds; without an accepted offer there is no deal.

    Raises ValueError unless rounds_max >= 1.
    """
    if rounds_max < 1:
        raise ValueError(f"rounds_max is at least 1, not {rounds_max}")
    parties = (first, second)
    trace: list[Offer] = []
    for round_ in range(1, rounds_max + 1):
        offer = parties[proposer(round_)].propose(round_)
        trace.append(offer)
        if parties[1 - proposer(round_)].accepts(offer, round_):
            return Alternation(offer, tuple(trace))
    return Alternation(None, tuple(trace))


def proposer(round_: int) -> int:
    """The party whose turn it is: 0 in round 1."""
    return (round_ - 1) % 2


def proposer_share(discounts: Discounts, horizon: int | None = None) -> Fraction:
    """The share of a pie that the proposer of round 1 (party 0) keeps in the subgame-perfect equilibrium.

    Infinite horizon (None): (1 - d1) / (1 - d0·d1) (Rubinstein 1982). With `horizon` rounds the last proposer takes
    all, and before that each one keeps what the other does not get by waiting: 1 - d·(share of the next round's
    proposer), d being the responder's discount (Ståhl 1972); here as the sum of that series. The fraction is that of
    the discounts as given, so a float counts as the binary fraction that it is.

    Raises ValueError for discounts outside 0..1, a horizon below 1, and two patient parties (1, 1) without a horizon:
    every division of the pie is then an equilibrium.
    """
    own, others = _checked(discounts)
    both = own * others
    if horizon is None:
        if both == 1:
            raise ValueError("two parties who lose nothing by waiting for ever have no determined share")
        return (1 - others) / (1 - both)
    if horizon < 1:
        raise ValueError(f"a horizon is at least 1 round, not {horizon}")
    # Two rounds more add 1 - d1 in front and shrink what follows by d0·d1; an odd last round is party 0's own.
    pairs, odd = divmod(horizon, 2)
    left = both**pairs
    series = Fraction(pairs) if both == 1 else (1 - left) / (1 - both)
    return (1 - others) * series + odd * left


class PieSplitter:
    """The subgame-perfect strategy over a pie of size 1. An offer is party 0's share.

    It accepts what is worth at least as much as its own next offer, one round later; at the horizon it takes anything.
    Raises ValueError as `proposer_share` does.
    """

    def __init__(self, side: int, discounts: Discounts, horizon: int | None = None) -> None:
        proposer_share(discounts, horizon)
        self._side = side
        self._discounts = _checked(discounts)
        self._horizon = horizon

    def propose(self, round_: int) -> Fraction:
        """Keep the equilibrium share of this round's proposer."""
        kept = self._kept(round_)
        return kept if proposer(round_) == 0 else 1 - kept

    def accepts(self, offer: Fraction, round_: int) -> bool:
        """Whether waiting is worth no more."""
        own = offer if self._side == 0 else 1 - offer
        if round_ == self._horizon:
            return own >= 0
        return own >= self._discounts[self._side] * self._kept(round_ + 1)

    def _kept(self, round_: int) -> Fraction:
        left = None if self._horizon is None else self._horizon - round_ + 1
        first = proposer(round_)
        return proposer_share((self._discounts[first], self._discounts[1 - first]), left)


class OutcomeSplitter:
    """The strategy of PieSplitter where outcomes are what is offered: the frontier divides a pie, as prices do.

    It offers the outcome that is best for itself among those that leave the other its equilibrium share, so that a
    coarse domain costs the proposer at most the step from one outcome to the next.

    Raises ValueError as PieSplitter does, when the negotiation set is empty, and when the frontier has fewer than two
    outcomes or does not lie on one straight line: then there is no pie (OutcomeAlternator needs none).
    """

    def __init__(self, domain: Domain, side: int, discounts: Discounts, horizon: int | None = None) -> None:
        self._pie = PieSplitter(side, discounts, horizon)
        self._side = side
        self._order = domain.order(side)
        self._own_gains = domain.gains[side]
        self._whole = _pies(domain)[side]
        self._rising = [-self._share(outcome) for outcome in self._order]

    def propose(self, round_: int) -> int:
        """The equilibrium's offer of the round, rounded in the other's favour."""
        kept = self._own(self._pie.propose(round_))
        return self._order[min(bisect_left(self._rising, -kept), len(self._order) - 1)]

    def accepts(self, offer: int, round_: int) -> bool:
        """Whether waiting is worth no more."""
        return self._pie.accepts(self._own(self._share(offer)), round_)

    def _share(self, outcome: int) -> Fraction:
        return self._own_gains[outcome] / self._whole

    def _own(self, share: Fraction) -> Fraction:
        """Party 0's share as this party's, and back."""
        return share if self._side == 0 else 1 - share


def _pies(domain: Domain) -> tuple[Fraction, Fraction]:
    """What the whole pie gains each party, in its own scale: where the frontier's line meets the axes."""
    line = [(Fraction(domain.gains[0][outcome]), Fraction(domain.gains[1][outcome])) for outcome in domain.frontier]
    if len(line) < 2:
        raise ValueError(f"a frontier of {len(line)} outcomes says nothing of how large the pie is")
    (x, y), (x_end, y_end) = line[0], line[-1]
    area = x * y_end - x_end * y
    pies = area / (y_end - y), area / (x - x_end)
    if any(x / pies[0] + y / pies[1] != 1 for x, y in line):
        raise ValueError("the frontier is no straight line: what one loses the other does not gain")
    return pies


class OutcomeAlternator:
    """The subgame-perfect strategy of alternating offers over a domain's outcomes, by backward induction.

    A proposer offers, of the frontier, what is best for itself among what is worth at least as much to the other as
    the next round's offer, discounted. No deal gains 0. With a horizon that is exact. Without one it plays a stationary
    equilibrium: a pair of offers of which each is the answer to the other. A coarse domain has many of them, and with
    little discounting almost every deal is one (van Damme, Selten & Winter 1990). Of these it plays the one whose first
    offer has the greatest product of gains, weighted by the discounts as in the limit of short rounds: a patient party
    counts more (Binmore, Rubinstein & Wolinsky 1986).

    Raises ValueError for discounts outside 0..1, a horizon below 1, or an empty negotiation set.
    """

    def __init__(self, domain: Domain, side: int, discounts: Discounts, horizon: int | None = None) -> None:
        self._gains = domain.gains[side]
        self._discount = _checked(discounts)[side]
        self._horizon = horizon
        self._plan = offers_by_round(domain, discounts, horizon)

    def propose(self, round_: int) -> int:
        """The equilibrium's offer of the round."""
        return self._plan[(round_ - 1) % len(self._plan)]

    def accepts(self, offer: int, round_: int) -> bool:
        """Whether waiting for the own next offer is worth no more."""
        if round_ == self._horizon:
            return self._gains[offer] >= 0
        return self._gains[offer] >= self._discount * self._gains[self.propose(round_ + 1)]


def offers_by_round(domain: Domain, discounts: Discounts, horizon: int | None) -> list[int]:
    """The equilibrium's offers of rounds 1 to `horizon`; without a horizon, of an odd round and of an even one.

    Raises ValueError as OutcomeAlternator does.
    """
    if horizon is not None and horizon < 1:
        raise ValueError(f"a horizon is at least 1 round, not {horizon}")
    checked = _checked(discounts)
    replies = tuple(_Replies(domain, side, checked[1 - side]) for side in (0, 1))
    if horizon is None:
        return _stationary(domain, replies, _weights(checked))
    offer = replies[proposer(horizon)].best
    offers = [offer]
    for round_ in range(horizon - 1, 0, -1):
        offer = replies[proposer(round_)].before(offer)
        offers.append(offer)
    return offers[::-1]


class _Replies:
    """What `side` offers in the round before a given offer. The other's gains rise along the side's order."""

    def __init__(self, domain: Domain, side: int, others_discount: Fraction) -> None:
        self._order = domain.order(side)
        self._others = domain.gains[1 - side]
        self._rising: list[Exact] = [self._others[outcome] for outcome in self._order]
        self._discount = others_discount
        self.best = self._order[0]

    def before(self, offer: int) -> int:
        return self._order[bisect_left(self._rising, self._discount * self._others[offer])]


def _stationary(domain: Domain, replies: Sequence[_Replies], weights: tuple[float, float]) -> list[int]:
    """The chosen one of all stationary pairs. There is one: an answer moves the same way along the frontier as the
    offer that it answers, so that a walk from either end goes in one direction and comes to rest."""
    first, second = replies

    def weighted(pair: list[int]) -> float:
        return sum(weight * _log(domain.gains[side][pair[0]]) for side, weight in enumerate(weights) if weight)

    pairs = [[mine, second.before(mine)] for mine in domain.frontier]
    return max((pair for pair in pairs if first.before(pair[1]) == pair[0]), key=weighted)


def _weights(discounts: tuple[Fraction, Fraction]) -> tuple[float, float]:
    """How much each party's gain counts, by the other's impatience; equal for two patient ones."""
    # Where a party loses everything by waiting there is one equilibrium only: any number will do.
    impatience = [1.0 if discount == 0 else -_log(discount) for discount in discounts]
    return (impatience[1], impatience[0]) if any(impatience) else (1.0, 1.0)


def _log(number: Exact) -> float:
    """The natural logarithm, also of numbers beyond a float; minus infinity of 0."""
    numerator, denominator = number.as_integer_ratio()
    return -math.inf if numerator == 0 else math.log(numerator) - math.log(denominator)


def _checked(discounts: Discounts) -> tuple[Fraction, Fraction]:
    bound = "a discount is between 0 and 1"
    first, second = (Fraction(*ratio(discount, bound)) for discount in discounts)
    if not (0 <= first <= 1 and 0 <= second <= 1):
        raise ValueError(f"{bound}, both of {discounts}")
    return first, second
