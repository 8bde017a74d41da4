"""Bidding strategies in repeated auctions: budgets hold and are used, and shading pays where one pays one's own bid."""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet import credits
from contractnet.messages import Pricing
from contractnet.strategies import (
    Call,
    Outcome,
    Paced,
    Pacer,
    Truthful,
    WinningPrices,
    uniform_first_price_ucr,
)
from tests.strategies.auctions import RESERVE_UCR, TOP_UCR, OneCall, run

ROUNDS = 2_000
SEEDS = range(6)
SECOND, FIRST = OneCall(Pricing.SECOND), OneCall(Pricing.FIRST)
ENDLESS_UCR = credits(10**9)


@dataclass
class Spendthrift(Truthful):
    """Bids its worth until the budget is gone."""

    left_ucr: int

    def price_ucr(self, call: Call, worth_ucr: int) -> int | None:
        return super().price_ucr(call, min(worth_ucr, self.left_ucr))

    def observe(self, outcome: Outcome) -> None:
        self.left_ucr -= outcome.paid_ucr


class Equilibrium(Truthful):
    """The closed form for five bidders with uniform worths."""

    def price_ucr(self, call: Call, worth_ucr: int) -> int | None:
        return None if worth_ucr < RESERVE_UCR else uniform_first_price_ucr(worth_ucr, 5, RESERVE_UCR)


@pytest.mark.parametrize(("share", "least_spent"), [(0.1, 0.95), (0.4, 0.95), (0.8, 0.92)])
def test_pacing_spends_the_budget_over_the_window(share: float, least_spent: float) -> None:
    """Against four truthful rivals over 2,000 second-price auctions, six seeds each. Truthful bidding spends 1 / share
    of the budget; stopped when it is gone, it has gone through it early and gains less."""
    spent, early, gained = [], [], []
    for seed in SEEDS:
        rivals = [Truthful() for _ in range(4)]
        truthful = run([Truthful(), *rivals], Pricing.SECOND, ROUNDS, seed)[0]
        budget_ucr = round(truthful.spent_ucr * share)
        assert truthful.spent_ucr > budget_ucr
        paced = run([Paced(Pacer(budget_ucr, ROUNDS)), *rivals], Pricing.SECOND, ROUNDS, seed)[0]
        stopped = run([Spendthrift(budget_ucr), *rivals], Pricing.SECOND, ROUNDS, seed)[0]
        until = round((share + 0.1) * ROUNDS)
        assert stopped.spent_until(until) > 0.9 * budget_ucr
        assert paced.spent_ucr <= budget_ucr
        spent.append(paced.spent_ucr / budget_ucr)
        early.append(paced.spent_until(ROUNDS // 2) / budget_ucr)
        gained.append(paced.surplus_ucr / stopped.surplus_ucr)
    mean = statistics.mean
    print(
        f"budget {share:.0%} of truthful spending: spent {min(spent):.1%} to {max(spent):.1%}, half-time "
        f"{mean(early):.0%}, surplus x{mean(gained):.2f} ({min(gained):.2f} to {max(gained):.2f})"
    )
    assert min(spent) >= least_spent
    assert min(gained) > 1


def test_without_a_budget_that_binds_pacing_is_truthful() -> None:
    """With twice what truthful bidding spends the gain is that of truthful bidding, within 2%."""
    for seed in SEEDS:
        rivals = [Truthful() for _ in range(4)]
        truthful = run([Truthful(), *rivals], Pricing.SECOND, ROUNDS, seed)[0]
        paced = run([Paced(Pacer(2 * truthful.spent_ucr, ROUNDS)), *rivals], Pricing.SECOND, ROUNDS, seed)[0]
        assert paced.surplus_ucr == pytest.approx(truthful.surplus_ucr, rel=0.02)


def test_all_pacing_at_once() -> None:
    """Five pacers with 40% of what they would spend: each spends at least 95% of it, and none more."""
    for seed in SEEDS:
        truthful = run([Truthful() for _ in range(5)], Pricing.SECOND, ROUNDS, seed)
        budgets = [round(book.spent_ucr * 0.4) for book in truthful]
        books = run([Paced(Pacer(budget, ROUNDS)) for budget in budgets], Pricing.SECOND, ROUNDS, seed)
        shares = [book.spent_ucr / budget for book, budget in zip(books, budgets, strict=True)]
        assert min(shares) >= 0.95
        assert max(shares) <= 1


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 50), st.data())
def test_a_budget_holds_with_any_number_of_bids_at_once(budget_ucr: int, rounds: int, data: st.DataObject) -> None:
    """Whatever is bid, won and paid, in any order: what was paid and may still be paid is never beyond the budget."""
    pacer = Pacer(budget_ucr, rounds)
    strategy = Paced(pacer, prices=WinningPrices(calls_min=3, memory=5))
    open_: list[tuple[Pricing, int | None]] = []
    paid_ucr = 0
    for _ in range(data.draw(st.integers(0, 60))):
        settles: bool = data.draw(st.booleans())
        if open_ and settles:
            pricing, bid_ucr = open_.pop(data.draw(st.integers(0, len(open_) - 1)))
            price_ucr = data.draw(st.integers(0, bid_ucr or 0))
            strategy.observe(Outcome(pricing, bid_ucr, price_ucr, price_ucr or None))
            paid_ucr += price_ucr
        else:
            call = data.draw(st.sampled_from((FIRST, SECOND)))
            worth_ucr = data.draw(st.integers(0, 10**6))
            bid_ucr = strategy.price_ucr(call, worth_ucr)
            assert bid_ucr is None or call.reserve_price_ucr <= bid_ucr <= worth_ucr
            open_.append((call.pricing, bid_ucr))
        at_stake = sum(bid_ucr or 0 for _, bid_ucr in open_)
        assert paid_ucr + at_stake + pacer.left_ucr == budget_ucr
        assert pacer.left_ucr >= 0
        assert pacer.pace >= 1


def test_pace_moves_with_spending() -> None:
    """Spending above the target raises it, below it lowers it, and never below 1 or above its limit."""
    pacer = Pacer(1_000, 10, step=1.0, pace_max=2.0)
    pacer.set_aside(500)
    pacer.settle(500, 500)
    assert pacer.pace == pytest.approx(1 + (500 - 100) / 500)
    pacer.settle(0, 0)
    assert pacer.pace == pytest.approx(1.8 - 500 / 9 / 500)
    for _ in range(20):
        pacer.settle(0, 0)
    assert pacer.pace == 1
    pacer.set_aside(500)
    pacer.settle(500, 500)
    pacer.set_aside(0)
    assert pacer.pace == 1, "the last round may spend all that is left"
    waiting = Pacer(1_000, 10, step=1.0)
    for _ in range(2):
        waiting.set_aside(400)
    waiting.settle(400, 100)
    assert waiting.pace == 1, "100 is the target, as what is set aside may come back"
    steep = Pacer(1_000, 10, step=100.0, pace_max=2.0)
    steep.set_aside(900)
    steep.settle(900, 900)
    assert steep.pace == 2


def test_pacers_that_make_no_sense() -> None:
    """No budget, no rounds, a pace below 1; more set aside or paid than there is."""
    for budget, rounds, pace in ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.5), (1, 1, 2e6)):
        with pytest.raises(ValueError, match="a pacer needs"):
            Pacer(budget, rounds, pace=pace)
    pacer = Pacer(10, 10)
    with pytest.raises(ValueError, match="cannot be set aside"):
        pacer.set_aside(11)
    pacer.set_aside(5)
    for price, paid in ((6, 0), (5, 6), (5, -1)):
        with pytest.raises(ValueError, match="set aside"):
            pacer.settle(price, paid)


def test_a_reserve_price_above_the_worth_stops_the_bid() -> None:
    """No bid, from both strategies; at the reserve price itself there is one."""
    for strategy in (Truthful(), Paced(Pacer(10**9, 10))):
        for call in (FIRST, SECOND):
            assert strategy.price_ucr(call, RESERVE_UCR - 1) is None
            assert strategy.price_ucr(call, RESERVE_UCR) == RESERVE_UCR
    assert Paced(Pacer(RESERVE_UCR - 1, 10)).price_ucr(SECOND, TOP_UCR) is None


def test_truthful_bidding_is_best_under_second() -> None:
    """No factor on the worth gains more, in the very same auctions (Vickrey 1961)."""

    class Scaled(Truthful):
        def __init__(self, factor: float) -> None:
            self.factor = factor

        def price_ucr(self, call: Call, worth_ucr: int) -> int | None:
            return super().price_ucr(call, round(worth_ucr * self.factor))

    rivals = [Truthful() for _ in range(4)]
    truthful = run([Truthful(), *rivals], Pricing.SECOND, ROUNDS, 1)[0]
    for factor in (0.5, 0.8, 0.9, 1.1, 1.25, 2.0):
        assert run([Scaled(factor), *rivals], Pricing.SECOND, ROUNDS, 1)[0].surplus_ucr < truthful.surplus_ucr


def test_shading_beats_truth_under_first() -> None:
    """Truth gains exactly nothing; what is learned from winning prices gains at least 93% of the best reply, which
    here is the closed form, also where the first guess of the number of bidders is wrong."""
    for bidders in (2, 5, 20):
        gained = []
        for seed in range(3):
            rivals = [Equilibrium() for _ in range(4)]
            best = run([Equilibrium(), *rivals], Pricing.FIRST, ROUNDS, seed)[0]
            truthful = run([Truthful(), *rivals], Pricing.FIRST, ROUNDS, seed)[0]
            shaded = run([Paced(Pacer(ENDLESS_UCR, ROUNDS), bidders=bidders), *rivals], Pricing.FIRST, ROUNDS, seed)[0]
            assert truthful.surplus_ucr == 0
            gained.append(shaded.surplus_ucr / best.surplus_ucr)
        print(f"first guess {bidders} bidders: {min(gained):.3f} to {max(gained):.3f} of the best reply's gain")
        assert min(gained) > 0.93


@pytest.mark.parametrize(
    ("worth", "bidders", "reserve", "bid"),
    [
        (100, 2, 0, 50),
        (100, 5, 0, 80),
        (99, 4, 0, 74),
        (100, 1, 30, 30),
        (100, 2, 50, 62),
        (50, 3, 50, 50),
        (0, 3, 0, 0),
    ],
)
def test_the_closed_form(worth: int, bidders: int, reserve: int, bid: int) -> None:
    """(n - 1)/n of the worth, and with a reserve r: v(n - 1)/n + r^n / (n·v^(n - 1)), rounded down."""
    assert uniform_first_price_ucr(worth, bidders, reserve) == bid


def test_closed_forms_that_make_no_sense() -> None:
    """Nobody bids, or a worth below the reserve price."""
    for worth, bidders, reserve in ((1, 0, 0), (1, 2, 2), (1, 2, -1)):
        with pytest.raises(ValueError, match="at least one bidder"):
            uniform_first_price_ucr(worth, bidders, reserve)


def test_prices_of_own_wins_are_bounds_and_not_prices() -> None:
    """Others bid 1 to 1000 evenly. Own wins hide what they bid, and the estimate recovers it from the rest: counting
    the own winning bids as prices would be far off."""
    rng = random.Random(7)
    prices = WinningPrices(memory=20_000)
    naive = []
    for _ in range(20_000):
        others, own = rng.randint(1, 1_000), rng.randint(1, 1_000)
        prices.add(max(others, own), own=own > others)
        naive.append(max(others, own))
    for point in (200, 500, 800):
        estimate = max(share for price, share in prices.steps() if price <= point)
        assert estimate == pytest.approx(point / 1_000, abs=0.02)
        assert sum(price <= point for price in naive) / len(naive) == pytest.approx((point / 1_000) ** 2, abs=0.02)


def test_the_best_bid_by_hand() -> None:
    """Others' bids 10, 20, 30, 40 seen equally often: with a worth of 100 bid 41 (59 · 1), with 32 bid 21 (11 / 2)."""
    prices = WinningPrices(calls_min=4)
    for price in (10, 20, 30):
        prices.add(price, own=False)
    assert prices.best_bid_ucr(100, 1) is None, "too few calls"
    prices.add(40, own=False)
    assert prices.steps() == [(10, 0.25), (20, 0.5), (30, 0.75), (40, 1.0)]
    assert prices.best_bid_ucr(100, 1) == 41
    assert prices.best_bid_ucr(32, 1) == 21
    assert prices.best_bid_ucr(100, 60) == 60, "the reserve price"
    with pytest.raises(ValueError, match="calls_min"):
        WinningPrices(memory=1, calls_min=2)
