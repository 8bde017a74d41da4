"""Who wins and what they pay: the rows of the pricing table through real commands, the definition by brute force."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.messages import Code, Direction, Pricing, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market.account import Account
from market.pricing import Allotment, allot
from market.state import Bid, Cfp, Pool, State
from tests.market.town import BANK, Town, small_town

NOW_MS = 1_000_000
DURATION_MS = 100


def tie_number(head: bytes, cfp: bytes, name: bytes) -> bytes:
    """The lot of an account or of a budget root, written anew from the design: the smallest wins."""
    return hashlib.sha256(head + cfp + name).digest()


def let_win_ties(town: Town, cfp: bytes, *accounts: bytes) -> None:
    """Choose a chain head under which ties go in the given order; the accounts are all of one budget root, or each of
    its own."""
    roots = [town.state.accounts[account].budget_root.encode() for account in accounts]
    assert len(set(roots)) in (1, len(accounts))
    for number in itertools.count():
        head = hashlib.sha256(number.to_bytes(8, "big")).digest()
        keys = [
            (tie_number(head, cfp, root), tie_number(head, cfp, a)) for root, a in zip(roots, accounts, strict=True)
        ]
        if keys == sorted(keys):
            town.shard.head = town.twin.head = head
            return


@dataclass(frozen=True)
class Row:
    """One row of the table: bids as (bidder, price, weight), the order in which ties go, winners with their prices."""

    bids: tuple[tuple[str, int, int], ...]
    tie_order: str
    wins: tuple[tuple[str, int], ...]
    slots: int = 1
    pricing: Pricing = Pricing.SECOND


ROWS = {
    "the second price": Row((("a", 50, 1000), ("b", 40, 1000)), "ab", (("a", 40),)),
    "one more where the loser would win the tie": Row((("a", 50, 1000), ("b", 40, 1000)), "ba", (("a", 41),)),
    "a weight turns the ranking": Row((("a", 50, 500), ("b", 40, 1000)), "ba", (("b", 25),)),
    "one more where the heavier loser would win the tie": Row((("a", 50, 500), ("b", 40, 1000)), "ab", (("b", 26),)),
    "a weight raises the price": Row((("a", 100, 600), ("b", 55, 1000)), "ab", (("a", 92),)),
    "alone, the reserve": Row((("a", 30, 1000),), "a", (("a", 10),)),
    "nobody at the reserve": Row((("a", 8, 1000), ("b", 9, 1000)), "ab", ()),
    "two slots": Row((("a", 50, 1000), ("b", 40, 1000), ("c", 30, 1000)), "abc", (("a", 30), ("b", 30)), 2),
    "two slots, both lose the tie": Row(
        (("a", 50, 1000), ("b", 40, 1000), ("c", 30, 1000)), "cab", (("a", 31), ("b", 31)), 2
    ),
    "two slots, one loses the tie": Row(
        (("a", 50, 1000), ("b", 40, 1000), ("c", 30, 1000)), "acb", (("a", 30), ("b", 31)), 2
    ),
    "two slots without competition": Row((("a", 50, 1000), ("b", 40, 1000)), "ab", (("a", 10), ("b", 10)), 2),
    "equal bids, one way": Row((("a", 40, 1000), ("b", 40, 1000)), "ab", (("a", 40),)),
    "equal bids, the other way": Row((("a", 40, 1000), ("b", 40, 1000)), "ba", (("b", 40),)),
    "first price": Row((("a", 50, 1000), ("b", 40, 1000)), "ab", (("a", 50),), 1, Pricing.FIRST),
    "first price, two slots": Row(
        (("a", 50, 1000), ("b", 40, 1000), ("c", 30, 1000)), "abc", (("a", 50), ("b", 40)), 2, Pricing.FIRST
    ),
    "a bid at the reserve counts": Row((("a", 10, 1000),), "a", (("a", 10),)),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_pricing_table(name: str) -> None:
    """Real commands give the winners and prices of the row, whichever bid arrives first."""
    row = ROWS[name]
    for bids in (row.bids, row.bids[::-1]):
        town, ids = small_town("a", "b", "c", units=2, strangers=True)
        for bidder, _, weight in bids:
            assert town.send(c.SetWeight(ids[bidder], weight), BANK).code is Code.ACCEPTED
        cfp = town.cfp(slots=row.slots, pricing=row.pricing)
        for bidder, price_ucr, _ in bids:
            assert town.bid(cfp, bidder, price_ucr).code is Code.ACCEPTED
        let_win_ties(town, cfp, *(ids[x] for x in row.tie_order))
        names = {ident: name for name, ident in ids.items()}
        wins = tuple((names[award.account], award.price_ucr) for award in town.settle(cfp))
        assert wins == row.wins
        for bidder, price_ucr in wins:
            account = town.state.accounts[ids[bidder]]
            assert (account.balance_ucr, account.held_ucr) == (10**9 - price_ucr, 0)


def test_an_unlockable_bid_changes_no_price() -> None:
    """A's interval is taken by an earlier lease: B wins at C's price, and A is told why it lost."""
    town, ids = small_town("a", "b", "c", "early")
    first = town.cfp()
    town.bid(first, "early", 1000, start_delay_ms=5_000)
    assert len(town.settle(first)) == 1
    second = town.cfp()
    refused = town.bid(second, "a", 90, start_delay_ms=4_950)
    town.bid(second, "b", 50)
    town.bid(second, "c", 20)
    let_win_ties(town, second, ids["b"], ids["c"])
    town.at_ms = town.state.cfps[second].closes_at_ms
    answer = town.tick()
    assert [(a.account, a.price_ucr) for a in answer.of(e.AwardMade)] == [(ids["b"], 20)]
    reasons = {r.bid: r.reason for r in answer.of(e.BidRejected)}
    assert reasons[refused.id] is ReleaseReason.UNLOCKABLE


def test_weights_are_frozen_when_the_cfp_opens() -> None:
    """A weight that changes between opening and bid counts for later CFPs only."""
    town, ids = small_town("a", "b", strangers=True)
    before = town.cfp()
    town.send(c.SetWeight(ids["a"], 500), BANK)
    town.bid(before, "a", 50)
    town.bid(before, "b", 40)
    let_win_ties(town, before, ids["a"], ids["b"])
    assert [(w.account, w.price_ucr) for w in town.settle(before)] == [(ids["a"], 40)]
    # Open until the first winner's lease has ended.
    after = town.cfp(open_ms=2_000)
    town.bid(after, "a", 50)
    town.bid(after, "b", 40)
    let_win_ties(town, after, ids["b"], ids["a"])
    assert [(w.account, w.price_ucr) for w in town.settle(after)] == [(ids["b"], 25)]


@dataclass(frozen=True)
class Market:
    """A CFP with its bids at its deadline, for the pure procedure alone."""

    prices: tuple[int, ...]
    weights: tuple[int, ...]
    delays_ms: tuple[int, ...]
    slots: int
    units: int
    pool_units: int
    reserve_ucr: int
    taken: tuple[tuple[int, int], ...]
    """Earlier leases of one unit: (start, length) from now, milliseconds."""
    head: bytes
    roots: tuple[int, ...]
    """The budget root of each bidder."""
    rules: int = 10
    pricing: Pricing = Pricing.SECOND

    def priced(self, bidder: int, price_ucr: int) -> Market:
        """The same with another price of one bidder."""
        prices = list(self.prices)
        prices[bidder] = price_ucr
        return replace(self, prices=tuple(prices))

    def without(self, bidder: int) -> dict[int, int]:
        """Prices of the winners when one bidder stays away."""
        return self.run(absent=bidder)

    def settle(self, absent: int | None = None) -> Allotment:
        """Run the procedure."""
        state = State("m", bytes(32), bytes(16), 4, True, self.rules)
        pool = Pool("gpu", bytes(16), self.pool_units)
        for start_ms, length_ms in self.taken:
            if pool.timeline.peak(NOW_MS + start_ms, NOW_MS + start_ms + length_ms) < self.pool_units:
                pool.timeline.add(NOW_MS + start_ms, NOW_MS + start_ms + length_ms, 1)
        cfp = Cfp(
            id=bytes(16),
            manager=bytes(16),
            direction=Direction.SELL,
            pool="gpu",
            units=self.units,
            duration_ms=DURATION_MS,
            slots=self.slots,
            reserve_price_ucr=self.reserve_ucr,
            pricing=self.pricing,
            closes_at_ms=NOW_MS,
            weight_epoch=0,
        )
        for i, price_ucr in enumerate(self.prices):
            if i != absent:
                ident = i.to_bytes(16, "big")
                state.accounts[ident] = Account(ident, str(i), "project", f"root {self.roots[i]}")
                cfp.bids[ident] = Bid(
                    ident, cfp.id, ident, price_ucr, self.weights[i], self.delays_ms[i], "", bytes(32)
                )
        return allot(state, cfp, pool, NOW_MS, self.head)

    def run(self, absent: int | None = None) -> dict[int, int]:
        """Price that each winner pays."""
        return {int.from_bytes(win.bid.account, "big"): win.price_ucr for win in self.settle(absent).wins}


@st.composite
def markets(draw: st.DrawFn, same_interval: bool = False) -> Market:
    """Random bids, weights, intervals, slots and earlier leases, dense enough for ties and collisions."""
    count = draw(st.integers(1, 6))
    units = draw(st.integers(1, 2))
    delay = st.just(0) if same_interval else st.sampled_from([0, 30, 60, 100, 150, 200])

    def of_each(item: st.SearchStrategy[int]) -> tuple[int, ...]:
        return tuple(draw(st.lists(item, min_size=count, max_size=count)))

    return Market(
        prices=of_each(st.integers(1, 30)),
        weights=of_each(st.sampled_from([500, 600, 750, 999, 1000])),
        delays_ms=of_each(delay),
        slots=draw(st.integers(1, 3)),
        units=units,
        pool_units=draw(st.integers(units, 4)),
        reserve_ucr=draw(st.integers(1, 12)),
        taken=tuple(draw(st.lists(st.tuples(st.integers(0, 250), st.integers(1, 150)), max_size=3))),
        head=draw(st.binary(min_size=32, max_size=32)),
        roots=of_each(st.integers(0, 2)),
        rules=draw(st.sampled_from([9, 10])),
    )


EXAMPLES = settings(max_examples=400, deadline=None, derandomize=True)
ALL_PRICES = range(1, 71)
"""Beyond every price that can matter: with weights of 500 and 1000 a bid of 30 is outranked at 61."""


@EXAMPLES
@given(markets())
def test_a_winner_pays_the_least_price_that_still_wins(market: Market) -> None:
    """Tried one by one, exactly the prices from the paid one upwards win, and they all pay the same."""
    for bidder, paid_ucr in market.run().items():
        for price_ucr in ALL_PRICES:
            wins = market.priced(bidder, price_ucr).run()
            assert (bidder in wins) == (price_ucr >= paid_ucr)
            assert wins.get(bidder, paid_ucr) == paid_ucr


@EXAMPLES
@given(markets())
def test_a_loser_wins_at_no_lower_price(market: Market) -> None:
    """Whoever loses would also have lost with less."""
    for bidder in range(len(market.prices)):
        if bidder not in market.run():
            assert not any(bidder in market.priced(bidder, p).run() for p in range(1, market.prices[bidder]))


@EXAMPLES
@given(markets())
def test_a_bid_that_cannot_be_locked_or_reach_the_reserve_changes_nothing(market: Market) -> None:
    """Without the bids that never stood, the winners and prices are the same."""
    settled = market.settle()
    for bid, reason in settled.losses:
        if reason in (ReleaseReason.UNLOCKABLE, ReleaseReason.BELOW_RESERVE):
            assert market.without(int.from_bytes(bid.account, "big")) == market.run()


def test_a_siblings_turn_is_found_without_the_winner() -> None:
    """Three equal bids, of which the second overlaps both others, which are of one root. The first wins and is in its
    sibling's way among equals: with it the second comes before the sibling, and without it after. So the sibling keeps
    the second out, and nothing is in the way of a lower bid of the first: both pay the reserve."""

    def lot(head: bytes, name: bytes) -> bytes:
        return tie_number(head, bytes(16), name)

    heads = (hashlib.sha256(number.to_bytes(8, "big")).digest() for number in itertools.count())
    first, sibling = bytes(16), (2).to_bytes(16, "big")
    head = next(h for h in heads if lot(h, first) < lot(h, sibling) and lot(h, b"root 0") < lot(h, b"root 1"))
    market = Market((20, 20, 20), (1000,) * 3, (0, 50, 120), 3, 1, 1, 5, (), head, (0, 1, 0))
    assert market.run() == {0: 5, 2: 5}
    assert all((0 in market.priced(0, price_ucr).run()) == (price_ucr >= 5) for price_ucr in ALL_PRICES)


def gain(market: Market, bidder: int, value_ucr: int) -> int:
    """What a bidder gets out of a market: its value less the price if it wins."""
    wins = market.run()
    return value_ucr - wins[bidder] if bidder in wins else 0


def truth_is_best(market: Market) -> bool:
    """Whether no bidder whose bid is its value gains by any other price."""
    return all(
        gain(market, bidder, value_ucr) >= gain(market.priced(bidder, price_ucr), bidder, value_ucr)
        for bidder, value_ucr in enumerate(market.prices)
        for price_ucr in ALL_PRICES
    )


@settings(EXAMPLES, max_examples=150)
@given(markets(same_interval=True))
def test_truth_is_dominant_with_equal_intervals(market: Market) -> None:
    """Under SECOND no price beats the true value when all want the same time."""
    assert truth_is_best(market)


@settings(EXAMPLES, max_examples=150)
@given(markets())
def test_truth_is_dominant_with_different_intervals(market: Market) -> None:
    """The same where start delays differ and bids crowd each other out in part."""
    assert truth_is_best(market)


def test_truth_is_not_dominant_under_first_price() -> None:
    """The check can fail: under FIRST, a bid of 11 beats the true 30."""
    alone = Market((30,), (1000,), (0,), 1, 1, 1, 10, (), bytes(32), (0,), pricing=Pricing.FIRST)
    assert not truth_is_best(alone)
