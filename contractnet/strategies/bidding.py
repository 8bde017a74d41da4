"""Bidding strategies: from what a slot is worth to the price that is bid. All amounts are integer micro-credits.

A strategy is any object with the two methods of `BiddingStrategy`. It sees a call and a worth, names a price or
declines, and is told afterwards what became of it. The worth comes from `contractnet.strategies.utility`.

docs/strategies.md says when bidding the worth itself is optimal, and where that ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from contractnet.messages import Pricing
from contractnet.strategies.shading import WinningPrices, uniform_first_price_ucr
from contractnet.strategies.utility import paced_ucr, should_stop


class Call(Protocol):
    """What a strategy looks at in a call for proposals. `contractnet.Cfp` is one."""

    @property
    def reserve_price_ucr(self) -> int:
        """The least price that is considered."""

    @property
    def pricing(self) -> Pricing:
        """How a winner's price is derived."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: `bid_ucr` is the price that the strategy named, None where it declined; `paid_ucr` is 0
    unless that bid won; `winning_ucr` is the highest price that a winner pays, None when nothing was awarded."""

    pricing: Pricing
    bid_ucr: int | None
    paid_ucr: int
    winning_ucr: int | None

    @property
    def won(self) -> bool:
        """Whether the bid won; a win costs at least 1 micro-credit, as a reserve price does."""
        return self.paid_ucr > 0


class BiddingStrategy(Protocol):
    """From worth to price. Bring your own: any object with these two methods will do."""

    def price_ucr(self, call: Call, worth_ucr: int) -> int | None:
        """The price to bid for a slot of this worth, or None for no bid."""

    def observe(self, outcome: Outcome) -> None:
        """Learn how a call ended: once for each call that `price_ucr` was asked about, also where no bid was made."""


class Truthful:
    """Bids the worth: optimal under SECOND without a budget that binds; under FIRST it wins and gains nothing."""

    def price_ucr(self, call: Call, worth_ucr: int) -> int | None:
        """The worth, unless the reserve price exceeds it."""
        return None if should_stop(call.reserve_price_ucr, worth_ucr) else worth_ucr

    def observe(self, outcome: Outcome) -> None:
        """Nothing to learn: the best bid does not depend on what others do."""


class Pacer:
    """The price of a credit: `pace` >= 1, higher while spending runs ahead of the budget (Balseiro & Gur 2019).

    Adaptive pacing, "Learning in repeated auctions with budgets: regret minimization and equilibrium", Management
    Science 65(9): bid value / (1 + μ) and, after each auction, μ ← clip(μ - ε·(target - spent)) for values up to 1.
    Here pace = 1 + μ, between 1 and `pace_max`, and amounts count relative to the highest price named so far. Two
    things differ: the target is what is left per round left, and not the first one for ever, so that credits saved
    early are spent later; and ε = `step` is 3·rounds^(-1/2), the paper's order, the factor measured
    (docs/strategies.md).

    A price that is named is set aside until its outcome is observed, so that no number of bids at once can spend more
    than `budget_ucr`. `left_ucr` is what is neither paid nor set aside.

    A round is one outcome observed. After `rounds` of them all that is left is for the next one; begin a new window
    with a new Pacer and the old `pace`.

    Raises ValueError unless budget_ucr >= 1, rounds >= 1 and 1 <= pace <= pace_max.
    """

    def __init__(
        self, budget_ucr: int, rounds: int, *, pace: float = 1.0, pace_max: float = 1e6, step: float | None = None
    ) -> None:
        if budget_ucr < 1 or rounds < 1 or not 1 <= pace <= pace_max:
            raise ValueError("a pacer needs a budget and rounds of at least 1, and a pace between 1 and pace_max")
        self.left_ucr = budget_ucr
        self.pace = pace
        self._pace_max = pace_max
        self._step = 3 / math.sqrt(rounds) if step is None else step
        self._rounds_left = rounds
        self._set_aside_ucr = 0
        self._highest_ucr = 1

    def set_aside(self, price_ucr: int) -> None:
        """Keep the most that a bid may cost. Raises ValueError when that is more than is left."""
        if not 0 <= price_ucr <= self.left_ucr:
            raise ValueError(f"{price_ucr} of {self.left_ucr} micro-credits cannot be set aside")
        self.left_ucr -= price_ucr
        self._set_aside_ucr += price_ucr
        self._highest_ucr = max(self._highest_ucr, price_ucr)

    def settle(self, price_ucr: int, paid_ucr: int) -> None:
        """End a round: of a price that was set aside give back what was not paid, and move the pace.

        Raises ValueError when more is paid than the price, or more settled than was set aside.
        """
        if not 0 <= paid_ucr <= price_ucr <= self._set_aside_ucr:
            raise ValueError(
                f"{paid_ucr} micro-credits paid for a price of {price_ucr}, {self._set_aside_ucr} set aside"
            )
        target_ucr = (self.left_ucr + self._set_aside_ucr) / self._rounds_left
        self.left_ucr += price_ucr - paid_ucr
        self._set_aside_ucr -= price_ucr
        self._rounds_left = max(1, self._rounds_left - 1)
        moved = self.pace - self._step * (target_ucr - paid_ucr) / self._highest_ucr
        self.pace = min(self._pace_max, max(1.0, moved))


class Paced:
    """The default strategy. Under SECOND it bids worth / λ, λ from its Pacer: truthful while the budget does not bind.
    Under FIRST it shades that further: by the winning prices that it has seen, and at first as if `bidders` with
    worths spread evenly from 0 were bidding. It never bids more than is left of the budget."""

    def __init__(self, pacer: Pacer, *, bidders: int = 5, prices: WinningPrices | None = None) -> None:
        self.pacer = pacer
        self._bidders = bidders
        self._prices = WinningPrices() if prices is None else prices

    def price_ucr(self, call: Call, worth_ucr: int) -> int | None:
        """The paced and, under FIRST, shaded worth; None where the reserve price exceeds the paced worth or what is
        left."""
        worth_ucr = paced_ucr(worth_ucr, self.pacer.pace)
        reserve_ucr = call.reserve_price_ucr
        if should_stop(reserve_ucr, min(worth_ucr, self.pacer.left_ucr)):
            return None
        price_ucr = worth_ucr
        if call.pricing is Pricing.FIRST:
            learned_ucr = self._prices.best_bid_ucr(worth_ucr, reserve_ucr)
            if learned_ucr is None:
                learned_ucr = uniform_first_price_ucr(worth_ucr, self._bidders, reserve_ucr)
            price_ucr = learned_ucr
        price_ucr = min(price_ucr, self.pacer.left_ucr)
        self.pacer.set_aside(price_ucr)
        return price_ucr

    def observe(self, outcome: Outcome) -> None:
        """Settle the price, move the pace, and under FIRST remember what won."""
        self.pacer.settle(outcome.bid_ucr or 0, outcome.paid_ucr)
        # An own bid and no award at all: the others' highest bid did not show.
        if outcome.pricing is Pricing.FIRST and (outcome.winning_ucr is not None or outcome.bid_ucr is None):
            self._prices.add(outcome.winning_ucr or 0, own=outcome.won)
