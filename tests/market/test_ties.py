"""Ties by budget root: the ranking by its definition, and chances counted over many chain heads."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.account import Account
from market.state import Bid, State
from market.ties import Ties
from tests.market.test_pricing import tie_number

CFP = b"cfp".ljust(16)
DRAWS = 3_000


def town_of(roots: list[str], rules: int = 10) -> State:
    """Accounts under these roots."""
    state = State("m", bytes(32), bytes(16), 4, True, rules)
    for number, root in enumerate(roots):
        ident = bytes([number]) * 16
        state.accounts[ident] = Account(ident, f"{root} {number}", "project", root)
    return state


def bids_of(state: State, prices: list[int]) -> list[Bid]:
    """One of each account."""
    pairs = zip(state.accounts, prices, strict=True)
    return [Bid(ident, CFP, ident, price_ucr, 1000, 0, "", bytes(32)) for ident, price_ucr in pairs]


def score(bid: Bid) -> int:
    """The highest price is the best."""
    return -bid.price_ucr


families = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), min_size=1, max_size=9)


@settings(max_examples=400, deadline=None)
@given(family=families, head=st.binary(min_size=32, max_size=32))
def test_equals_come_in_turns(family: list[tuple[str, int]], head: bytes) -> None:
    """Of equal bids each root's first comes before any root's second; roots by their lots, and a root's own by theirs:
    so a bid's place follows from how many equals of its root have smaller lots."""
    state = town_of([root for root, _ in family])
    bids = bids_of(state, [price_ucr for _, price_ucr in family])

    def place(bid: Bid) -> tuple[int, int, bytes]:
        root, lot = state.accounts[bid.account].budget_root, tie_number(head, CFP, bid.account)
        equals = [b for b in bids if b.price_ucr == bid.price_ucr and state.accounts[b.account].budget_root == root]
        turn = sum(tie_number(head, CFP, b.account) < lot for b in equals)
        return -bid.price_ucr, turn, tie_number(head, CFP, root.encode())

    assert Ties(state, CFP, head).rank(bids, score) == sorted(bids, key=place)


@settings(max_examples=400, deadline=None)
@given(family=families, head=st.binary(min_size=32, max_size=32))
def test_before_version_10_every_bid_has_its_own_lot(family: list[tuple[str, int]], head: bytes) -> None:
    """Whatever its root."""
    bids = bids_of(town_of([root for root, _ in family], 9), [price_ucr for _, price_ucr in family])
    ranked = Ties(town_of([root for root, _ in family], 9), CFP, head).rank(bids, score)
    assert ranked == sorted(bids, key=lambda bid: (-bid.price_ucr, tie_number(head, CFP, bid.account)))


@settings(max_examples=400, deadline=None)
@given(family=families, head=st.binary(min_size=32, max_size=32), rules=st.sampled_from([9, 10]))
def test_who_comes_before_a_bid_does_not_depend_on_it(family: list[tuple[str, int]], head: bytes, rules: int) -> None:
    """Those that come before it come first, in the same order, also where it does not bid: critical values, and that
    winning is monotone in the price, rest on that."""
    state = town_of([root for root, _ in family], rules)
    bids = bids_of(state, [price_ucr for _, price_ucr in family])
    ties = Ties(state, CFP, head)
    ranked = ties.rank(bids, score)
    for place, bid in enumerate(ranked):
        others = ties.rank([b for b in bids if b is not bid], score)
        assert ties.without(bid, ranked, score) == others
        assert others[:place] == ranked[:place]
        for number, other in enumerate(others):
            if other.price_ucr == bid.price_ucr:
                assert ties.falls_to(bid, other, others, score) == (place <= number)


def chances(accounts: int, rivals: int, slots: int, rules: int = 10) -> dict[str, float]:
    """In which part of DRAWS equal bids serve a root: mallory's with so many accounts, and rivals' with one each."""
    roots = ["mallory"] * accounts + [f"rival {n}" for n in range(rivals)]
    state = town_of(roots, rules)
    bids = bids_of(state, [50] * len(roots))
    dice, served = random.Random(accounts * 100 + rivals * 10 + slots), Counter[str]()
    for _ in range(DRAWS):
        ranked = Ties(state, CFP, hashlib.sha256(dice.randbytes(32)).digest()).rank(bids, score)
        served.update({state.accounts[bid.account].budget_root for bid in ranked[:slots]})
    return {root: served[root] / DRAWS for root in roots}


@pytest.mark.parametrize("slots", [1, 2, 3])
@pytest.mark.parametrize("accounts", [1, 2, 5, 20])
def test_splitting_an_account_changes_nobodys_chance(accounts: int, slots: int) -> None:
    """Mallory against three rivals with equal bids: each of the four roots is served in one call of four for each slot,
    however many accounts mallory has, within three standard deviations."""
    chance = slots / 4
    for part in chances(accounts, 3, slots).values():
        assert abs(part - chance) <= 3 * sqrt(chance * (1 - chance) / DRAWS)


def test_splitting_an_account_changed_chances_before() -> None:
    """The check can fail: with rules 9 five accounts of eight win five ties of eight."""
    parts = chances(5, 3, 1, rules=9)
    assert abs(parts["mallory"] - 5 / 8) <= 3 * sqrt(5 / 8 * 3 / 8 / DRAWS)
