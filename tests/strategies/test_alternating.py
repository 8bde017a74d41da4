"""Alternating offers: the reference's table, and strategies from which no single deviation pays."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.strategies.bargaining import (
    Domain,
    OutcomeAlternator,
    OutcomeSplitter,
    PieSplitter,
    alternate,
    proposer_share,
)
from tests.strategies.domains import given_of

HORIZONS = (None, 2, 3, 4, 5, 10, 50)
TABLE = {
    (0.9, 0.9): (0.526316, 0.1, 0.91, 0.181, 0.8371, 0.342801, 0.523603),
    (0.9, 0.8): (0.714286, 0.2, 0.92, 0.344, 0.8624, 0.576077, 0.714092),
    (0.8, 0.9): (0.357143, 0.1, 0.82, 0.172, 0.6904, 0.288039, 0.357046),
    (0.5, 0.5): (0.666667, 0.5, 0.75, 0.625, 0.6875, 0.666016, 0.666667),
    (0.99, 0.95): (0.840336, 0.05, 0.9905, 0.097025, 0.981565, 0.221968, 0.659026),
}
ROWS = [(pair, horizon, share) for pair, row in TABLE.items() for horizon, share in zip(HORIZONS, row, strict=True)]
discount = st.fractions(min_value=0, max_value=1, max_denominator=20)


@pytest.mark.parametrize(("discounts", "horizon", "share"), ROWS)
def test_the_table(discounts: tuple[float, float], horizon: int | None, share: float) -> None:
    """Closed forms, and both strategies playing: agreement in round 1 at that share."""
    assert float(proposer_share(discounts, horizon)) == pytest.approx(share, abs=1e-6)
    parties = [PieSplitter(side, discounts, horizon) for side in (0, 1)]
    played = alternate(*parties, rounds_max=horizon or 1_000)
    assert (played.rounds, played.messages) == (1, 2)
    assert played.deal is not None
    assert float(played.deal) == pytest.approx(share, abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(discount, discount, st.integers(1, 40))
def test_the_sum_is_the_backward_induction(own: Fraction, others: Fraction, horizon: int) -> None:
    """x_T = 1, and at round t the proposer keeps 1 - d_responder · x_{t+1}; patient parties included."""
    share = Fraction(1)
    for round_ in range(horizon - 1, 0, -1):
        share = 1 - (others if round_ % 2 else own) * share
    assert proposer_share((own, others), horizon) == share


@settings(max_examples=100, deadline=None)
@given(discount, discount)
def test_limits(own: Fraction, others: Fraction) -> None:
    """d1 = 0 gives all, d0 = 0 gives 1 - d1; even horizons come from below and odd ones from above."""
    assert proposer_share((own, 0)) == 1
    if others < 1 or own < 1:
        limit = proposer_share((own, others))
        shares = [proposer_share((own, others), horizon) for horizon in range(1, 30)]
        assert all(share >= limit for share in shares[::2])
        assert all(share <= limit for share in shares[1::2])
        assert shares[::2] == sorted(shares[::2], reverse=True)
        assert shares[1::2] == sorted(shares[1::2])
    assert proposer_share((0, others)) == 1 - others


def test_at_the_horizon_anything_is_taken() -> None:
    """One round: the proposer gets all, and the other agrees to nothing."""
    played = alternate(PieSplitter(0, (0.9, 0.9), 1), PieSplitter(1, (0.9, 0.9), 1), rounds_max=1)
    assert (played.deal, played.rounds) == (Fraction(1), 1)


def test_what_makes_no_sense() -> None:
    """Two patient parties without an end, discounts that are none, and no rounds."""
    with pytest.raises(ValueError, match="no determined share"):
        proposer_share((1, 1))
    with pytest.raises(ValueError, match="between 0 and 1"):
        proposer_share((0.5, 1.5))
    for discount in (np.float32(1.5), np.float32("nan"), -1, 10**400, "0.5", None):
        with pytest.raises(ValueError, match="between 0 and 1"):
            proposer_share((0.5, discount))  # type: ignore[arg-type]
    assert proposer_share((np.float32(0.5), np.int64(0))) == proposer_share((0.5, 0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1 round"):
        PieSplitter(0, (0.5, 0.5), 0)
    with pytest.raises(ValueError, match="rounds_max"):
        alternate(PieSplitter(0, (0.5, 0.5)), PieSplitter(1, (0.5, 0.5)), rounds_max=0)
    with pytest.raises(ValueError, match="nothing to offer"):
        OutcomeAlternator(Domain([1], [1], (2, 2)), 0, (0.5, 0.5))
    with pytest.raises(ValueError, match="at least 1 round"):
        OutcomeAlternator(Domain([1], [1]), 0, (0.5, 0.5), 0)


@pytest.mark.parametrize(("discounts", "horizon", "share"), ROWS)
def test_the_table_by_outcomes(discounts: tuple[float, float], horizon: int | None, share: float) -> None:
    """Prices of a pie of 10,000 steps, in a scale of each party's own: agreement in round 1, at the share rounded down
    to a step."""
    domain = Domain([7 * price for price in range(10_001)], [10_000 - price for price in range(10_001)])
    parties = [OutcomeSplitter(domain, side, discounts, horizon) for side in (0, 1)]
    played = alternate(*parties, rounds_max=horizon or 1_000)
    assert played.deal is not None
    assert played.rounds == 1
    assert played.deal == proposer_share(discounts, horizon) * 10_000 // 1
    assert played.deal / 10_000 == pytest.approx(share, abs=1.01e-4)


@settings(max_examples=100, deadline=None)
@given(discount, discount, st.integers(1, 9), st.integers(1, 40))
def test_coarse_outcomes_are_rounded_for_the_other(own: Fraction, others: Fraction, horizon: int, step: int) -> None:
    """Whoever begins keeps the equilibrium's share rounded down to a step, and the other takes it at once; a pie
    without its ends is as large as with them."""
    splits = range(0, 120, step)
    domain = Domain([split - 9 for split in splits], [108 - split for split in splits])
    if len(domain.frontier) < 2:
        return
    played = alternate(*(OutcomeSplitter(domain, side, (own, others), horizon) for side in (0, 1)), rounds_max=horizon)
    kept = proposer_share((own, others), horizon) * 99
    within = [split for split in splits if 9 <= split <= 108]
    assert played.deal is not None
    assert splits[played.deal] == max((split for split in within if split - 9 <= kept), default=within[0])
    if splits[played.deal] - 9 <= kept:
        assert played.rounds == 1


def test_what_is_no_pie() -> None:
    """One outcome, and a frontier with a bend."""
    with pytest.raises(ValueError, match="how large the pie is"):
        OutcomeSplitter(Domain([1], [1]), 0, (0.5, 0.5))
    with pytest.raises(ValueError, match="no straight line"):
        OutcomeSplitter(Domain([2, 1, 0], [0, 2, 3]), 0, (0.5, 0.5))
    with pytest.raises(ValueError, match="at least 1 round"):
        OutcomeSplitter(Domain([1, 0], [0, 1]), 0, (0.5, 0.5), 0)


class Greedy:
    """Asks for the whole pie in its first `rounds` rounds, and accepts nothing in them."""

    def __init__(self, honest: PieSplitter, side: int, rounds: int) -> None:
        self.honest, self.side, self.rounds = honest, side, rounds

    def propose(self, round_: int) -> Fraction:
        return Fraction(1 - self.side) if round_ <= self.rounds else self.honest.propose(round_)

    def accepts(self, offer: Fraction, round_: int) -> bool:
        return round_ > self.rounds and self.honest.accepts(offer, round_)


@settings(max_examples=100, deadline=None)
@given(st.fractions(0, "0.95", max_denominator=20), st.fractions(0, "0.95", max_denominator=20), st.integers(1, 6))
def test_holding_out_does_not_pay(own: Fraction, others: Fraction, rounds: int) -> None:
    """Against the equilibrium strategy a party that asks for everything first ends with no more, discounted."""
    for horizon in (None, 9):
        honest = [PieSplitter(side, (own, others), horizon) for side in (0, 1)]
        fair = alternate(*honest, rounds_max=9).deal
        assert fair is not None
        for side in (0, 1):
            parties: list[PieSplitter | Greedy] = [*honest]
            parties[side] = Greedy(honest[side], side, rounds)
            played = alternate(*parties, rounds_max=9)
            if played.deal is not None:
                got = (played.deal, 1 - played.deal)[side] * (own, others)[side] ** (played.rounds - 1)
                assert got <= (fair, 1 - fair)[side]


def induction(domain: Domain, discounts: tuple[Fraction, Fraction], horizon: int) -> tuple[Fraction, Fraction]:
    """Values of the game to both at round 1, by looking at every outcome in every round."""
    values = (Fraction(0), Fraction(0))
    for round_ in range(horizon, 0, -1):
        mover = (round_ - 1) % 2
        waiting = [discounts[side] * values[side] for side in (0, 1)] if round_ < horizon else [Fraction(0)] * 2
        taken = [o for o in range(len(domain)) if domain.gains[1 - mover][o] >= waiting[1 - mover]]
        best = max(taken, key=lambda o: (domain.gains[mover][o], domain.gains[1 - mover][o]))
        assert domain.gains[mover][best] >= waiting[mover], "waiting would be better"
        values = (Fraction(domain.gains[0][best]), Fraction(domain.gains[1][best]))
    return values


@pytest.mark.parametrize("shape", ["numbers", "few_values", "opposed", "issues", "many_zeros", "wild_fractions"])
def test_outcomes_by_backward_induction(shape: str) -> None:
    """With a horizon: the values of brute-force induction, agreed on in round 1."""
    for seed in range(2, 12):
        rng = random.Random(f"alternate {shape} {seed}")
        what = given_of(shape, seed)
        domain = Domain(what.first[:80], what.second[:80])
        discounts = (Fraction(rng.randint(0, 20), 20), Fraction(rng.randint(0, 20), 20))
        for horizon in (1, 2, 3, 8):
            played = alternate(
                *(OutcomeAlternator(domain, side, discounts, horizon) for side in (0, 1)), rounds_max=horizon
            )
            assert played.rounds == 1
            assert played.deal is not None
            got = (domain.gains[0][played.deal], domain.gains[1][played.deal])
            assert got == induction(domain, discounts, horizon)


def test_a_fine_pie_gives_the_pies_shares() -> None:
    """Over 10,001 outcomes, within a grid step per discounting of the continuous solution."""
    domain = Domain([*range(10_001)], [10_000 - split for split in range(10_001)])
    for discounts, row in TABLE.items():
        for horizon, share in zip(HORIZONS, row, strict=True):
            parties = [OutcomeAlternator(domain, side, discounts, horizon) for side in (0, 1)]
            deal = alternate(*parties, rounds_max=1_000).deal
            assert deal == pytest.approx(10_000 * share, abs=30), (discounts, horizon)


def test_a_stationary_pair_is_an_equilibrium() -> None:
    """Without a horizon: each offer is the best that the other takes, given what comes next."""
    for seed in range(2, 30):
        what = given_of("issues", seed)
        domain = Domain(what.first, what.second)
        discounts = (Fraction(9, 10), Fraction(4, 5))
        parties = [OutcomeAlternator(domain, side, discounts) for side in (0, 1)]
        offers = [parties[0].propose(1), parties[1].propose(2)]
        for side in (0, 1):
            others, limit = domain.gains[1 - side], discounts[1 - side] * domain.gains[1 - side][offers[1 - side]]
            assert domain.gains[side][offers[side]] == max(
                domain.gains[side][outcome] for outcome in domain.frontier if others[outcome] >= limit
            )
            assert parties[1 - side].accepts(offers[side], side + 1)


def test_short_rounds_lead_to_nash() -> None:
    """As discounting vanishes the deal has the greatest product (Binmore, Rubinstein & Wolinsky 1986); a party that is
    more patient gets more."""
    n = 2_000
    domain = Domain([*range(n + 1)], [n * n - split * split for split in range(n + 1)])
    nash = max(range(n + 1), key=domain.product)
    parties = [OutcomeAlternator(domain, side, (0.9999, 0.9999)) for side in (0, 1)]
    assert alternate(*parties, rounds_max=1).deal == pytest.approx(nash, abs=2)
    patient = [OutcomeAlternator(domain, side, (0.9999, 0.999)) for side in (0, 1)]
    assert (alternate(*patient, rounds_max=1).deal or 0) > nash + 100
    fully = [OutcomeAlternator(domain, side, (1, 1)) for side in (0, 1)]
    assert alternate(*fully, rounds_max=1).deal == nash


def test_no_deal_at_the_end() -> None:
    """Offers that nobody takes: no deal, and every offer and the last refusal was a message."""
    firm = Greedy(PieSplitter(0, (0.5, 0.5)), 0, 99)
    played = alternate(firm, Greedy(PieSplitter(1, (0.5, 0.5)), 1, 99), rounds_max=4)
    assert (played.deal, played.rounds, played.messages) == (None, 4, 5)
    assert [*map(int, played.trace)] == [1, 0, 1, 0]
