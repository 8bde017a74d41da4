"""A floor share: who is invited, that nobody waits for ever, and that neither ids nor more accounts decide it. What it
does in a market is measured by tests/market/test_floor.py.

`pytest -s tests/strategies/test_floor_share.py` prints what it found."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from statistics import mean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.strategies import FloorShare

SALT = bytes(range(16))
EVERY, SEATS, PATIENCE, MEMORY = 5, 2, 3, 20


def account(n: int) -> bytes:
    """An id; its root is named by `root`."""
    return bytes([n]) * 16


def everybody(count: int) -> dict[bytes, str]:
    """So many accounts, each of its own root."""
    return {account(n): f"root {n}" for n in range(count)}


def learned(winners: list[int], count: int = 4, salt: bytes = SALT) -> FloorShare:
    """What has seen open calls that all took part in, each with this winner."""
    floor = FloorShare(salt, every=EVERY, seats=SEATS, patience=PATIENCE, memory=MEMORY)
    for winner in winners:
        floor.observe(everybody(count), [account(winner)])
    return floor


def test_those_who_have_won_least_are_invited_to_every_fifth_call() -> None:
    """The least of all first; among equals who has not won for longest. To other calls whoever wants may come."""
    floor = learned([0, 0, 2, 1, 0])
    assert [floor.invited(number) for number in (1, 2, 3, 4, 6)] == [[]] * 5
    assert floor.invited(5) == [account(3), account(2)]
    assert learned([3, 3, 2, 1, 2]).invited(5) == [account(0), account(1)]
    # Wins are forgotten with their calls: those of 2 and 3 here.
    assert learned([2, 2, 3, 3, *[0, 1] * 10]).invited(10) == [account(2), account(3)]
    assert learned([0, 0, 0], count=SEATS).invited(5) == []
    assert FloorShare(SALT).invited(5) == []


def test_equals_are_drawn_by_lot() -> None:
    """Of six that never won, each is invited a third of the time, whatever the ids: by other calls, and other salts."""
    for floors in (
        [(learned([0], count=7), number) for number in range(EVERY, 3_000 * EVERY, EVERY)],
        [(learned([0], count=7, salt=n.to_bytes(16, "big")), EVERY) for n in range(3_000)],
    ):
        drawn = Counter(who for floor, number in floors for who in floor.invited(number))
        assert account(0) not in drawn
        spread = math.sqrt(3_000 * 1 / 3 * 2 / 3)
        assert all(abs(drawn[account(n)] - 1_000) < 4 * spread for n in range(1, 7)), drawn


@settings(deadline=None)
@given(order=st.permutations(range(8)), count=st.integers(3, 8))
def test_nobody_waits_for_ever(order: list[int], count: int) -> None:
    """However the bids of all others are above one's own, each wins within the memory and as many floor calls as there
    are roots and trials of patience."""
    floor = learned([], count)
    strength = {account(n): order[n] for n in range(count)}
    last = dict.fromkeys(everybody(count), 0)
    longest = 0
    for number in range(1, 400):
        invited = floor.invited(number)
        bidders = {who: root for who, root in everybody(count).items() if not invited or who in invited}
        winner = max(bidders, key=strength.__getitem__)
        floor.observe(bidders, [winner], invited)
        last[winner] = number
        longest = max(longest, *(number - since for since in last.values()))
    assert longest <= MEMORY + EVERY * (count + PATIENCE + 1)


def test_who_is_outbid_again_and_again_is_invited_alone() -> None:
    """After three floor calls without a win; a win begins it anew."""
    floor = learned([0, 1, 0, 1])
    for number in (5, 10, 15):
        invited = floor.invited(number)
        assert account(3) in invited
        other = next(who for who in invited if who != account(3))
        floor.observe({who: everybody(4)[who] for who in invited}, [other], invited)
    assert floor.invited(20) == [account(3)]
    floor.observe({account(3): "root 3"}, [account(3)], [account(3)])
    assert len(floor.invited(25)) == SEATS


def test_who_does_not_come_is_not_invited_until_it_takes_part() -> None:
    """Seats are for those that use them."""
    floor = learned([0, 1])
    invited = floor.invited(5)
    assert set(invited) == {account(2), account(3)}
    floor.observe({account(2): "root 2"}, [account(2)], invited)
    assert account(3) not in floor.invited(10)
    floor.observe(everybody(4), [account(0)])
    assert floor.invited(10)[0] == account(3)


def test_second_accounts_of_a_root_take_no_second_seat() -> None:
    """Wins count by root, and all of a root's accounts are invited on its one seat, 64 at most in all."""
    floor = FloorShare(SALT)
    accounts = everybody(4) | {account(4 + n): "root 3" for n in range(100)}
    for winner in (0, 0, 1, 1, 2):
        floor.observe(accounts, [account(winner)])
    assert floor.invited(5) == [account(3), *(account(4 + n) for n in range(63))]
    floor.observe(accounts, [account(50)] * 3)
    assert floor.invited(5) == [account(2), account(0)]


def test_where_it_is_known_whom_the_floor_is_for() -> None:
    """Of those alone who win least are invited, whoever else has won less; nobody where none of them took part."""
    for among, expected in (({"root 0", "root 1"}, {0, 1}), ({"root 1"}, {1}), ({"root 9"}, set())):
        floor = FloorShare(SALT, every=EVERY, among=among)
        for winner in (0, 1, 0, 1):
            floor.observe(everybody(4), [account(winner)])
        assert {who[0] for who in floor.invited(5)} == expected


def test_what_makes_no_sense() -> None:
    """It is refused."""
    with pytest.raises(ValueError, match="at least 16 bytes"):
        FloorShare(bytes(15))
    for terms in ({"every": 1}, {"seats": 0}, {"patience": 0}, {"memory": 0}):
        with pytest.raises(ValueError, match="every is at least 2"):
            FloorShare(SALT, **terms)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a winner is among the bidders"):
        FloorShare(SALT).observe({account(0): "root"}, [account(1)])


def gain(seed: int, holds_back: bool, calls: int = 500) -> int:
    """What a rich agent of six gains in second-price calls beside two poor, who have a tenth of its credits, all worths
    in its credits; where it holds back it bids in those calls alone to which it is invited."""
    dice = random.Random(seed)
    floor = FloorShare(bytes([seed]) * 16)
    gained = 0
    for number in range(1, calls + 1):
        worth = {account(n): dice.randrange(20, 100) * (1 if n > 5 else 10) for n in range(8)}
        invited = floor.invited(number)
        bids = {who: worth[who] for who in invited or worth}
        if holds_back and not invited:
            bids[account(0)] = 10
        winner, *others = sorted(bids, key=lambda who: (-bids[who], dice.random()))
        paid = bids[others[0]] if others else 10
        gained += (worth[winner] - paid) * (winner == account(0))
        floor.observe({who: everybody(8)[who] for who in bids}, [winner], invited)
    return gained


def test_who_holds_back_is_invited(tell: Callable[[str], None]) -> None:
    """What it says of itself in docs/guards.md: a rich agent that loses on purpose is taken for a poor one."""
    honest, held = ([gain(seed, holds_back) for seed in range(10)] for holds_back in (False, True))
    ratios = [mine / usual for mine, usual in zip(held, honest, strict=True)]
    half = 2.262 * stdev(ratios) / math.sqrt(len(ratios))
    tell(f"a rich agent that bids 10 in open calls gains x{mean(ratios):.2f} +- {half:.2f} (95%, 10 seeds, 500 calls)")
    assert mean(ratios) - half > 1
