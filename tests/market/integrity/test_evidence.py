"""Wealth does not grow on average while the null hypothesis holds, and e-BH rejects what it should."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.integrity.evidence import ONE, PPM, WEALTH_MAX, EProcess, discoveries, mean

FAIR = {0: [700_000, 50_000], 1: [1_900_000, 3_850_000]}
"""By the outcome: two bets on something that happens once in four times; both have an expectation of 1."""
CHANCE = Fraction(1, 4)


def test_nothing_seen_is_no_evidence() -> None:
    """The e-value of a new one is 1."""
    assert EProcess.of(3).value == ONE


@pytest.mark.parametrize("spacing", [1, 2, 5, 100])
def test_the_expectation_under_the_null_is_one_and_never_more(spacing: int) -> None:
    """Over all courses of ten observations, each with its exact probability, and at each of their stages: what is lost
    to rounding is less than a millionth of a millionth."""
    for length in (1, 4, 10):
        expected = Fraction(0)
        for course in product((0, 1), repeat=length):
            process = EProcess.of(2)
            for outcome in course:
                process.observe(FAIR[outcome], spacing)
            happened = sum(course)
            expected += CHANCE**happened * (1 - CHANCE) ** (length - happened) * Fraction(process.value, ONE)
        assert 1 - Fraction(1, 10**12) < expected <= 1


def test_wealth_grows_where_the_null_is_wrong_and_is_bounded() -> None:
    """It doubles each time, up to the limit, and stays there."""
    process = EProcess.of(1)
    values = []
    for _ in range(60):
        process.observe([2 * PPM], 1_000)
        values.append(process.value)
    assert values[9] == 512 * ONE + ONE // 2
    assert values[-1] == values[-2] == WEALTH_MAX + ONE // 2


def test_what_an_honest_past_lost_does_not_hide_a_change() -> None:
    """A thousand losing observations, then winning ones: a new start has it in 27 of them, where one that is never
    begun anew has nothing to show."""
    process, alone = EProcess.of(1), EProcess.of(1)
    for _ in range(1_000):
        process.observe([900_000], 50)
        alone.observe([900_000], 10_000)
    needed = 0
    while process.value < 100 * ONE:
        process.observe([1_500_000], 50)
        alone.observe([1_500_000], 10_000)
        needed += 1
    assert needed == 27
    assert alone.value < ONE


def test_a_bet_may_not_lose_more_than_it_has() -> None:
    """A negative factor is a bug of the caller."""
    with pytest.raises(AssertionError, match="no more than its wealth"):
        EProcess.of(2).observe([PPM, -1], 1)
    with pytest.raises(AssertionError, match="one factor a bet"):
        EProcess.of(2).observe([PPM], 1)


def test_the_mean_of_e_values_is_one() -> None:
    """Rounded down."""
    assert mean([4 * ONE, 2 * ONE, 1]) == 2 * ONE


def names(count: int) -> list[tuple[bytes]]:
    """As many hypotheses."""
    return [(b"%d" % number,) for number in range(count)]


def test_e_bh_by_hand() -> None:
    """Of ten at 5%, one alone needs 200, two 100 each; the third one's 50 is not the 66.7 that three need."""
    first, second, third = names(3)
    assert discoveries({first: 200 * ONE}, 10, 50_000) == [first]
    assert discoveries({first: 200 * ONE - 1}, 10, 50_000) == []
    assert discoveries({first: 100 * ONE, second: 100 * ONE}, 10, 50_000) == [first, second]
    assert discoveries({first: 199 * ONE, second: 99 * ONE, third: 50 * ONE}, 10, 50_000) == []
    assert discoveries({third: 67 * ONE, second: 67 * ONE, first: 67 * ONE}, 10, 50_000) == [first, second, third]
    assert discoveries({}, 10, 50_000) == []


@given(st.lists(st.integers(0, 400), min_size=1, max_size=12), st.integers(0, 20))
def test_e_bh_is_the_largest_set_that_supports_itself(values: list[int], more: int) -> None:
    """Each that is rejected has at least tests / (alpha · rejected), and no larger set has; and where any is, the mean
    over all tests is at least 1/alpha, which is why watching for the first one all the time is sound."""
    by_name = dict(zip(names(len(values)), (value * ONE for value in values), strict=True))
    tests = len(values) + more
    found = discoveries(by_name, tests, 50_000)
    for k in range(len(found) + 1, len(values) + 1):
        assert sum(value * k >= 20 * tests for value in values) < k
    if found:
        assert all(by_name[name] * len(found) >= 20 * tests * ONE for name in found)
        assert sum(by_name.values()) >= 20 * tests * ONE
