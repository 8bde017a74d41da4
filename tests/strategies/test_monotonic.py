"""The driver of the monotonic concession protocol holds strategies to its rules; plans of concession reach deals."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.errors import BrokenRuleError
from contractnet.strategies.bargaining import (
    Domain,
    FixedStep,
    MonotonicParty,
    OutcomeAlternator,
    OutcomeSplitter,
    Standing,
    TimeDependent,
    Zeuthen,
    negotiate,
)
from tests.strategies.domains import SHAPES, given_of

PIE = Domain([*range(11)], [10 - split for split in range(11)])
"""Outcome n: party 0 gets n, party 1 the rest."""


@dataclass
class Scripted:
    """Makes these offers, and repeats the last one."""

    offers: list[int]
    seen: list[Standing] = field(default_factory=list)

    def propose(self) -> int:
        return self.offers[0]

    def respond(self, standing: Standing) -> int:
        self.seen.append(standing)
        return self.offers[min(standing.round, len(self.offers) - 1)]


def test_offers_are_simultaneous_and_counted() -> None:
    """Each party answers the last round's offers, not this one's; a message is an offer."""
    first, second = Scripted([10, 8, 5]), Scripted([0, 3, 5])
    played = negotiate(PIE, first, second)
    assert (played.deal, played.rounds, played.messages) == (5, 3, 6)
    assert played.trace == ((10, 0), (8, 3), (5, 5))
    assert first.seen == [Standing(10, 0, 1), Standing(8, 3, 2)]
    assert second.seen == [Standing(0, 10, 1), Standing(3, 8, 2)]


def test_nobody_concedes_is_the_conflict_deal() -> None:
    """As published: at once. With patience: after so many rounds in a row."""
    assert negotiate(PIE, Scripted([10]), Scripted([0])).deal is None
    assert negotiate(PIE, Scripted([10]), Scripted([0]), still_rounds_max=4).rounds == 6
    late = Scripted([10, 10, 10, 0])
    assert negotiate(PIE, late, Scripted([0]), still_rounds_max=1).deal is None
    assert negotiate(PIE, late, Scripted([0]), still_rounds_max=2).deal == 0


def test_a_concession_is_not_taken_back() -> None:
    """An offer that is worse for the other than the one before ends the negotiation with an error that names it."""
    with pytest.raises(BrokenRuleError, match="party 0 took back"):
        negotiate(PIE, Scripted([9, 10]), Scripted([0]))
    with pytest.raises(BrokenRuleError, match="party 1 took back"):
        negotiate(PIE, Scripted([10]), Scripted([1, 0]))


@pytest.mark.parametrize("offer", [-1, 2, 3])
def test_offers_come_from_the_negotiation_set(offer: int) -> None:
    """No outcome that is worse than no deal, and none that is not there."""
    domain = Domain([3, 1, 0], [1, 3, 4], (1, 1))
    for parties in ((Scripted([offer]), Zeuthen(domain, 1)), (Zeuthen(domain, 0), Scripted([offer]))):
        with pytest.raises(BrokenRuleError, match="not in the negotiation set"):
            negotiate(domain, *parties)
    with pytest.raises(BrokenRuleError, match="not in the negotiation set"):
        negotiate(domain, Scripted([0, offer]), Zeuthen(domain, 1))


def test_without_a_negotiation_set_nobody_is_asked() -> None:
    """The conflict deal, in 0 rounds; no strategy can be made for such a domain, and each says why."""
    first, second = Scripted([0]), Scripted([1])
    for domain in (Domain([1, 2], [2, 1], (3, 3)), Domain([], []), PIE.only([]), PIE.only([11, -1])):
        played = negotiate(domain, first, second)
        assert (played.deal, played.rounds, played.messages) == (None, 0, 0)
        for party in (
            Zeuthen,
            FixedStep,
            partial(TimeDependent, rounds=3, shape=1),
            partial(OutcomeAlternator, discounts=(0.5, 0.5)),
            partial(OutcomeAlternator, discounts=(0.5, 0.5), horizon=3),
            partial(OutcomeSplitter, discounts=(0.5, 0.5)),
        ):
            for side in (0, 1):
                with pytest.raises(ValueError, match="there is nothing to offer"):
                    party(domain, side)


def test_a_part_of_a_domain_has_a_frontier_of_its_own() -> None:
    """What is dominated only by what is left out is on it; numbers and gains stay, and leaving out adds up."""
    domain = Domain([3, 5, 2, 0, 4], [3, 4, 3, 6, -1])
    part = domain.only([0, 2, 3, 4])
    assert (domain.frontier, part.frontier, part.only([2, 1]).frontier) == ([1, 3], [0, 3], [2])
    assert part.gains == domain.gains
    assert [part.acceptable(outcome) for outcome in range(-1, 6)] == [False, True, False, True, True, False, False]
    assert domain.acceptable(1)
    with pytest.raises(BrokenRuleError, match="not in the negotiation set"):
        negotiate(part, Scripted([1]), Scripted([3]))


def test_where_both_agree_the_greater_product_wins() -> None:
    """Crossing offers: the better one by product; of equal ones the first party's, or a coin's."""
    assert negotiate(PIE, Scripted([10, 4]), Scripted([0, 7])).deal == 4
    assert negotiate(PIE, Scripted([10, 3]), Scripted([0, 6])).deal == 6
    assert negotiate(PIE, Scripted([10, 3]), Scripted([0, 7])).deal == 3
    tossed = {negotiate(PIE, Scripted([10, 3]), Scripted([0, 7]), rng=random.Random(seed)).deal for seed in range(20)}
    assert tossed == {3, 7}


def parties_of(domain: Domain, side: int, rng: random.Random) -> MonotonicParty:
    kind = rng.randrange(3)
    if kind == 0:
        return Zeuthen(domain, side)
    if kind == 1:
        return FixedStep(domain, side, rng.choice((1, 0.3, 0.01)))
    opening = rng.choice((0.0, 0.2, 1.0))
    return TimeDependent(domain, side, rounds=rng.randint(1, 40), shape=rng.choice((0.1, 1.0, 6.0)), opening=opening)


@pytest.mark.parametrize("shape", SHAPES)
def test_any_two_strategies_reach_a_deal_by_the_rules(shape: str) -> None:
    """Zeuthen, fixed steps and the clock, in any mix: no rule is broken, and a deal is found wherever one exists."""
    for seed in range(2, 14):
        rng = random.Random(f"mix {shape} {seed}")
        what = given_of(shape, seed)
        domain = Domain(what.first[:500], what.second[:500], what.reserves)
        if not domain.frontier:
            continue
        played = negotiate(domain, parties_of(domain, 0, rng), parties_of(domain, 1, rng), still_rounds_max=40)
        assert played.deal is not None
        assert domain.acceptable(played.deal)


def test_fixed_steps_concede_in_each_round_and_miss_the_nash_deal() -> None:
    """By steps of .2 of a pie of 10; what a small step leaves unchanged is skipped; and no theorem holds."""
    played = negotiate(PIE, FixedStep(PIE, 0, 0.2), FixedStep(PIE, 1, 0.2))
    assert played.trace == ((10, 0), (8, 2), (6, 4), (4, 6))
    fine = negotiate(PIE, FixedStep(PIE, 0, 0.001), FixedStep(PIE, 1, 0.001))
    assert fine.trace == ((10, 0), (9, 1), (8, 2), (7, 3), (6, 4), (5, 5))
    missed = 0
    for seed in range(2, 32):
        what = given_of("issues", seed)
        domain = Domain(what.first, what.second)
        deal = negotiate(domain, FixedStep(domain, 0), FixedStep(domain, 1)).deal
        assert deal is not None
        missed += domain.product(deal) < domain.nash_product()
    assert missed >= 10


def test_the_clock_decides_who_gets_more() -> None:
    """A Boulware gets more from a Conceder than a Conceder does; against its like it splits evenly."""
    domain = Domain([*range(1_001)], [1_000 - split for split in range(1_001)])

    def deal(mine: float, yours: float) -> int:
        parties = [TimeDependent(domain, side, rounds=50, shape=s) for side, s in enumerate((mine, yours))]
        found = negotiate(domain, *parties, still_rounds_max=50).deal
        assert found is not None
        return found

    assert deal(0.2, 5.0) > 900
    assert deal(5.0, 0.2) < 100
    assert 400 < deal(1.0, 1.0) < 600


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 200), st.floats(0.05, 20), st.floats(0, 1))
def test_the_share_conceded_grows_to_everything(rounds: int, shape: float, opening: float) -> None:
    """From `opening` at round 0 to 1 at the last, never falling; Boulware below the straight line, Conceder above."""
    clock = TimeDependent(PIE, 0, rounds=rounds, shape=shape, opening=opening)
    shares = [clock.conceded(round_) for round_ in range(rounds + 2)]
    assert shares == sorted(shares)
    assert shares[0] == opening
    assert shares[rounds] == shares[rounds + 1] == 1
    for round_, share in enumerate(shares[:-1]):
        straight = opening + (1 - opening) * round_ / rounds
        assert share <= straight + 1e-9 if shape <= 1 else share >= straight - 1e-9


@pytest.mark.parametrize("step", [0, -0.1, 1.1])
def test_steps_that_make_no_sense(step: float) -> None:
    """A step is a share."""
    with pytest.raises(ValueError, match="a step is a share"):
        FixedStep(PIE, 0, step)


def test_domains_that_make_no_sense() -> None:
    """Arrays of different length, and numbers that are none."""
    with pytest.raises(ValueError, match="2 utilities of party 0 and 1 of party 1"):
        Domain([1, 2], [1])
    numbers: list[Any] = [math.nan, math.inf, np.float32("nan"), np.float32("-inf"), np.float16("inf"), Decimal("inf")]
    for number in (*numbers, "7", None, b"7", 1j, np.bool_(True), [1], np.array([1, 2])):
        with pytest.raises(ValueError, match="a finite number"):
            Domain([number], [1])
        with pytest.raises(ValueError, match="a finite number"):
            Domain([1], [1], (0, number))


KINDS = [np.int64, np.int8, np.uint16, np.float64, np.float32, np.float16, Fraction, Decimal]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("array", [np.array, list, tuple])
def test_numbers_of_any_kind_are_what_they_are(kind: Callable[[int], Any], array: Callable[..., Any]) -> None:
    """Arrays, lists and tuples of them give the gains, frontier and deal of plain ints."""
    worth = [7, 5, 2, 0]
    given = [kind(number) for number in worth]
    domain = Domain(array(given), array(given[::-1]), (kind(0), kind(0)))
    plain = Domain(worth, worth[::-1])
    assert (domain.gains, domain.frontier) == (plain.gains, plain.frontier)
    assert {type(gain) for gain in domain.gains[0]} == {int}
    played = [negotiate(what, Zeuthen(what, 0), Zeuthen(what, 1)) for what in (domain, plain)]
    assert played[0] == played[1]


def test_floats_of_numpy_are_exact() -> None:
    """The binary fractions that they are: 0.1 in 32 bits is another number than 0.1 in 64, and more."""
    tenths: list[Any] = [np.float32(0.1), 0.1, Fraction(1, 10)]
    mixed = Domain(tenths, [1, 1, 1])
    assert mixed.gains[0][0] > mixed.gains[0][1] > mixed.gains[0][2]
    assert mixed.frontier == [0]
    # Python's bools are its ints 0 and 1; NumPy's are no numbers, above.
    assert Domain([True, False], [False, True]).gains == ([1, 0], [0, 1])


def test_numbers_beyond_a_float_are_exact() -> None:
    """Ints and Fractions of any size, also as reserves: the pie of 10, a googol to the tenth times as large."""
    huge = 10**1000
    pie = Domain([huge * split for split in range(11)], [Fraction(huge * (10 - split), 3) for split in range(11)])
    assert pie.frontier == PIE.frontier
    assert negotiate(pie, Zeuthen(pie, 0), Zeuthen(pie, 1)).deal == 5
    assert Domain([huge, huge + 1], [1, 1], (huge + 1, 0)).gains[0] == [-1, 0]
    tiny = Domain([Fraction(1, huge), 0], [1, 1])
    assert tiny.gains[0][0] > 0


def test_zeuthen_never_goes_below_what_it_is_offered() -> None:
    """A party that conceded past the middle: 6 would shift the risk, but 7 is on the table, and 7 is taken."""
    assert Zeuthen(PIE, 0).respond(Standing(10, 7, 1)) == 7
    assert Zeuthen(PIE, 1).respond(Standing(0, 3, 1)) == 3
