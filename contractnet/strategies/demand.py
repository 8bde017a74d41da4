"""How many tokens to order at the next clearing, from what was used lately and what waits. Pure.

Exponentially weighted mean and variance of a stream of counts: Finch (2009), "Incremental calculation of weighted mean
and variance", section 9. One observation an interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

PRICE_TOKENS = 1_000
"""Prices are micro-credits for so many tokens."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a wallet knows when it orders; all but the last two are tokens.

    `waiting` is what callers wait for, `debt` what was used beyond what was granted, `held` what may still be spent,
    `forecast` the mean use of an interval. `waited_ms` is how long the first caller has waited, `now_ms` market time.
    """

    waiting: int
    debt: int
    held: int
    forecast: int
    waited_ms: int
    now_ms: int


Price = int | Callable[[Need], "int | None"]
"""What 1,000 tokens are worth, micro-credits: a number, or a function of the need, with None for no order."""


def price_of(price: Price, need: Need) -> int | None:
    """The limit of an order: micro-credits for 1,000 tokens, None for no order."""
    return price if isinstance(price, int) else price(need)


class Demand:
    """A forecast of use: `memory` is the number of intervals after which an observation weighs 1/e of its first weight.

    Raises ValueError unless memory > 0.
    """

    def __init__(self, memory: float = 8.0) -> None:
        if not memory > 0:
            raise ValueError(f"a memory is a number of intervals above 0, not {memory}")
        self._weight = -math.expm1(-1 / memory)
        self._mean = 0.0
        self._variance = 0.0
        self._seen = False

    def observe(self, tokens: int) -> None:
        """What was handed out and used in one interval. The first one counts in full: before it nothing is known."""
        weight = self._weight if self._seen else 1.0
        self._seen = True
        step = tokens - self._mean
        self._mean += weight * step
        self._variance = (1 - weight) * (self._variance + weight * step * step)

    @property
    def mean(self) -> float:
        """Tokens an interval."""
        return self._mean

    @property
    def deviation(self) -> float:
        """Standard deviation of the tokens of an interval."""
        return math.sqrt(self._variance)

    def order_tokens(self, need: Need, until_clearing: float, margin: float = 1.0) -> int:
        """The size of a standing order, tokens an interval, so that what is held lasts until the clearing after next.

        What waits, the debt, the mean use of one interval and of what is left of this one (`until_clearing`, 0 to 1),
        and `margin` standard deviations of an interval's use, less what is held; at least 0.
        """
        ahead = math.ceil(self._mean * (1 + until_clearing) + margin * self.deviation)
        return max(0, need.waiting + need.debt + ahead - need.held)


def affordable_tokens(available_ucr: int, limit_per_1000_ucr: int) -> int:
    """How many tokens so many micro-credits pay at the limit: a clearing passes an order by that asks for more.

    Raises ValueError unless the limit is at least 1.
    """
    if limit_per_1000_ucr < 1:
        raise ValueError(f"a limit is at least 1 micro-credit for {PRICE_TOKENS} tokens, not {limit_per_1000_ucr}")
    return max(0, available_ucr) * PRICE_TOKENS // limit_per_1000_ucr


def is_worth_replacing(ordered: int, wanted: int, slack: float = 0.2) -> bool:
    """Whether another size is far enough from the standing one to be worth a command: from nothing or to nothing, or by
    more than `slack` of the larger one."""
    if (ordered == 0) != (wanted == 0):
        return True
    return abs(wanted - ordered) > slack * max(ordered, wanted)
