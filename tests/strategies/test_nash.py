"""Zeuthen's strategy ends at the greatest product of gains, on every domain; each step of the way keeps its rules."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.strategies.bargaining import Domain, Negotiation, Zeuthen, negotiate, risk
from tests.strategies.domains import SHAPES, Given, given_of

SEEDS = 50
"""By shape: 14 shapes make 700 domains."""


def play(what: Given) -> tuple[Domain, Negotiation]:
    domain = Domain(what.first, what.second, what.reserves)
    if not domain.frontier:
        return domain, Negotiation(None, ())
    return domain, negotiate(domain, Zeuthen(domain, 0), Zeuthen(domain, 1))


def check_deal(what: Given, played: Negotiation) -> None:
    """The deal has the greatest product, is undominated, and there is none only where nothing is acceptable."""
    best = what.greatest_product()
    if best is None:
        assert played.deal is None
        return
    assert played.deal is not None
    gains = what.exact_gains()
    mine, yours = gains[played.deal]
    assert mine >= 0
    assert yours >= 0
    assert mine * yours == best
    assert not any(m >= mine and y >= yours and (m, y) != (mine, yours) for m, y in gains)


def check_rules(what: Given, played: Negotiation) -> None:
    """The trace, step by step, from the definitions: risks as quotients, concessions by looking at every outcome."""
    gains = what.exact_gains()
    allowed = [outcome for outcome, pair in enumerate(gains) if min(pair) >= 0]

    def risk_of(side: int, own: int, other: int) -> Fraction:
        gain = gains[own][side]
        return Fraction(1) if gain == 0 else (gain - gains[other][side]) / gain

    for before, after in zip(played.trace, played.trace[1:], strict=False):
        risks = [risk_of(side, before[side], before[1 - side]) for side in (0, 1)]
        for side in (0, 1):
            own, other, new = before[side], before[1 - side], after[side]
            assert gains[new][1 - side] >= gains[own][1 - side], "a concession was taken back"
            if risks[side] > risks[1 - side]:
                assert new == own, "the party with the higher risk conceded"
                continue
            assert gains[new][1 - side] > gains[own][1 - side], "the party with the lower or equal risk stood still"
            assert gains[new][side] >= gains[other][side], "it conceded below the other's offer"
            # What suffices, by definition: the other's risk is then the lower one.
            enough = [
                outcome
                for outcome in allowed
                if gains[outcome][side] >= gains[other][side]
                and risk_of(1 - side, other, outcome) < risk_of(side, outcome, other)
            ]
            if enough:
                assert gains[new][side] == max(gains[outcome][side] for outcome in enough), "it conceded too much"
            else:
                assert new == other, "nothing suffices, and it did not agree"


@pytest.mark.parametrize("shape", SHAPES)
def test_the_deal_has_the_greatest_product(shape: str) -> None:
    """50 random domains of each of 14 shapes, 2 to 6,000 outcomes: all of them, exactly."""
    sizes = []
    for seed in range(SEEDS):
        what = given_of(shape, seed)
        domain, played = play(what)
        sizes.append(len(domain))
        check_deal(what, played)
    print(f"{shape}: {SEEDS}/{SEEDS} exact, {min(sizes)} to {max(sizes)} outcomes")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_step_keeps_the_three_rules(shape: str) -> None:
    """Risk, floor and least sufficient concession, recomputed from their definitions on small domains."""
    for seed in range(60):
        rng = random.Random(f"steps {shape} {seed}")
        what = SHAPES[shape](rng, rng.randint(2, 60))
        check_rules(what, play(what)[1])


gain = st.integers(-2, 6) | st.fractions(min_value=-1, max_value=3, max_denominator=4)
pairs = st.lists(st.tuples(gain, gain), min_size=1, max_size=12)


@settings(max_examples=400, deadline=None)
@given(pairs, st.integers(-1, 2), st.integers(-1, 2))
def test_small_domains_with_ties_zeros_and_reserves(utilities: list[tuple[int, int]], mine: int, yours: int) -> None:
    """Domains in which nearly everything is tied."""
    what = Given([pair[0] for pair in utilities], [pair[1] for pair in utilities], (mine, yours))
    played = play(what)[1]
    check_deal(what, played)
    check_rules(what, played)


unit = st.floats(0, 1, allow_subnormal=True)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(unit, unit), min_size=1, max_size=30), unit, unit)
def test_floats_are_compared_exactly(utilities: list[tuple[float, float]], mine: float, yours: float) -> None:
    """Floats count as the binary fractions that they are, subnormal ones included."""
    what = Given([pair[0] for pair in utilities], [pair[1] for pair in utilities], (mine, yours))
    check_deal(what, play(what)[1])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_the_lower_risk_is_the_smaller_product(a: int, b: int, c: int, d: int) -> None:
    """r0 < r1 exactly when U0(own0)·U1(own0) < U0(own1)·U1(own1): Harsanyi's step, while no one agrees."""
    domain = Domain([a, c], [b, d])
    if not (a > c and d > b):
        return
    assert (risk(domain, 0, 0, 1) < risk(domain, 1, 1, 0)) == (domain.product(0) < domain.product(1))


def test_a_split_with_and_without_reserves() -> None:
    """Single issue, split 0..100: 50/50; with reserves .2 and .4 net gains .2 and .2 of the split 40/60."""
    splits = range(101)
    what = Given([*splits], [100 - split for split in splits])
    assert play(what)[1].deal == 50
    what = Given([split / 100 for split in splits], [1 - split / 100 for split in splits], (0.2, 0.4))
    domain, played = play(what)
    assert played.deal == 40
    assert [float(gain) for gain in what.exact_gains()[40]] == pytest.approx([0.2, 0.2])
    assert domain.nash_product() == domain.product(40)


@pytest.mark.parametrize(
    ("tops", "mine", "yours", "deal", "product"),
    [
        ((10, 10), "8/10 2/10", "3/10 7/10", (10, 0), "56/100"),
        ((10, 10), "6/10 4/10", "5/10 5/10", (10, 0), "30/100"),
        ((4, 4, 4), "5/10 3/10 2/10", "2/10 3/10 5/10", (4, 2, 0), "4225/10000"),
    ],
)
def test_opposed_linear_issues(
    tops: tuple[int, ...], mine: str, yours: str, deal: tuple[int, ...], product: str
) -> None:
    """The reference's domains: the deal and its product, exactly."""
    choices: list[tuple[int, ...]] = [*itertools.product(*(range(top + 1) for top in tops))]
    weights = [[Fraction(number) for number in text.split()] for text in (mine, yours)]

    def levels(choice: tuple[int, ...]) -> list[Fraction]:
        return [Fraction(level, top) for level, top in zip(choice, tops, strict=True)]

    what = Given(
        [sum((w * x for w, x in zip(weights[0], levels(c), strict=True)), Fraction(0)) for c in choices],
        [sum((w * (1 - x) for w, x in zip(weights[1], levels(c), strict=True)), Fraction(0)) for c in choices],
    )
    _, played = play(what)
    assert played.deal is not None
    assert choices[played.deal] == deal
    mine_got, yours_got = what.exact_gains()[played.deal]
    assert mine_got * yours_got == Fraction(product)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_frontier_is_what_nothing_dominates(shape: str) -> None:
    """One outcome, the first, for each acceptable pair of gains that no other is as good as for both; in order."""
    for seed in range(20):
        rng = random.Random(f"frontier {shape} {seed}")
        what = SHAPES[shape](rng, rng.randint(2, 40))
        gains = what.exact_gains()
        acceptable = [pair for pair in gains if min(pair) >= 0]
        kept = {
            (mine, yours)
            for mine, yours in acceptable
            if not any(m >= mine and y >= yours and (m, y) != (mine, yours) for m, y in acceptable)
        }
        frontier = Domain(what.first, what.second, what.reserves).frontier
        assert frontier == [gains.index(pair) for pair in sorted(kept, reverse=True)]
