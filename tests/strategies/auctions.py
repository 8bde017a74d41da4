"""Repeated auctions in memory, by the market's prices: the highest bid wins; SECOND pays the highest other one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from contractnet import credits
from contractnet.messages import Pricing
from contractnet.strategies import BiddingStrategy, Outcome

TOP_UCR = credits(10)
RESERVE_UCR = 1_000


@dataclass(frozen=True)
class OneCall:
    """A call as far as strategies look at it."""

    pricing: Pricing
    reserve_price_ucr: int = RESERVE_UCR


@dataclass
class Book:
    """What a bidder has had."""

    spent_ucr: int = 0
    worth_won_ucr: int = 0
    payments: list[tuple[int, int]] = field(default_factory=list)
    """Round and price of each win."""

    @property
    def surplus_ucr(self) -> int:
        return self.worth_won_ucr - self.spent_ucr

    def spent_until(self, round_: int) -> int:
        return sum(price_ucr for at, price_ucr in self.payments if at < round_)


def uniform(rng: random.Random) -> int:
    """A private worth, from 0 to 10 credits."""
    return rng.randint(0, TOP_UCR)


def run(
    strategies: Sequence[BiddingStrategy],
    pricing: Pricing,
    rounds: int,
    seed: int,
    worth: Callable[[random.Random], int] = uniform,
) -> list[Book]:
    """Everybody draws a worth and bids in each round; ties go to a random one."""
    rng = random.Random(seed)
    books = [Book() for _ in strategies]
    call = OneCall(pricing)
    for round_ in range(rounds):
        worths = [worth(rng) for _ in strategies]
        bids = [strategy.price_ucr(call, worth) for strategy, worth in zip(strategies, worths, strict=True)]
        ranking = sorted(((bid, rng.random(), i) for i, bid in enumerate(bids) if bid is not None), reverse=True)
        winner, price_ucr = -1, 0
        if ranking:
            winner = ranking[0][2]
            second_ucr = max(ranking[1][0] if len(ranking) > 1 else 0, call.reserve_price_ucr)
            price_ucr = ranking[0][0] if pricing is Pricing.FIRST else second_ucr
            book = books[winner]
            book.spent_ucr += price_ucr
            book.worth_won_ucr += worths[winner]
            book.payments.append((round_, price_ucr))
        for i, strategy in enumerate(strategies):
            paid_ucr = price_ucr if i == winner else 0
            strategy.observe(Outcome(pricing, bids[i], paid_ucr, price_ucr if ranking else None))
    return books
