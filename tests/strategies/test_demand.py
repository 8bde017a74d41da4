"""How many tokens are ordered: the forecast, what is added to it and taken off, and when it is not worth a command."""

from __future__ import annotations

import random
import statistics

import pytest

from contractnet.strategies.demand import Demand, Need, affordable_tokens, is_worth_replacing, price_of

NONE = Need(waiting=0, debt=0, held=0, forecast=0, waited_ms=0, now_ms=0)


def test_nothing_known_is_nothing_ahead() -> None:
    """The first order is what waits, and the debt."""
    assert Demand().order_tokens(NONE, 1.0) == 0
    assert Demand().order_tokens(Need(700, 30, 0, 0, 0, 0), 1.0) == 730


def test_steady_use_is_ordered_once_an_interval() -> None:
    """Right after a clearing, which brought an interval's use, and right before the next: the same size, so that the
    order stands."""
    demand = Demand()
    for _ in range(50):
        demand.observe(1_000)
    after, before = Need(0, 0, 1_000, 0, 0, 0), Need(0, 0, 0, 0, 0, 0)
    assert demand.order_tokens(after, 1.0) == demand.order_tokens(before, 0.0) == 1_000


def test_mean_and_deviation_are_those_of_what_was_seen() -> None:
    """With a long memory they come near the sample's; with a short one they follow a change."""
    dice = random.Random(3)
    sample = [round(dice.gauss(1_000, 200)) for _ in range(20_000)]
    long, short = Demand(memory=2_000), Demand(memory=2)
    for tokens in sample:
        long.observe(tokens)
        short.observe(tokens)
    assert long.mean == pytest.approx(statistics.mean(sample), rel=0.02)
    assert long.deviation == pytest.approx(statistics.pstdev(sample), rel=0.1)
    for _ in range(10):
        short.observe(0)
        long.observe(0)
    assert short.mean < 10
    assert long.mean > 900


def test_the_first_interval_counts_in_full() -> None:
    """Nothing was known before it."""
    demand = Demand()
    demand.observe(1_000)
    assert (demand.mean, demand.deviation) == (1_000, 0)


def test_use_that_varies_is_ordered_with_a_margin() -> None:
    """So many standard deviations of an interval's use."""
    demand = Demand()
    for tokens in (0, 2_000) * 50:
        demand.observe(tokens)
    bare, careful = (demand.order_tokens(NONE, 0.0, margin) for margin in (0.0, 2.0))
    assert demand.deviation > 500
    assert careful - bare == pytest.approx(2 * demand.deviation, abs=1)


def test_more_held_than_needed_orders_nothing() -> None:
    demand = Demand()
    demand.observe(100)
    assert demand.order_tokens(Need(0, 0, 10_000, 0, 0, 0), 1.0) == 0


@pytest.mark.parametrize(
    ("ordered", "wanted", "replace"),
    [(0, 0, False), (0, 1, True), (1, 0, True), (100, 119, False), (100, 81, False), (100, 126, True), (100, 79, True)],
)
def test_small_changes_are_not_worth_a_command(ordered: int, wanted: int, replace: bool) -> None:
    assert is_worth_replacing(ordered, wanted) is replace


def test_what_can_be_paid() -> None:
    """All of it at the limit costs no more than is there, and one token more does."""
    assert affordable_tokens(500, 5_000) == 100
    assert affordable_tokens(0, 1) == affordable_tokens(-5, 1) == 0
    for ucr, limit in ((1, 3), (999, 7), (10**12, 333)):
        tokens = affordable_tokens(ucr, limit)
        assert tokens * limit <= ucr * 1_000 < (tokens + 1) * limit
    with pytest.raises(ValueError, match="at least 1"):
        affordable_tokens(1, 0)


def test_a_price_is_a_number_or_a_function() -> None:
    assert price_of(7, NONE) == 7
    assert price_of(lambda need: need.waiting + 1, NONE) == 1
    assert price_of(lambda _: None, NONE) is None


def test_a_memory_is_positive() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Demand(0)
