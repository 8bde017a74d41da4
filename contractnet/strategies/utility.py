"""What one more unit is worth to an agent now, in integer micro-credits, and when it stops bidding.

    worth    = priority weight · urgency · marginal gain      micro-credits, rounded down
    utility  = worth / cost                                   a number without unit: micro-credits per micro-credit

This is `Utility = Priority * Urgency / Cost` with the priority in credits: what is at stake, times how much it matters.
The rule "stop bidding when the cost exceeds the utility" compares like with like: `cost_ucr` with `worth_ucr`, two
integers, so that everybody who recomputes it decides the same. It says the same as utility < 1.

Times are milliseconds of market time. Nothing here reads a clock: the caller passes `now_ms`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from contractnet.messages import Priority

PRIORITY_WEIGHTS: dict[Priority, float] = {
    Priority.UNSPECIFIED: 1.0,
    Priority.LOW: 0.5,
    Priority.NORMAL: 1.0,
    Priority.HIGH: 2.0,
    Priority.CRITICAL: 4.0,
}
"""How many times what a normal task's gain is worth, a gain of this one is. A default: weights are the agent's own."""


def urgency(now_ms: int, deadline_ms: int, *, needed_ms: int, half_life_ms: int, floor: float = 0.0) -> float:
    """How much of a task's worth a unit has now: from `floor` up to 1 as a hard deadline nears, and 0 after it.

    The slack is the time left until the deadline beyond the `needed_ms` of work. Without slack the urgency is 1, and
    each `half_life_ms` of slack halves what is above the floor: floor + (1 - floor) · 2^(-slack / half-life). At the
    deadline it is 0. Work that no longer fits before the deadline keeps 1 until then, as a part of it may still count;
    where it does not, pass a gain of 0.

    What is below 1 is the price that one does not pay because there will be other units: it is a stand-in for the
    value of waiting (docs/strategies.md), not a discount on what the work is worth.

    Raises ValueError unless needed_ms >= 0, half_life_ms > 0 and 0 <= floor <= 1.
    """
    if needed_ms < 0 or half_life_ms <= 0 or not 0 <= floor <= 1:
        raise ValueError("needed_ms is at least 0, half_life_ms above 0, and floor between 0 and 1")
    if now_ms >= deadline_ms:
        return 0.0
    slack_ms = max(0, deadline_ms - now_ms - needed_ms)
    return floor + (1.0 - floor) * math.exp2(-slack_ms / half_life_ms)


def marginal_gain_ucr(gain_ucr: Callable[[int], float], held: int) -> int:
    """What one more unit adds to `held` of them, at full urgency and weight 1: micro-credits, rounded down, at least 0.

    `gain_ucr(n)` is what n units together bring. Bidding the average of several units instead of the gain of one
    more overpays as soon as the curve bends. Raises ValueError when `held` is negative.
    """
    if held < 0:
        raise ValueError(f"one cannot hold {held} units")
    return max(0, math.floor(gain_ucr(held + 1) - gain_ucr(held)))


def amdahl(full_ucr: float, parallel_share: float) -> Callable[[int], float]:
    """A gain curve for `marginal_gain_ucr`: work of which `parallel_share` runs on all units at once (Amdahl 1967).

    `full_ucr` is what unlimited units would bring. n units bring the share of it that is their speed-up,
    1 / ((1 - p) + p / n), over the greatest one, 1 / (1 - p). None bring nothing.

    Raises ValueError unless 0 <= parallel_share < 1: with 1 there is no greatest speed-up.
    """
    if not 0 <= parallel_share < 1:
        raise ValueError(f"a parallel share is at least 0 and below 1, not {parallel_share}")
    serial = 1.0 - parallel_share
    return lambda units: full_ucr * serial / (serial + parallel_share / units) if units > 0 else 0.0


def worth_ucr(gain_ucr: int, priority: Priority | float, urgency: float) -> int:
    """What a unit is worth now: gain · priority weight · urgency, micro-credits, rounded down.

    `priority` is a weight, or one of the market's words for it. Raises ValueError for anything negative.
    """
    weight = PRIORITY_WEIGHTS[priority] if isinstance(priority, Priority) else priority
    if gain_ucr < 0 or weight < 0 or urgency < 0:
        raise ValueError("gain, priority and urgency are not negative")
    return math.floor(gain_ucr * weight * urgency)


def utility(worth_ucr: int, cost_ucr: int) -> float:
    """Worth per cost, micro-credits per micro-credit: above 1 it pays. What costs nothing has an infinite utility, or
    0 where it is worth nothing either.

    It ranks what to buy first when credits are short; `should_stop` decides. Raises ValueError for negative amounts.
    """
    if worth_ucr < 0 or cost_ucr < 0:
        raise ValueError("worth and cost are not negative")
    if cost_ucr == 0:
        return math.inf if worth_ucr > 0 else 0.0
    return worth_ucr / cost_ucr


def should_stop(cost_ucr: int, worth_ucr: int, pace: float = 1.0) -> bool:
    """The stop rule: whether the cost exceeds the utility, so that no bid is made.

    Compared are integer micro-credits: `cost_ucr`, the least that winning costs (the reserve price, or the next price
    of a standing offer), with `paced_ucr(worth_ucr, pace)`. Equal is not more: the agent still bids.
    """
    return cost_ucr > paced_ucr(worth_ucr, pace)


def paced_ucr(worth_ucr: int, pace: float) -> int:
    """What may be paid for something of this worth when a credit is worth `pace` >= 1: worth / pace, rounded down.

    Raises ValueError when pace is below 1.
    """
    if not pace >= 1:
        raise ValueError(f"a pace is at least 1, not {pace}")
    return worth_ucr if pace == 1 else math.floor(worth_ucr / pace)
