"""Bets on who else was invited, given a bid."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from market.integrity.evidence import ONE, PPM
from market.integrity.invitations import KEPT, LEAST_KEPT, Bid, InvitationTest, Lottery, factors

AGENTS = tuple(b"agent %d" % number for number in range(12))
ANN, BOB, CARL = AGENTS[:3]


@pytest.mark.parametrize(("invited", "others"), [(1, 2), (1, 7), (3, 11), (7, 39), (7, 99), (10, 11), (1, 999)])
def test_no_bet_gains_by_the_lot_itself(invited: int, others: int) -> None:
    """Whatever the rank of the bid, the expectation over the rival's invitation is at most 1, in exact arithmetic, and
    short of it by no more than rounding."""
    chance = Fraction(invited, others)
    for rank in (0, 1, 99, 100, 250, 499, 500, 750, 1_000):
        there, not_there = factors([rank, 1_000 - rank], invited, others)
        assert len(there) == len(not_there) == 16
        for won, lost in zip(there, not_there, strict=True):
            assert min(won, lost) >= 0
            expected = chance * Fraction(won, PPM) + (1 - chance) * Fraction(lost, PPM)
            assert 1 - Fraction(3, PPM) < expected <= 1


def lotteries(dice: random.Random, count: int, price: object) -> list[Lottery]:
    """Four of twelve, by lot; `price(agent, invited, value)` is what an agent bids."""
    found = []
    for _ in range(count):
        invited = frozenset(dice.sample(AGENTS, 4))
        bids = {}
        for agent in sorted(invited):
            value = round(dice.lognormvariate(13, 0.5))
            bid = price(agent, invited, value)  # type: ignore[operator]
            if bid is not None:
                bids[agent] = Bid(bid, value)
        found.append(Lottery(AGENTS, invited, bids))
    return found


def watched(found: list[Lottery]) -> InvitationTest:
    """The test after these."""
    test = InvitationTest()
    for lottery in found:
        test.observe(lottery)
    return test


def test_whoever_bids_half_when_a_friend_is_there_shows_and_the_friend_does_not() -> None:
    """Ann halves her bids where bob is invited: the evidence is on her own side of the pair, and on no other."""

    def price(agent: bytes, invited: frozenset[bytes], value: int) -> int:
        return value // 2 if agent == ANN and BOB in invited else value

    pairs = watched(lotteries(random.Random("half"), 600, price)).pairs
    assert pairs[ANN, BOB].value > 10**6 * ONE
    assert all(process.value < 20 * ONE for pair, process in pairs.items() if pair != (ANN, BOB))


def test_not_bidding_at_all_is_the_lowest_bid() -> None:
    """Ann stays away where bob is invited."""

    def price(agent: bytes, invited: frozenset[bytes], value: int) -> int | None:
        return None if agent == ANN and BOB in invited else value

    assert watched(lotteries(random.Random("away"), 600, price)).pairs[ANN, BOB].value > 10**6 * ONE


def test_false_claims_do_not_hide_a_lower_price() -> None:
    """Ann bids and claims a tenth where bob is there: the ratio is the same, the price tells."""
    found = []
    for lottery in lotteries(random.Random("claims"), 600, lambda _agent, _invited, value: value):
        bids = dict(lottery.bids)
        if ANN in bids and BOB in lottery.invited:
            bids[ANN] = Bid(bids[ANN].price_ucr // 10, bids[ANN].claimed_points // 10)
        found.append(Lottery(AGENTS, lottery.invited, bids))
    assert watched(found).pairs[ANN, BOB].value > 1_000 * ONE


def test_lotteries_that_leave_nothing_open_count_for_nothing() -> None:
    """All are invited, or one alone is."""
    everybody = Lottery(AGENTS, frozenset(AGENTS), {agent: Bid(1, 1) for agent in AGENTS})
    one = Lottery(AGENTS, frozenset({ANN}), {ANN: Bid(1, 1)})
    test = watched([everybody, one] * 10)
    assert test.pairs == {}
    assert test.history == {}


def test_the_state_is_bounded_and_begins_with_an_agents_own_bids() -> None:
    """A few bids of its own come before an agent is tested at all, and a fixed number is kept."""
    lottery = Lottery(AGENTS, frozenset({ANN, BOB, CARL}), {agent: Bid(5, 7) for agent in (ANN, BOB, CARL)})
    assert watched([lottery] * LEAST_KEPT).pairs == {}
    test = watched([lottery] * (KEPT + 50))
    assert set(test.pairs) == {(agent, rival) for agent in (ANN, BOB, CARL) for rival in AGENTS if rival != agent}
    assert {len(kept) for history in test.history.values() for kept in history} == {KEPT}


def test_a_price_is_a_share_of_its_claim() -> None:
    """Millionths of the claim, which counts for a point where there is none."""
    assert Bid(10, 4).signals() == (2_500_000, 10)
    assert Bid(10, 1).signals() == Bid(10, 0).signals() == (10_000_000, 10)
