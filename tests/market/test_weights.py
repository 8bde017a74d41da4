"""The least weight of a budget root at the epoch of a CFP: by its definition, within what is remembered, and cheap."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.messages import Code
from contractnet.messages import commands as c
from market import limits
from market.account import Account
from market.weights import RootWeights
from tests.market.town import BANK, Town, bid, key_pair, small_town


@settings(max_examples=400, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([500, 500, 600, 999, 1000])),
        max_size=limits.WEIGHTS_PER_ACCOUNT_MAX - 1,
    )
)
def test_it_is_the_least_of_all_accounts_at_any_epoch(changes: list[tuple[int, int]]) -> None:
    """Five accounts, of which some never change: after each change, for the epochs of all calls that may be open."""
    accounts = [Account(bytes([number]) * 16, str(number), "project", "root") for number in range(5)]
    weights, now = RootWeights(), dict.fromkeys(range(5), 1000)
    wanted = [1000]
    for epoch, (number, permille) in enumerate(changes, start=1):
        weights.change(accounts[number], epoch, permille)
        now[number] = permille
        wanted.append(min(now.values()))
        assert [weights.least_at(at) for at in range(epoch + 1)] == wanted


def weight_of_a_bid(town: Town, name: str, cfp: bytes) -> int:
    """What a bid is placed at."""
    placed = town.send(bid(cfp, 20), key_pair(name))
    assert placed.code is Code.ACCEPTED
    return town.state.bids[placed.id].weight_permille


def test_what_open_calls_count_by_is_remembered_for_all_of_a_root() -> None:
    """An account's weight changes as often as may be while a call is open; another account of its root still bids there
    at the least of the call's opening, and a call from in between has its own. Then the bank has to wait."""
    town, ids = small_town("ann", "bob")
    town.send(c.SetWeight(ids["ann"], 700), BANK)
    first = town.cfp(open_ms=60_000)
    changes = [c.SetWeight(ids["ann"], 500 + number) for number in range(limits.WEIGHTS_PER_ACCOUNT_MAX)]
    half = len(changes) // 2
    assert {town.send(change, BANK).code for change in changes[:half]} == {Code.ACCEPTED}
    second = town.cfp(open_ms=90_000)
    codes = [town.send(change, BANK).code for change in changes[half:]]
    assert codes == [Code.ACCEPTED] * (len(codes) - 1) + [Code.LIMIT_REACHED]
    assert weight_of_a_bid(town, "bob", first) == 700
    assert weight_of_a_bid(town, "bob", second) == 500 + half - 1
    town.settle(first)
    assert town.send(changes[-1], BANK).code is Code.ACCEPTED
    assert weight_of_a_bid(town, "ann", second) == 500 + half - 1


def test_a_raised_weight_counts_for_later_calls() -> None:
    """Neither a weight that is raised again, nor an account that is opened with full weight, changes an open call."""
    town, ids = small_town("ann", "bob")
    town.send(c.SetWeight(ids["ann"], 600), BANK)
    low = town.cfp(open_ms=60_000)
    town.send(c.SetWeight(ids["ann"], 1000), BANK)
    town.account("new", credits_ucr=100)
    high = town.cfp(open_ms=60_000)
    for name in ("ann", "bob", "new"):
        assert weight_of_a_bid(town, name, low) == 600
        assert weight_of_a_bid(town, name, high) == 1000


def test_accounts_without_a_change_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bank gives 500 accounts of one root a weight each. A lookup for a call that opens afterwards reads none of
    them, and one for an older call those that have changed since."""
    weights = RootWeights()
    accounts = [Account(number.to_bytes(16, "big"), str(number), "project", "root") for number in range(500)]
    for epoch, account in enumerate(accounts, start=1):
        weights.change(account, epoch, 1000 - epoch)
    read: list[bytes] = []

    def spied(account: Account, epoch: int) -> int:
        read.append(account.id)
        return next(w for e, w in reversed(account.weights) if e <= epoch)

    monkeypatch.setattr(Account, "weight_at", spied)
    assert (weights.least_at(500), read) == (500, [])
    assert weights.least_at(497) == 503
    assert read == [account.id for account in accounts[:496:-1]]
