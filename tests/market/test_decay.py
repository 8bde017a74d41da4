"""Decay by the average: no schedule of transfers and bids takes credits out of its way (docs/guards.md)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.messages import Code, PostingReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import shard
from market.decay import Tally, decay_ucr
from tests.market.town import BANK, MANAGER, Town, bid, budget, call, key_pair, small_town

MINUTE_MS = 60_000
NAMES = ("manager", "ann", "bob", "cat")
KEYS = {name: MANAGER if name == "manager" else key_pair(name) for name in NAMES}

who = st.sampled_from(NAMES)
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 777, 10_000, 29_999, 30_000, 59_000, 60_000]),
        st.one_of(
            st.tuples(st.just("give"), who, who, st.integers(1, 1000)),
            st.tuples(st.just("bid"), who, st.sampled_from([50, 20_000, 150_000]), st.integers(1, 1000)),
        ),
    ),
    max_size=25,
)


def area(past: list[tuple[int, int]], start_ms: int, end_ms: int) -> int:
    """Micro-credits times milliseconds between two instants, of a balance by instants from which on it was so."""
    steps = pairwise([*past, (max(end_ms, past[-1][0]), 0)])
    return sum(ucr * max(0, min(end_ms, until) - max(start_ms, since)) for (since, ucr), (until, _) in steps)


class Schedule:
    """Four accounts with windows at offsets of their own, what they had, and what decay has taken of it."""

    def __init__(self, offsets: list[int], permille: int) -> None:
        self.town, self.ids = small_town(*NAMES[1:], units=100, credits_ucr=10_000)
        self.permille = permille
        self.past: dict[str, list[tuple[int, int]]] = {}
        for name, offset_ms in zip(NAMES, offsets, strict=True):
            terms = {"limit_ucr": None, "decay_permille": permille, "offset_ms": offset_ms}
            self.town.send(budget(self.ids[name], **terms), BANK)
            self.past[name] = [(self.town.at_ms, self.balance(name))]
        self.seen = len(self.town.answers)

    def balance(self, name: str) -> int:
        """What an account has, held credits included."""
        return self.town.state.accounts[self.ids[name]].balance_ucr

    def look(self) -> None:
        """Note what everybody has since the last record."""
        for name, past in self.past.items():
            if self.balance(name) != past[-1][1]:
                past.append((self.town.state.now_ms, self.balance(name)))

    def play(self, wait_ms: int, step: tuple[str, str, str | int, int]) -> None:
        """Time passes, and an account gives a part of what it can spend, or bids it."""
        self.town.at_ms += wait_ms
        _, name, other, permille = step
        amount_ucr = max(0, self.town.state.accounts[self.ids[name]].available_ucr) * permille // 1000
        if isinstance(other, str):
            self.town.send(c.TransferCredits(self.ids[name], self.ids[other], amount_ucr, ""), BANK)
        else:
            cfp = self.town.send(call(open_ms=other, reserve_price_ucr=1 + amount_ucr // 2), MANAGER)
            self.look()
            if cfp.code is Code.ACCEPTED:
                self.town.send(bid(cfp.id, max(1, amount_ucr)), KEYS[name])
        self.look()

    def paid(self, name: str) -> tuple[int, int, int]:
        """What decay has taken of an account and what it owes, its area in windows that are over, and their number."""
        mine, taken, ended = self.ids[name], 0, []
        scope = self.town.state.scopes[mine].id
        for answer in self.town.answers[self.seen :]:
            for moved in answer.of(e.CreditsTransferred):
                taken += moved.amount_ucr if (moved.debit, moved.reason) == (mine, PostingReason.DECAY) else 0
            ended += [s.starts_at_ms for s in answer.of(e.BudgetWindowStarted) if s.budget == scope]
        until_ms = max(ended, default=self.past[name][0][0])
        had = area(self.past[name], self.past[name][0][0], until_ms)
        return taken + self.town.state.accounts[mine].owed_ucr, had, len(ended)


@settings(max_examples=60, deadline=None)
@given(
    offsets=st.lists(st.integers(0, MINUTE_MS - 1), min_size=4, max_size=4),
    permille=st.sampled_from([1, 100, 333, 1000]),
    moves=steps,
    due=st.sampled_from([1, 2, 64]),
)
def test_no_schedule_moves_credits_out_of_the_way(
    offsets: list[int], permille: int, moves: list[tuple[int, tuple[str, str, str | int, int]]], due: int
) -> None:
    """What decay has taken and what is owed is the rate of the average of what all accounts had, window by window,
    whatever was given to whom and held by which bid, less the rounding: below one micro-credit an account and window.
    Also where windows are over before their record comes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "DUE_PER_COMMAND_MAX", due)
        schedule = Schedule(offsets, permille)
        for wait_ms, step in moves:
            schedule.play(wait_ms, step)
        schedule.town.at_ms += MINUTE_MS
        while (schedule.town.state.due_at_ms or 0) <= schedule.town.at_ms:
            schedule.town.tick()
            schedule.look()
        for name in NAMES:
            paid_ucr, had, windows = schedule.paid(name)
            unit = 1000 * MINUTE_MS
            assert paid_ucr * unit <= had * permille < (paid_ucr + windows) * unit


@given(
    changes=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 9)), max_size=8),
    turns=st.lists(st.integers(0, 8), max_size=4),
)
def test_each_instant_counts_for_its_window(changes: list[tuple[int, int]], turns: list[int]) -> None:
    """Windows of ten milliseconds, balances that change at any time, ends that are settled late: areas are those of a
    count of each millisecond."""
    tally, now, balance, start = Tally(3), 3, 0, 0
    had: list[int] = [0] * 3
    for number, (step, after) in enumerate(changes):
        tally.count(balance, now + step, start, 10)
        had += [balance] * step
        now, balance = now + step, after
        if number in turns and now >= start + 10:
            assert tally.area_at(balance, start + 10) == sum(had[start : start + 10])
            del tally.areas[:1]
            start += 10
    end = max(now, start + 10)
    had += [balance] * (end - now)
    assert tally.area_at(balance, start + 10) == sum(had[start : start + 10])


@pytest.mark.parametrize(
    ("area_ucr_ms", "permille", "decay"),
    [(0, 1000, 0), (60_000 * 1_000, 100, 100), (60_000 * 19, 100, 1), (180_600, 333, 1), (599_999, 100, 0)],
)
def test_a_part_of_the_average_rounded_down_once(area_ucr_ms: int, permille: int, decay: int) -> None:
    """Not the average first and its part then: 333 permille of 3.01 are 1, those of 3 would be 0."""
    assert decay_ucr(area_ucr_ms, MINUTE_MS, permille) == decay


def test_the_largest_balance_for_the_longest_window() -> None:
    """Areas are beyond 64 bits; a snapshot keeps them, and they are exact."""
    town = Town()
    rich = town.account("rich", credits_ucr=10**15)
    year_ms = 366 * 24 * 3600 * 1000
    offset_ms = town.at_ms % year_ms
    town.send(budget(rich, limit_ucr=None, decay_permille=1000, window_ms=year_ms, offset_ms=offset_ms), BANK)
    town.state.accounts[rich].balance_ucr += 3 * 10**18
    town.state.accounts[town.state.bank].balance_ucr -= 3 * 10**18
    tally = town.state.budgets[town.state.scopes[rich].id].tallies[rich]
    tally.count(town.state.accounts[rich].balance_ucr, town.at_ms + year_ms - 1, town.at_ms, year_ms)
    assert tally.areas[0] > 2**64
    restored = town.restored(town.canonical()).markets[town.market]
    assert restored.scopes[rich].tallies[rich] == tally
    assert restored.scopes[rich].decay_ucr(rich, 3 * 10**18 + 10**15) == 3 * 10**18 + 10**15
