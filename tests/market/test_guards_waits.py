"""Attacks by claims that wait, by reserves and by bonds, each without its guard and with it: see test_guards.py.

Without is rules version 9, with is version 10.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contractnet.messages import Code
from contractnet.messages import commands as c
from tests.market.buyers import BUYER, ask, buying
from tests.market.cases_deposits import RATE
from tests.market.cases_negotiations import joined
from tests.market.cases_resales import claim
from tests.market.test_guards import griefed
from tests.market.town import ANN, BANK, OPERATOR, Town, key_pair, small_town

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
FLOOR_UCR = 360_000
"""For each unit and hour: 100 for a unit and second, which is what the calls of `griefed` sell."""


def member(town: Town, name: str, root: str, credits_ucr: int = 10_000) -> bytes:
    """An account of a budget root, with credits."""
    opened = town.send(c.OpenAccount(name, root, root, key_pair(name).public, bytes(32)), BANK)
    assert town.send(c.IssueCredits(opened.id, credits_ucr, ""), BANK).code is Code.ACCEPTED
    return opened.id


def kept_away(rules: int, minutes: int, roots: int = 1) -> int:
    """Ann has a slot, and answers whoever means it. Each minute Mallory, who has so many budget roots, claims it where
    she may, for one micro-credit, as long as she may and without meaning it; and bob, who means it, tries as well. In
    how many minutes he may not."""
    town, _ = small_town("ann", credits_ucr=1_000, rules=rules)
    names = [f"mallory {number}" for number in range(roots)]
    for name in (*names, "bob"):
        member(town, name, f"root of {name}")
    lease = town.bid(cfp := town.cfp(duration_ms=48 * HOUR_MS), "ann", 20).id
    town.settle(cfp)
    squat = claim(lease, 1, rounds_max=1, still_rounds_max=0, round_ms=12 * HOUR_MS)
    refused = 0
    for _ in range(minutes):
        town.tick()
        for name in names:
            if lease not in town.state.bargained:
                town.send(squat, key_pair(name))
        wish = town.send(claim(lease, 900), key_pair("bob"))
        if wish.code is Code.ACCEPTED:
            assert town.send(joined(wish.id, 0), ANN).code is Code.ACCEPTED
            town.send(c.LeaveNegotiation(wish.id), key_pair("bob"))
        else:
            assert wish.code is Code.LEASE_IN_NEGOTIATION
            refused += 1
        town.at_ms += MINUTE_MS
    return refused


@pytest.mark.parametrize(("rules", "refused"), [(9, 780), (10, 60)])
def test_claims_for_next_to_nothing_squat_no_more(rules: int, refused: int, tell: Callable[[str], None]) -> None:
    """Up to version 9 whoever holds one micro-credit for a claim of twelve hours, and then again, keeps all others away
    for as long as the lease goes on. From version 10 on it is five minutes in sixty-five."""
    found = kept_away(rules, 13 * 60)
    tell(f"rules {rules}: a lease is kept from another claimant in {found} of 780 minutes")
    assert found == refused


@pytest.mark.parametrize(("roots", "refused"), [(1, 15), (6, 90), (13, 195)])
def test_more_budget_roots_squat_for_longer(roots: int, refused: int) -> None:
    """KNOWN LIMIT. Each root has its five minutes; thirteen in turn have all 65. Only the bank makes roots."""
    assert kept_away(10, 195, roots) == refused


@pytest.mark.parametrize("reserve_ucr", [100, 10, 1])
def test_a_floor_makes_the_reserve_that_a_manager_names_no_way_out(reserve_ucr: int) -> None:
    """Without a floor a call at a reserve of 1 deposits next to nothing (test_guards.py). With one, which says what a
    unit is worth in an hour, the same bids cost the same at any reserve, and that is what the bidder has of it."""
    assert griefed(RATE, "cancel", reserve_ucr=reserve_ucr, floor_ucr=FLOOR_UCR) == (990, 990, 180_000)
    assert griefed(RATE, "lapse", reserve_ucr=reserve_ucr, floor_ucr=FLOOR_UCR) == (1_000, 1_000, 180_000)


def test_a_floor_is_no_price() -> None:
    """KNOWN LIMIT. It is one number for all pools and says nothing of a bid: who bids more than the floor is locked for
    the same deposit, and who bids less is paid more than its credits are worth, where its manager serves nobody."""
    assert griefed(RATE, "cancel", 900, 1, FLOOR_UCR) == (990, 990, 324_000)
    assert griefed(RATE, "cancel", 1, 1, FLOOR_UCR) == (990, 990, 360)


def bonded(rules: int, bond_ucr: int) -> tuple[Code, int, int]:
    """A buyer with a ceiling of 10 calls, and three contractors ask. The answer to its call, what is locked of theirs
    for the day that it goes on, and of its own."""
    names = ("abe", "bea", "col")
    town, ids = small_town("buyer", *names, credits_ucr=1_000, rules=rules)
    for name in names:
        town.pool(name, ids[name], 1)
    called = town.send(buying(open_ms=24 * HOUR_MS, reserve_price_ucr=10, bond_ucr=bond_ucr), BUYER)
    for name in names:
        town.send(ask(called.id, name, 10), key_pair(name))
    accounts = town.state.accounts
    return called.code, sum(accounts[ids[name]].held_ucr for name in names), accounts[ids["buyer"]].held_ucr


def test_a_bond_above_the_ceiling_locks_nobody() -> None:
    """Up to version 9 a buyer that holds 10 has each contractor hold a hundred times that. From version 10 on a bond is
    not above the ceiling. KNOWN LIMIT: the ceiling is held for each slot, a bond for each ask."""
    assert bonded(9, 1_000) == (Code.ACCEPTED, 3_000, 10)
    assert bonded(10, 1_000) == (Code.BAD_AMOUNT, 0, 0)
    assert bonded(10, 11) == (Code.BAD_AMOUNT, 0, 0)
    assert bonded(10, 10) == (Code.ACCEPTED, 30, 10)


@pytest.mark.parametrize(("rules", "bond_ucr", "paid"), [(10, 10, 0), (11, 10, 999), (11, 100, 9_999)])
def test_a_buyer_that_takes_its_call_back_pays(rules: int, bond_ucr: int, paid: int) -> None:
    """Three contractors have a bond locked each for 59 minutes by one that holds a ceiling of 100. Up to version 10
    that cost nothing; from version 11 on the buyer pays the rate of one bond for that time, which they share. KNOWN
    LIMIT: a slot deposits for one ask, however many there are, as in a call that sells."""
    names = ("ann", "bob", "cyn")
    town, ids = small_town("buyer", *names, credits_ucr=20_000, rules=rules, strangers=True)
    for name in names:
        town.pool(name, ids[name], 1)
    town.send(c.SetDeposit(RATE, FLOOR_UCR), OPERATOR)
    called = town.send(buying(open_ms=HOUR_MS, reserve_price_ucr=100, bond_ucr=bond_ucr), BUYER)
    for name in names:
        assert town.send(ask(called.id, name, 60), key_pair(name)).code is Code.ACCEPTED
    locked = sum(town.state.accounts[ids[name]].held_ucr for name in names)
    assert locked == 3 * bond_ucr
    for _ in range(59):
        town.at_ms += MINUTE_MS
        town.tick()
    assert town.send(c.CancelCfp(called.id), BUYER).code is Code.ACCEPTED
    gained = [town.state.accounts[ids[name]].balance_ucr - 20_000 for name in names]
    assert gained == [paid // 3] * 3
    assert town.state.accounts[ids["buyer"]].balance_ucr == 20_000 - sum(gained)
    assert not any(account.held_ucr for account in town.state.accounts.values())
