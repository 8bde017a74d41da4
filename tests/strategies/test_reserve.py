"""A reserve by opportunity cost: the threshold's values, and that nobody lowers its own."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contractnet.strategies import OpportunityReserve, PricedOffer, threshold_ucr

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
def test_nobody_lowers_its_reserve_by_its_own_offers(
    made: list[tuple[str, int]], lower: list[int], utilization: float
) -> None:
    """Whatever a root offers, its reserve is at least what the others' offers alone say."""
    others = sorted(price for root, price in made if root != "a")
    mine = learned([*made, *(("a", price) for price in lower)], roots_min=2)
    if others and len({root for root, _ in made} | {"a"}) > 1 and ("a" in dict(made) or lower):
        low, high = (others[min(len(others) - 1, int(share * len(others)))] for share in (0.05, 0.95))
        assert mine.hourly_ucr(utilization) >= threshold_ucr(utilization, low, high)


def test_a_slot_costs_its_units_and_time() -> None:
    """Rounded up; where too few roots have offered, the least price."""
    made = [(root, 3_600) for root in "abc"] * 10
    assert learned(made).reserve_ucr(2, 30_000, 1.0) == 60
    assert learned(made).reserve_ucr(1, 1, 1.0) == 1
    assert learned(made[:2], least_ucr=7_200).reserve_ucr(1, 1_800_000, 1.0) == 3_600


def test_old_offers_are_forgotten() -> None:
    """The newest count."""
    reserve = learned([(root, 1_000) for root in "abc"] * 10, memory=30)
    assert reserve.hourly_ucr(1.0) == 1_000
    for root in "abc" * 10:
        reserve.observe(PricedOffer(root, 10))
    assert reserve.hourly_ucr(1.0) == 10
