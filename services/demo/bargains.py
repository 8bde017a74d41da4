"""How the agents of a run bargain: which prices may be named, which strategy each negotiation is played with, and what
a deal is worth to either side.

Neither knows what a lease is worth to the other. Both know the list prices, and by its protocol and its id how a
negotiation is played: monotonic concession by the clock or by Zeuthen's strategy, or alternating offers.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial

from contractnet.client import Negotiation
from contractnet.client.bargaining import AlternatingStrategy, MonotonicStrategy, Strategy
from contractnet.messages import Issue, NegotiationProtocol, Offer
from contractnet.strategies.bargaining import Domain, OutcomeAlternator, TimeDependent, Zeuthen
from services.demo.demand import SPEEDS

ROUNDS, ROUND_S, STILL_ROUNDS = 9, 0.8, 2
"""Of alternating offers the holder makes the first and, as their number is odd, the last."""
CONCEDED_BY = 5
"""The round by which both have given in entirely, where they concede by the clock."""
PRICES, STEP_UCR = 24, 100_000
"""List prices are multiples of the step for a unit that does an l4's work."""
ZEUTHEN_STRIDE = 2
"""Zeuthen's parties come together by single steps: they name fewer prices, to be done before the lease is over."""
SHAPES = (0.8, 1.5)
"""A holder concedes slowly, a buyer in a hurry: see TimeDependent."""
DISCOUNTS = (0.8, 0.8)
"""What a gain is worth one turn later, to a holder and to a buyer."""
DECLARED = 9
"""What a lease is worth to a buyer, in steps, as both sides take it where a strategy needs the gains of both; to the
holder it is worth nothing then. What it is really worth is each side's own."""
HANDOVER = Issue("handover", ("at once", "when idle"))
WITH_ISSUE = 0.4
"""Of the negotiations that holders open, how many are over the handover as well."""
PROTOCOLS = (NegotiationProtocol.MONOTONIC, NegotiationProtocol.MONOTONIC, NegotiationProtocol.ALTERNATING)
BY_CLOCK, ZEUTHEN, ALTERNATING = "by the clock", "by Zeuthen", "alternating"


def style_of(negotiation: Negotiation) -> str:
    """How both sides play it."""
    if negotiation.terms.protocol is NegotiationProtocol.ALTERNATING:
        return ALTERNATING
    return (BY_CLOCK, ZEUTHEN)[negotiation.id[0] % 2]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a negotiation is opened with."""

    protocol: NegotiationProtocol
    issues: tuple[Issue, ...]
    rounds_max: int
    still_rounds_max: int


def terms_of(rng: random.Random, with_issue: float = WITH_ISSUE) -> Terms:
    """Drawn anew for each."""
    protocol = rng.choice(PROTOCOLS)
    issues = (HANDOVER,) if rng.random() < with_issue else ()
    return Terms(protocol, issues, ROUNDS, STILL_ROUNDS if protocol is NegotiationProtocol.MONOTONIC else 0)


class Bargain:
    """What may be agreed on in a negotiation, and how a side plays it. `offers` are the outcomes, the lowest price
    first; amounts are micro-credits."""

    def __init__(self, style: str, side: int, pool: str, units: int, *, over_issue: bool) -> None:
        self.style = style
        self._side = side
        stride = ZEUTHEN_STRIDE if style == ZEUTHEN else 1
        self._step_ucr = round(STEP_UCR * units * SPEEDS[pool])
        choices: list[tuple[int, ...]] = [(0,), (1,)] if over_issue else [()]
        self.offers = [
            Offer(options, self._step_ucr * n) for n in range(stride, PRICES + 1, stride) for options in choices
        ]
        self.dearest_ucr = self.offers[-1].price_ucr

    @classmethod
    def of(cls, negotiation: Negotiation) -> Bargain:
        """This side's."""
        terms = negotiation.terms
        return cls(style_of(negotiation), negotiation.side, terms.pool, terms.units, over_issue=bool(terms.issues))

    @property
    def least_ucr(self) -> int:
        """What a buyer has to value a lease at, to bargain for it: the lowest price, or what may come of what is
        declared."""
        return self.offers[0].price_ucr if self.style == BY_CLOCK else self._step_ucr * (DECLARED - 3)

    @property
    def most_kept_ucr(self) -> int:
        """What a lease may be worth to its holder, that it answers a claim."""
        return self.dearest_ucr // 2 if self.style == BY_CLOCK else self._step_ucr * DECLARED // 3

    def cap_ucr(self, worth_ucr: int) -> int:
        """The most that a buyer may have to pay."""
        return max(offer.price_ucr for offer in self.offers if offer.price_ucr <= worth_ucr)

    def domain(self, worth_ucr: int = 0, kept_ucr: int = 0) -> Domain:
        """What each outcome gains the holder, to whom the lease is worth `kept_ucr`, and the buyer.

        A holder that concedes by the clock takes the buyer's worth to be above all prices. A handover when the holder
        is idle saves it more than it costs the buyer.
        """
        if self.style != BY_CLOCK:
            worth_ucr, kept_ucr = DECLARED * self._step_ucr, 0
        elif self._side == 0:
            worth_ucr = self.dearest_ucr + self._step_ucr
        idle = [self._step_ucr * sum(offer.options) for offer in self.offers]
        prices = [offer.price_ucr for offer in self.offers]
        return Domain(
            [price + saved - kept_ucr for price, saved in zip(prices, idle, strict=True)],
            [worth_ucr - price - saved // 2 for price, saved in zip(prices, idle, strict=True)],
        )

    def strategy(self) -> Strategy:
        """What this side plays."""
        return self.alternating() if self.style == ALTERNATING else self.conceding()

    def conceding(self) -> MonotonicStrategy:
        """What it plays where both concede."""
        return (
            Zeuthen if self.style == ZEUTHEN else partial(TimeDependent, rounds=CONCEDED_BY, shape=SHAPES[self._side])
        )

    def alternating(self) -> AlternatingStrategy:
        """What it plays in turns."""
        return partial(OutcomeAlternator, discounts=DISCOUNTS)


def claimable_ucr(pool: str, units: int) -> int:
    """What a lease has to be worth to somebody who claims it: enough for every way of playing."""
    return Bargain(ZEUTHEN, 1, pool, units, over_issue=False).least_ucr
