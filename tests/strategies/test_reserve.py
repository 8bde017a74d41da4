"""A reserve by opportunity cost: the threshold's values, that nobody changes what it meets where it is said who may
bid, and what a low bidder gains where everybody may.

`pytest -s tests/strategies/test_reserve.py` prints what it found.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contractnet.strategies import OpportunityReserve, PricedOffer, TwoHalves, threshold_ucr

offers = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 10_000)), min_size=4, max_size=60)
shares = st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0])


def learned(made: list[tuple[str, int]], **terms: float) -> OpportunityReserve:
    """What has seen these offers."""
    reserve = OpportunityReserve(**terms)  # type: ignore[arg-type]
    for root, price in made:
        reserve.observe(PricedOffer(root, price))
    return reserve


def test_the_threshold_has_the_values_of_the_paper() -> None:
    """low / e where all is free, high where all is used, low at the share 1 / (1 + ln(high / low))."""
    low, high = 10.0, 10_000.0
    assert threshold_ucr(0.0, low, high) == pytest.approx(low / math.e)
    assert threshold_ucr(1.0, low, high) == pytest.approx(high)
    assert threshold_ucr(1 / (1 + math.log(high / low)), low, high) == pytest.approx(low)
    assert threshold_ucr(0.5, low, low) == pytest.approx(low / math.sqrt(math.e))


@pytest.mark.parametrize("numbers", [(-0.1, 1, 2), (1.1, 1, 2), (0.5, 0, 2), (0.5, 3, 2)])
def test_bounds_that_are_none(numbers: tuple[float, float, float]) -> None:
    """They are refused, by the function and by the object."""
    with pytest.raises(ValueError, match="no threshold"):
        threshold_ucr(*numbers)
    for terms in ({"low": 0.9, "high": 0.1}, {"memory": 0}, {"roots_min": 1}, {"least_ucr": 0}):
        with pytest.raises(ValueError, match="low is below high"):
            OpportunityReserve(**terms)


@given(made=offers, utilization=shares)
def test_it_rises_with_utilization_and_stays_within_what_was_offered(
    made: list[tuple[str, int]], utilization: float
) -> None:
    """Never above the highest offer, never below the least price."""
    reserve = learned(made, roots_min=2, least_ucr=2)
    assert 2 <= reserve.hourly_ucr(0.0) <= reserve.hourly_ucr(utilization) <= reserve.hourly_ucr(1.0)
    assert reserve.hourly_ucr(1.0) <= max(2, *(price for _, price in made))


@given(made=offers, lower=st.lists(st.integers(1, 10_000), max_size=30), utilization=shares)
def test_in_an_open_call_nobody_gets_below_what_the_others_offers_alone_say(
    made: list[tuple[str, int]], lower: list[int], utilization: float
) -> None:
    """Also by so many offers that those of others are more than the memory back."""
    memory = 20
    others = sorted([price for root, price in made if root != "a"][-memory:])
    mine = learned([*made, *(("a", price) for price in lower)], roots_min=2, memory=memory)
    if others and len({root for root, _ in made} | {"a"}) > 1 and ("a" in dict(made) or lower):
        low, high = (others[min(len(others) - 1, int(share * len(others)))] for share in (0.05, 0.95))
        assert mine.hourly_ucr(utilization) >= threshold_ucr(utilization, low, high)


@given(made=offers, bidders=st.sets(st.sampled_from("abcd"), min_size=1, max_size=2), utilization=shares)
def test_no_offer_of_a_root_changes_what_a_call_that_it_may_bid_in_faces(
    made: list[tuple[str, int]], bidders: set[str], utilization: float
) -> None:
    """Whoever may bid may have offered anything, in any order and more than the memory: it is as if they had not."""
    with_theirs = learned(made, roots_min=2, memory=5)
    without = learned([offer for offer in made if offer[0] not in bidders], roots_min=2, memory=5)
    assert with_theirs.knows_enough(bidders) == without.knows_enough(bidders)
    faced = [reserve.hourly_ucr(utilization, bidders=bidders) for reserve in (with_theirs, without)]
    assert faced[0] == faced[1]
    # And what the others have offered does count.
    if without.knows_enough():
        lowest = min(price for root, price in made if root not in bidders)
        assert with_theirs.hourly_ucr(1.0, bidders=bidders) >= lowest


@given(made=offers, roots=st.sets(st.sampled_from("abcd"), min_size=1), number=st.integers(0, 9), utilization=shares)
def test_halves_that_are_called_in_turns_learn_from_each_other_alone(
    made: list[tuple[str, int]], roots: set[str], number: int, utilization: float
) -> None:
    """Each root has every second turn, and what is asked of it then is as if its half had offered nothing."""
    halves = TwoHalves(bytes(range(16)))
    turn, next_turn = (halves.turn(n, sorted(roots)) for n in (number, number + 1))
    assert sorted(turn + next_turn) == sorted(roots)
    assert turn == halves.turn(number + 2, sorted(roots))
    other_half = [offer for offer in made if offer[0] not in turn]
    expected = learned(other_half, roots_min=2).hourly_ucr(utilization, bidders=turn)
    assert learned(made, roots_min=2).hourly_ucr(utilization, bidders=turn) == expected


def test_halves_are_even_and_depend_on_the_salt() -> None:
    """Of 4,000 names half are in each (within 4 deviations), others with another salt; a short salt is none."""
    names = [f"project {n}" for n in range(4_000)]
    one, other = TwoHalves(bytes(16)), TwoHalves(bytes(15) + b"1")
    assert abs(sum(map(one.half, names)) - 2_000) < 4 * math.sqrt(1_000)
    assert abs(sum(one.half(name) ^ other.half(name) for name in names) - 2_000) < 4 * math.sqrt(1_000)
    with pytest.raises(ValueError, match="at least 16 bytes"):
        TwoHalves(bytes(15))


def test_what_a_low_bidder_gains(tell: Callable[[str], None]) -> None:
    """Of n roots with like worths (0.5 to 1.5 credits a unit and hour), one is worth ten times that, and either bids so
    or as if it were like the others: what it meets then, to what it met."""
    for roots in (3, 5, 12):
        dice = random.Random(roots)
        names = [f"root {n}" for n in range(roots)]
        rounds = [{name: dice.randint(500_000, 1_500_000) for name in names} for _ in range(80)]
        for utilization in (0.0, 0.5, 0.8, 0.95):
            met = {}
            for times in (10, 1):
                made = [
                    (name, ucr * (times if name == names[0] else 1)) for worth in rounds for name, ucr in worth.items()
                ]
                made_known = learned(made)
                met[times] = [made_known.hourly_ucr(utilization, bidders=who) for who in (None, names[:1])]
            tell(
                f"{roots} roots, utilization {utilization}: open {met[10][0]:,} -> {met[1][0]:,}, x"
                f"{met[1][0] / met[10][0]:.2f}; named {met[10][1]:,} -> {met[1][1]:,}"
            )
            assert met[1][1] == met[10][1]
            assert met[1][0] <= met[10][0]


def test_a_slot_costs_its_units_and_time() -> None:
    """Rounded up; where too few roots have offered, the least price."""
    made = [(root, 3_600) for root in "abc"] * 10
    assert learned(made).reserve_ucr(2, 30_000, 1.0) == 60
    assert learned(made).reserve_ucr(1, 1, 1.0) == 1
    assert learned(made[:2], least_ucr=7_200).reserve_ucr(1, 1_800_000, 1.0) == 3_600


def test_old_offers_are_forgotten() -> None:
    """The newest count."""
    reserve = learned([(root, 1_000) for root in "abc"] * 10, memory=30)
    assert reserve.hourly_ucr(1.0) == reserve.hourly_ucr(1.0, bidders=[]) == 1_000
    for root in "abc" * 10:
        reserve.observe(PricedOffer(root, 10))
    assert reserve.hourly_ucr(1.0, bidders=[]) == 10
    # Of all but one there are only twenty new ones yet.
    assert reserve.hourly_ucr(1.0) == 1_000
    for root in "abc" * 5:
        reserve.observe(PricedOffer(root, 10))
    assert reserve.hourly_ucr(1.0) == 10
