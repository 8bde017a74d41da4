"""CFPs that buy: the reference's rows through real commands, prices by their definition, and how work ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet import credits
from contractnet.messages import Code, Command, Direction, PostingReason, Pricing, Progress, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import KeyPair
from market.account import Account
from market.limits import LEASE_MS_MAX
from market.pricing import Allotment
from market.procurement import allot_asks, payment_ucr
from market.state import Bid, Cfp, Pool, State
from market.works import Terms, Work
from tests.market.buyers import BUYER, ask, bazaar, buying, done, failed, started
from tests.market.cases_purchases import PURCHASE_CASES, let_buy
from tests.market.test_pricing import let_win_ties, tie_number
from tests.market.test_rules import busy_town
from tests.market.town import BANK, Town, key_pair

HEAD, NOW_MS = bytes(range(32)), 1_000_000


def award_of(town: Town, cfp: bytes) -> e.AwardMade:
    """Move the clock to a CFP's deadline and tick; its only award."""
    (award,) = town.settle(cfp)
    return award


def spent(town: Town, ids: dict[str, bytes], name: str, of: int) -> int:
    """What an account of `of` micro-credits has paid (or, negative, was paid); it holds nothing any more."""
    account = town.state.accounts[ids[name]]
    assert account.held_ucr == 0
    return of - account.balance_ucr


@pytest.mark.parametrize(("late_ms", "paid"), [(0, 62), (30_000, 59), (620_000, 0), (2_000_000, 0)])
def test_the_reference_rows(late_ms: int, paid: int) -> None:
    """Ceiling 100, 0.1 a second: A asks 50 at 120 s (62 in all), B 60 at 0 s. B wins and is promised 62, less what its
    delay costs; never less than nothing."""
    much = int(credits(10_000))
    town, ids = bazaar("a", "b", credits_ucr=much)
    terms = {"reserve_price_ucr": int(credits(100)), "delay_cost_per_s_ucr": int(credits(1)) // 10}
    terms |= {"bond_ucr": int(credits(7)), "start_within_ms": 120_000, "grace_ms": 3_600_000}
    cfp = town.send(buying(**terms), BUYER).id
    assert town.state.accounts[ids["buyer"]].held_ucr == credits(100)
    town.send(ask(cfp, "a", int(credits(50)), 120_000), key_pair("a"))
    town.send(ask(cfp, "b", int(credits(60))), key_pair("b"))
    let_win_ties(town, cfp, ids["b"], ids["a"])
    award = award_of(town, cfp)
    assert (award.account, award.price_ucr, award.bid_price_ucr) == (ids["b"], credits(62), credits(60))
    assert town.state.accounts[ids["buyer"]].held_ucr == credits(62)
    for _ in range(0, late_ms, 10_000):
        town.at_ms += 10_000
        town.tick()
    town.send(started(award.award), key_pair("b"))
    assert town.send(done(award.award, "https://example.org/result"), key_pair("b")).code is Code.ACCEPTED
    assert spent(town, ids, "buyer", much) == -spent(town, ids, "b", much) == credits(paid)
    assert spent(town, ids, "a", much) == 0


@dataclass(frozen=True)
class Row:
    """Asks as (contractor, price, start delay, weight), the order in which ties go, winners with their prices."""

    asks: tuple[tuple[str, int, int, int], ...]
    tie_order: str
    wins: tuple[tuple[str, int], ...]
    slots: int = 1
    pricing: Pricing = Pricing.SECOND


ROWS = {
    "the second price": Row((("a", 50, 0, 1000), ("b", 60, 0, 1000)), "ab", (("a", 60),)),
    "one less where the loser would win the tie": Row((("a", 50, 0, 1000), ("b", 60, 0, 1000)), "ba", (("a", 59),)),
    "a delay turns the ranking": Row((("a", 50, 120, 1000), ("b", 60, 0, 1000)), "ba", (("b", 62),)),
    "a winner's own delay counts": Row((("a", 50, 120, 1000), ("b", 70, 0, 1000)), "ab", (("a", 58),)),
    "a weight turns the ranking": Row((("a", 50, 0, 500), ("b", 60, 0, 1000)), "ba", (("b", 100),)),
    "a weight lowers the price": Row((("a", 20, 0, 600), ("b", 60, 0, 1000)), "ab", (("a", 36),)),
    "rounded down": Row((("a", 20, 0, 666), ("b", 50, 0, 1000)), "ab", (("a", 33),)),
    "alone, the ceiling": Row((("a", 30, 0, 1000),), "a", (("a", 100),)),
    "never above the ceiling": Row((("a", 30, 0, 1000), ("b", 90, 1000, 1000)), "ab", (("a", 100),)),
    "two slots": Row((("a", 30, 0, 1000), ("b", 40, 0, 1000), ("c", 50, 0, 1000)), "abc", (("a", 50), ("b", 50)), 2),
    "two slots, one loses the tie": Row(
        (("a", 30, 0, 1000), ("b", 40, 0, 1000), ("c", 50, 0, 1000)), "acb", (("a", 50), ("b", 49)), 2
    ),
    "two slots, one ask": Row((("a", 30, 0, 1000),), "a", (("a", 100),), 2),
    "equal asks": Row((("a", 40, 0, 1000), ("b", 40, 0, 1000)), "ba", (("b", 40),)),
    "first price": Row((("a", 50, 0, 1000), ("b", 60, 0, 1000)), "ab", (("a", 50),), 1, Pricing.FIRST),
    "nobody": Row((), "a", ()),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_prices(name: str) -> None:
    """Real commands give the winners and prices of the row, whichever ask arrives first; the escrows are the prices."""
    row = ROWS[name]
    for asks in (row.asks, row.asks[::-1]):
        town, ids = bazaar("a", "b", "c")
        for contractor, _, _, weight in asks:
            town.send(c.SetWeight(ids[contractor], weight), BANK)
        cfp = town.send(buying(slots=row.slots, pricing=row.pricing), BUYER).id
        for contractor, price_ucr, delay_ms, _ in asks:
            assert town.send(ask(cfp, contractor, price_ucr, delay_ms), key_pair(contractor)).code is Code.ACCEPTED
        let_win_ties(town, cfp, *(ids[x] for x in row.tie_order))
        names = {ident: name for name, ident in ids.items()}
        assert tuple((names[a.account], a.price_ucr) for a in town.settle(cfp)) == row.wins
        assert town.state.accounts[ids["buyer"]].held_ucr == sum(price for _, price in row.wins)
        bonds = {n: 5 if n in dict(row.wins) else 0 for n in "abc"}
        assert {n: town.state.accounts[ids[n]].held_ucr for n in "abc"} == bonds


@pytest.mark.parametrize(
    ("code", "sender", "command"), [case[1:] for case in PURCHASE_CASES], ids=[case[0] for case in PURCHASE_CASES]
)
def test_a_broken_rule(code: Code, sender: KeyPair, command: Callable[[dict[str, bytes]], Command]) -> None:
    """The command is rejected with its code, changes nothing else, and the market takes the next one."""
    town, ids = busy_town()
    let_buy(town, ids)
    before = {a.id: (a.balance_ucr, a.held_ucr) for a in town.state.accounts.values()}
    answer = town.send(command(ids), sender)
    assert answer.code is code
    (rejected,) = answer.events
    assert isinstance(rejected, e.CommandRejected)
    assert len(rejected.detail) < 120
    assert {a.id: (a.balance_ucr, a.held_ucr) for a in town.state.accounts.values()} == before
    assert town.send(ask(ids["asked"], "hal", 100), key_pair("hal")).code is Code.ACCEPTED


def test_limits_of_a_purchase() -> None:
    """The longest grace, start and delay cost, and a ceiling of all that there is, are taken."""
    town, _ = bazaar("a", credits_ucr=10**15)
    terms = {"grace_ms": LEASE_MS_MAX - 1_000, "start_within_ms": 24 * 3600 * 1000, "delay_cost_per_s_ucr": 10**15}
    cfp = town.send(buying(**terms, reserve_price_ucr=10**15, bond_ucr=10**15), BUYER).id
    assert town.send(ask(cfp, "a", 10**15, 24 * 3600 * 1000), key_pair("a")).code is Code.ACCEPTED
    award = award_of(town, cfp)
    assert award.price_ucr == 10**15
    assert town.send(c.IssueCredits(award.account, 1, ""), BANK).code is Code.ACCEPTED


def test_the_units_are_locked_from_the_promised_start_to_the_end_of_grace() -> None:
    """They are the contractor's own, no one else can be sold them, and the end of the work frees them at once."""
    town, _ = bazaar("a", units=1)
    cfp = town.send(buying(duration_ms=1_000, grace_ms=500), BUYER).id
    town.send(ask(cfp, "a", 60, 200), key_pair("a"))
    award = award_of(town, cfp)
    lease = town.state.leases[award.award]
    assert (lease.starts_at_ms, lease.ends_at_ms) == (town.at_ms + 200, town.at_ms + 1_700)
    assert (lease.pool, lease.account, town.state.pools["a"].timeline.peak(lease.ends_at_ms - 1)) == (
        "a",
        award.account,
        1,
    )
    town.send(failed(award.award), key_pair("a"))
    assert town.state.pools["a"].timeline.peak(town.at_ms) == 0


def test_the_bond_is_lost_by_silence() -> None:
    """Work that nobody ends times out by itself; the manager has its ceiling back, and the bond."""
    town, ids = bazaar("a")
    cfp = town.send(buying(), BUYER).id
    town.send(ask(cfp, "a", 60), key_pair("a"))
    award = award_of(town, cfp)
    town.at_ms += 1_999
    assert town.state.works
    assert not town.tick().of(e.WorkReported)
    town.at_ms += 1
    answer = town.tick()
    assert [told.progress for told in answer.of(e.WorkReported)] == [Progress.TIMED_OUT]
    assert [p.reason for p in answer.of(e.CreditsTransferred)] == [PostingReason.FORFEIT]
    assert (spent(town, ids, "a", 10_000), spent(town, ids, "buyer", 10_000)) == (5, -5)
    assert town.send(done(award.award), key_pair("a")).code is Code.UNKNOWN_LEASE


# By definition: the auction written anew with fractions, and prices found by trying.

offers = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([0, 0, 40, 90, 250]), st.sampled_from([500, 666, 800, 1000])),
    min_size=1,
    max_size=6,
)
settled = st.fixed_dictionaries(
    {
        "slots": st.integers(1, 3),
        "cost": st.sampled_from([0, 1, 37, 100, 400]),
        "ceiling": st.sampled_from([60, 75, 200]),
        "rules": st.sampled_from([9, 10]),
        "roots": st.lists(st.integers(0, 2), min_size=12, max_size=12),
    }
)
Settled = dict[str, Any]
"""The terms of a CFP, the rules, and the budget root of each contractor."""


def auction(asks: list[tuple[int, int, int]], terms: Settled, full: tuple[int, ...] = ()) -> Allotment:
    """What the market makes of asks (price, delay, weight); the pools of the contractors `full` have no room."""
    state = State("m", bytes(32), bytes(16), 4, True, terms["rules"])
    cfp = Cfp(b"cfp".ljust(16), b"m" * 16, Direction.BUY, "h100", 1, 1_000, terms["slots"], terms["ceiling"],
              Pricing.SECOND, NOW_MS, 0)  # fmt: skip
    cfp.terms = Terms(terms["cost"], 1, 1_000, 0)
    for number, (price_ucr, delay_ms, weight) in enumerate(asks):
        name = bytes([number]) * 16
        state.accounts[name] = Account(name, str(number), "project", str(terms["roots"][number]))
        state.pools[str(number)] = Pool(str(number), name, 1)
        if number in full:
            state.pools[str(number)].timeline.add(NOW_MS, NOW_MS + 10_000, 1)
        placed = Bid(name, cfp.id, name, price_ucr, weight, delay_ms, "", bytes(32), pool=str(number))
        cfp.bids[name] = placed
    return allot_asks(state, cfp, cfp.terms, NOW_MS, HEAD)


def won(allotment: Allotment) -> dict[int, int]:
    """The price of each winner, by its place in the list of asks."""
    return {win.bid.id[0]: win.price_ucr for win in allotment.wins}


def ranking(asks: list[tuple[int, int, int]], terms: Settled) -> list[int]:
    """Who is how good, by the definition; from version 10 on those of one root who are equally good come in turns."""

    def score(number: int) -> Fraction:
        price, delay_ms, weight = asks[number]
        return (price + Fraction(terms["cost"] * delay_ms, 1000)) / weight

    def lot(name: bytes) -> bytes:
        return tie_number(HEAD, b"cfp".ljust(16), name)

    def place(number: int) -> tuple[Fraction, int, bytes, bytes]:
        mine, roots = lot(bytes([number]) * 16), terms["roots"]
        if terms["rules"] < 10:
            return score(number), 0, b"", mine
        equals = [n for n in range(len(asks)) if score(n) == score(number) and roots[n] == roots[number]]
        turn = sum(lot(bytes([n]) * 16) < mine for n in equals)
        return score(number), turn, lot(str(roots[number]).encode()), mine

    return sorted(range(len(asks)), key=place)


@settings(max_examples=300, deadline=None)
@given(asks=offers, terms=settled)
def test_winners_and_prices_are_those_of_the_definition(asks: list[tuple[int, int, int]], terms: Settled) -> None:
    """The lowest scores win; each price is the largest ask at which its winner still wins, found by trying."""
    wins = won(auction(asks, terms))
    assert list(wins) == ranking(asks, terms)[: terms["slots"]]
    for number, price_ucr in wins.items():

        def still_wins(price: int, number: int = number) -> bool:
            tried = [(price, *a[1:]) if n == number else a for n, a in enumerate(asks)]
            return number in ranking(tried, terms)[: terms["slots"]]

        assert price_ucr == max(p for p in range(terms["ceiling"] + 1) if still_wins(p))


@settings(max_examples=300, deadline=None)
@given(asks=offers, terms=settled, extra=offers)
def test_an_unlockable_ask_changes_no_price(
    asks: list[tuple[int, int, int]], terms: Settled, extra: list[tuple[int, int, int]]
) -> None:
    """Whoever has no room is in neither ranking nor pricing, however low it asks."""
    full = tuple(range(len(asks), len(asks) + len(extra)))
    both = auction(asks + extra, terms, full)
    assert won(both) == won(auction(asks, terms))
    assert [reason for bid, reason in both.losses if bid.id[0] in full] == [ReleaseReason.UNLOCKABLE] * len(full)


def work(price_ucr: int, promised_ms: int, delay_ms: int, cost: int) -> Work:
    """Work that has started."""
    who = (b"a" * 16, b"c" * 16, b"m" * 16, b"w" * 16)
    return Work(*who, price_ucr, 1, cost, promised_ms, NOW_MS, "", delay_ms)


@settings(max_examples=300, deadline=None)
@given(
    price=st.integers(1, 10**15), promised=st.integers(0, 10**5), late=st.integers(0, 10**7), cost=st.integers(0, 10**6)
)
def test_a_payment_is_the_price_less_the_cost_of_lateness(price: int, promised: int, late: int, cost: int) -> None:
    """Rounded down to whole micro-credits, and never below nothing."""
    paid = payment_ucr(work(price, promised, promised + late, cost))
    assert paid == max(0, (price - Fraction(cost * late, 1000)).__floor__())
    assert paid <= payment_ucr(replace(work(price, promised, promised, cost))) == price


def gain(asks: list[tuple[int, int, int]], terms: Settled, number: int, cost_ucr: int, able_ms: int) -> Fraction:
    """What contractor `number` gains, whose costs are `cost_ucr` and who can start after `able_ms`."""
    wins = won(auction(asks, terms))
    if number not in wins:
        return Fraction(0)
    promised_ms = asks[number][1]
    paid = payment_ucr(work(wins[number], promised_ms, max(promised_ms, able_ms), terms["cost"]))
    return Fraction(paid - cost_ucr)


@settings(max_examples=600, deadline=None)
@given(
    asks=offers,
    terms=settled,
    price=st.integers(1, 75),
    delay_ms=st.sampled_from([0, 20, 40, 60, 90, 120, 250, 400]),
)
def test_no_contractor_gains_by_another_ask(
    asks: list[tuple[int, int, int]], terms: Settled, price: int, delay_ms: int
) -> None:
    """Under SECOND nobody does better than to ask its costs and to promise the delay it can keep, whatever the others
    ask. Payments are whole micro-credits, rounded down at the price and at the lateness: less than one is no gain."""
    cost_ucr, able_ms, weight = asks[0]
    tried = [(min(price, terms["ceiling"]), delay_ms, weight), *asks[1:]]
    honest = gain(asks, terms, 0, cost_ucr, able_ms)
    assert honest >= 0
    assert gain(tried, terms, 0, cost_ucr, able_ms) < honest + 1


def test_honesty_is_not_best_under_first_price() -> None:
    """The check can fail: under FIRST whoever is alone gains by asking for the ceiling."""
    town, ids = bazaar("a")
    gains = []
    for price_ucr in (30, 100):
        cfp = town.send(buying(pricing=Pricing.FIRST), BUYER).id
        town.send(ask(cfp, "a", price_ucr), key_pair("a"))
        gains.append(award_of(town, cfp).price_ucr - 30)
    assert gains == [0, 70]
    assert town.state.accounts[ids["a"]].held_ucr == 10
