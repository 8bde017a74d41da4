"""Worth, urgency, marginal gain and the stop rule: amounts in micro-credits, times in milliseconds."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet import credits
from contractnet.messages import Priority
from contractnet.strategies import (
    PRIORITY_WEIGHTS,
    amdahl,
    marginal_gain_ucr,
    paced_ucr,
    should_stop,
    urgency,
    utility,
    worth_ucr,
)

times = st.integers(0, 10**9)
amounts = st.integers(0, 10**15)


@settings(max_examples=300, deadline=None)
@given(times, times, st.integers(1, 10**8), st.integers(0, 10**8), st.integers(1, 10**8), st.floats(0, 1))
def test_urgency_rises_until_the_deadline(
    now: int, later: int, left: int, needed: int, half_life: int, floor: float
) -> None:
    """Monotone in time up to a hard deadline, between the floor and 1, and 0 from the deadline on."""
    now, later = sorted((now, later))
    deadline = later + left
    early, late = (urgency(at, deadline, needed_ms=needed, half_life_ms=half_life, floor=floor) for at in (now, later))
    assert floor <= early <= late <= 1
    for at in (deadline, deadline + 1, deadline + left):
        assert urgency(at, deadline, needed_ms=needed, half_life_ms=half_life, floor=floor) == 0


def test_a_half_life_of_slack_halves_urgency() -> None:
    """1 without slack, a half, a quarter; a floor keeps its part; work that no longer fits stays at 1."""
    at = {slack: urgency(0, 500 + slack, needed_ms=500, half_life_ms=100) for slack in (-400, 0, 100, 200)}
    assert at == {-400: 1, 0: 1, 100: 0.5, 200: 0.25}
    assert urgency(0, 600, needed_ms=500, half_life_ms=100, floor=0.2) == pytest.approx(0.6)


@pytest.mark.parametrize(("needed", "half_life", "floor"), [(-1, 1, 0), (0, 0, 0), (0, 1, -0.1), (0, 1, 1.1)])
def test_urgencies_that_make_no_sense(needed: int, half_life: int, floor: float) -> None:
    """Negative work, no half-life, a floor that is no share."""
    with pytest.raises(ValueError, match="half_life_ms above 0"):
        urgency(0, 1, needed_ms=needed, half_life_ms=half_life, floor=floor)


def test_worth_by_priority() -> None:
    """A gain of 3 credits at half urgency: 1.5 credits for a normal task, by weight for others."""
    gain = credits(3)
    assert {p: worth_ucr(gain, p, 0.5) for p in Priority} == {
        Priority.UNSPECIFIED: 1_500_000,
        Priority.LOW: 750_000,
        Priority.NORMAL: 1_500_000,
        Priority.HIGH: 3_000_000,
        Priority.CRITICAL: 6_000_000,
    }
    assert set(PRIORITY_WEIGHTS) == set(Priority)
    assert worth_ucr(gain, 0.1, 1.0) == 300_000
    assert worth_ucr(7, 1.0, 0.5) == 3, "rounded down"
    for numbers in ((-1, 1.0, 1.0), (1, -1.0, 1.0), (1, 1.0, -1.0)):
        with pytest.raises(ValueError, match="not negative"):
            worth_ucr(*numbers)


@settings(max_examples=300, deadline=None)
@given(amounts, amounts, st.floats(1, 1e6))
def test_the_stop_rule_compares_micro_credits(cost: int, worth: int, pace: float) -> None:
    """Stop exactly when the cost exceeds the worth, which is when the utility is below 1; equal is not more."""
    assert should_stop(cost, worth) == (cost > worth)
    if cost:
        assert should_stop(cost, worth) == (Fraction(worth, cost) < 1)
        assert utility(worth, cost) == pytest.approx(worth / cost)
    assert not should_stop(worth, worth)
    assert should_stop(worth + 1, worth)
    # With a pace the same rule, for credits that are worth more than their face.
    assert should_stop(cost, worth, pace) == (cost > paced_ucr(worth, pace))
    assert paced_ucr(worth, pace) <= worth


def test_utility_of_what_costs_nothing() -> None:
    """Infinite where there is a worth, else 0; negative amounts and paces below 1 are refused."""
    assert utility(1, 0) == math.inf
    assert utility(0, 0) == 0
    for amounts_ in ((-1, 1), (1, -1)):
        with pytest.raises(ValueError, match="not negative"):
            utility(*amounts_)
    for pace in (0.99, math.nan):
        with pytest.raises(ValueError, match="at least 1"):
            paced_ucr(1, pace)


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 0.99), st.integers(1, 10**12))
def test_marginal_gains_of_amdahls_curve(parallel: float, full: int) -> None:
    """They fall from unit to unit (rounding aside), are never negative, and add up to at most what there is."""
    curve = amdahl(full, parallel)
    gains = [marginal_gain_ucr(curve, held) for held in range(30)]
    slack = 1 + full * 1e-12
    assert all(later <= earlier + slack for earlier, later in itertools.pairwise(gains))
    assert min(gains) >= 0
    assert sum(gains) <= full * (1 + 1e-9)
    assert curve(0) == 0
    assert gains[0] == pytest.approx(full * (1 - parallel), abs=1)


def test_marginal_gains_that_make_no_sense() -> None:
    """Fewer than no units; work that is parallel throughout."""
    assert marginal_gain_ucr(lambda units: 100.0 - units, 3) == 0
    with pytest.raises(ValueError, match="cannot hold"):
        marginal_gain_ucr(float, -1)
    with pytest.raises(ValueError, match="parallel share"):
        amdahl(1.0, 1.0)
