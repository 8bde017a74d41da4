"""How the agents of a run bargain: every way of playing comes to a deal, in the rounds that it has."""

from __future__ import annotations

import pytest

from contractnet.strategies.bargaining import alternate, negotiate
from services.demo.bargains import ALTERNATING, BY_CLOCK, PROTOCOLS, ROUNDS, STILL_ROUNDS, ZEUTHEN, Bargain

UNIT_UCR = 100_000 * 8
"""One step of an h200's list prices."""


def sides(style: str, over_issue: bool) -> tuple[Bargain, Bargain]:
    """Holder and buyer of one h200."""
    return (
        Bargain(style, 0, "h200", 1, over_issue=over_issue),
        Bargain(style, 1, "h200", 1, over_issue=over_issue),
    )


@pytest.mark.parametrize("over_issue", [False, True])
@pytest.mark.parametrize("style", [BY_CLOCK, ZEUTHEN])
def test_concessions_meet(style: str, over_issue: bool) -> None:
    """A buyer to whom the lease is worth 20 steps and a holder to whom it is worth 3 agree on a price between."""
    holder, buyer = sides(style, over_issue)
    domains = holder.domain(kept_ucr=3 * UNIT_UCR), buyer.domain(worth_ucr=20 * UNIT_UCR)
    first, second = holder.conceding()(domains[0], 0), buyer.conceding()(domains[1], 1)
    ended = negotiate(holder.domain(), first, second, still_rounds_max=STILL_ROUNDS)
    assert ended.deal is not None
    assert ended.rounds <= ROUNDS
    assert 3 * UNIT_UCR <= holder.offers[ended.deal].price_ucr <= 20 * UNIT_UCR
    assert len(holder.offers[ended.deal].options) == over_issue


@pytest.mark.parametrize("over_issue", [False, True])
def test_alternating_offers_come_to_a_deal(over_issue: bool) -> None:
    """In the last round somebody takes what is better than nothing."""
    holder, buyer = sides(ALTERNATING, over_issue)
    first, second = (
        side.alternating()(side.domain(worth_ucr=20 * UNIT_UCR, kept_ucr=3 * UNIT_UCR), number, horizon=ROUNDS)
        for number, side in enumerate((holder, buyer))
    )
    ended = alternate(first, second, rounds_max=ROUNDS)
    assert ended.deal is not None
    gains = [side.domain(worth_ucr=20 * UNIT_UCR, kept_ucr=3 * UNIT_UCR).gains for side in (holder, buyer)]
    assert gains[0][0][ended.deal] >= 0
    assert gains[1][1][ended.deal] >= 0


def test_both_sides_name_the_same_outcomes() -> None:
    """By its style a list is the same for both; a handover that waits gains the holder more than it costs the buyer."""
    for style in (BY_CLOCK, ZEUTHEN, ALTERNATING):
        holder, buyer = sides(style, True)
        assert holder.offers == buyer.offers
        assert {offer.options for offer in holder.offers} == {(0,), (1,)}
    gains = sides(BY_CLOCK, True)[1].domain(worth_ucr=20 * UNIT_UCR).gains
    assert gains[0][1] - gains[0][0] > gains[1][0] - gains[1][1] > 0
    assert len(set(PROTOCOLS)) == 2
