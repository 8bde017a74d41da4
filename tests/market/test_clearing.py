"""Clearings of token pools as functions: who gets what, at which price, and what lying gains."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.messages import TokenPricing
from market.clearing import FULL_WEIGHT, Ask, Clearing, Sale, clear, ranked, worth_ucr
from market.tokens import PARTS, Order, TokenPool, TokenTerms

POOL, HEAD = b"p" * 16, b"h" * 32
THOUSAND = 1_000
"""Orders of whole thousands, at whole prices: then no payment is rounded."""


def ask(name: str, tokens: int, limit: int, *, root: str | None = None, weight: int = FULL_WEIGHT) -> Ask:
    """An order of an account at a clearing."""
    ident = name.encode().ljust(16, b"\0")
    return Ask(Order(ident, ident, tokens, limit, "", 0), root or name, tokens, weight)


def cleared(asks: list[Ask], supply: int, reserve: int = 0) -> Clearing:
    """The clearing of asks in their rank order."""
    eligible = [a for a in asks if a.order.limit_per_1000_ucr >= reserve]
    return clear(ranked([replace(a, tokens=min(a.tokens, supply)) for a in eligible], POOL, HEAD), supply, reserve)


def by_root(result: Clearing) -> dict[str, tuple[int, int]]:
    """Tokens and payments of each root."""
    tokens, paid = Counter[str](), Counter[str]()
    for sale in result.sales:
        tokens[sale.ask.root] += sale.tokens
        paid[sale.ask.root] += sale.paid_ucr
    return {root: (tokens[root], paid[root]) for root in tokens}


@st.composite
def markets(draw: st.DrawFn, roots_max: int = 4) -> tuple[list[Ask], int, int]:
    """A few roots with an order each, a supply and a reserve; tokens in thousands."""
    names = "abcdefghijkl"[: draw(st.integers(1, roots_max))]
    weights = st.sampled_from([FULL_WEIGHT, FULL_WEIGHT, 700_000, 250_000])
    asks = [ask(n, THOUSAND * draw(st.integers(1, 6)), draw(st.integers(1, 30)), weight=draw(weights)) for n in names]
    return asks, THOUSAND * draw(st.integers(1, 12)), draw(st.sampled_from([0, 1, 5]))


@settings(max_examples=400, derandomize=True, deadline=None)
@given(market=markets(), lie=st.integers(1, 40))
def test_the_true_limit_is_a_best_reply_under_vcg(market: tuple[list[Ask], int, int], lie: int) -> None:
    """Whatever one root says its tokens are worth each, it is never better off than with what they are worth."""
    asks, supply, reserve = market
    honest, value = asks[0], asks[0].order.limit_per_1000_ucr

    def gain(limit: int) -> int:
        order = replace(honest.order, limit_per_1000_ucr=limit)
        tokens, paid = by_root(cleared([replace(honest, order=order), *asks[1:]], supply, reserve)).get("a", (0, 0))
        return tokens // THOUSAND * value - paid

    assert gain(value) >= gain(lie)
    assert gain(value) >= 0


@settings(max_examples=400, derandomize=True, deadline=None)
@given(market=markets(roots_max=12), tokens=st.integers(1, 6_000), fine=st.booleans())
def test_what_a_clearing_always_keeps(market: tuple[list[Ask], int, int], tokens: int, fine: bool) -> None:
    """Nobody gets more than it asked for or pays more than its limit, nor less than the reserve; the best are served
    first, and all that can be sold is."""
    asks, supply, reserve = market
    if fine:
        asks = [replace(a, tokens=min(a.tokens, tokens + 7 * i)) for i, a in enumerate(asks)]
        supply += tokens
    result = cleared(asks, supply, reserve)
    eligible = [a for a in asks if a.order.limit_per_1000_ucr >= reserve]
    assert sum(s.tokens for s in result.sales) == min(supply, sum(min(a.tokens, supply) for a in eligible))
    for sale in result.sales:
        assert 0 < sale.tokens <= sale.ask.tokens
        limit = sale.ask.order.limit_per_1000_ucr
        assert worth_ucr(sale.tokens, reserve) <= sale.paid_ucr <= worth_ucr(sale.tokens, limit)
    effective = [sale.ask.effective for sale in result.sales]
    assert all(first >= second for first, second in pairwise(effective))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(market=markets(), share=st.integers(1, 5))
def test_splitting_a_root_gains_nothing(market: tuple[list[Ask], int, int], share: int) -> None:
    """A root that asks by two accounts gets and pays what it does by one, to a micro-credit per grant."""
    asks, supply, reserve = market
    whole = replace(asks[0], tokens=min(asks[0].tokens, supply))
    if whole.tokens <= share * THOUSAND:
        return
    parts = [
        replace(whole, tokens=n, order=replace(whole.order, account=account))
        for n, account in ((share * THOUSAND, b"1" * 16), (whole.tokens - share * THOUSAND, b"2" * 16))
    ]
    one, two = (by_root(cleared([*mine, *asks[1:]], supply, reserve)) for mine in ([whole], parts))
    (tokens, paid), (split_tokens, split_paid) = one.get("a", (0, 0)), two.get("a", (0, 0))
    assert tokens == split_tokens
    assert paid - 2 < split_paid <= paid
    assert {r: t for r, t in one.items() if r != "a"} == {r: t for r, t in two.items() if r != "a"}


def test_a_root_raises_no_price_for_itself() -> None:
    """What a root's other account is refused is no part of what the root displaces."""
    asks = [ask("a", 6_000, 20), ask("b", 6_000, 15), ask("a too", 6_000, 10, root="a"), ask("c", 2_000, 5)]
    assert by_root(cleared(asks, 12_000)) == {"a": (6_000, 10), "b": (6_000, 6 * 10)}


def test_the_pricing_follows_the_number_and_the_size_of_roots() -> None:
    """One price from ten roots on, if none asks for more than a fifth; else VCG. Accounts of a root count once."""

    def pricing(asks: list[Ask], supply: int) -> TokenPricing:
        return cleared(asks, supply).pricing

    ten = [ask(f"root {i}", 20, 10 + i) for i in range(10)]
    assert pricing(ten, 100) is TokenPricing.UNIFORM
    assert pricing(ten[1:], 100) is TokenPricing.VCG
    assert pricing([*ten[1:], ask("another", 21, 10)], 100) is TokenPricing.VCG
    assert pricing([*ten[1:], ask("another", 1, 10, root="root 1")], 1_000) is TokenPricing.VCG
    assert pricing([*ten, ask("another", 1, 10, root="root 1")], 100) is TokenPricing.VCG


def test_one_price_is_that_of_the_first_token_that_nobody_got() -> None:
    """All pay alike, scaled by their weight; with enough for all it is the reserve."""
    asks = [ask(f"root {i:02}", 20 * THOUSAND, 10 + i) for i in range(12)]
    result = cleared(asks, 100 * THOUSAND)
    assert result.price_per_1000_ucr == 16
    assert [(sale.ask.root, sale.paid_ucr) for sale in result.sales] == [(f"root {i}", 320) for i in (11, 10)] + [
        (f"root 0{i}", 320) for i in (9, 8, 7)
    ]
    asks[11] = replace(asks[11], weight=800_000)
    light = {sale.ask.root: sale.paid_ucr for sale in cleared(asks, 100 * THOUSAND).sales}
    assert light["root 11"] == 20 * 20
    assert light["root 10"] == 20 * 16
    plenty = cleared([replace(a, tokens=THOUSAND) for a in asks], 100 * THOUSAND, 3)
    assert {sale.paid_ucr for sale in plenty.sales} == {3}


def test_demand_reduction_gains_with_two_and_next_to_nothing_with_many() -> None:
    """Why the pricing switches: under one price, two roots that ask for less pay the reserve; VCG leaves no gain."""
    both = [ask("a", 10 * THOUSAND, 20), ask("b", 10 * THOUSAND, 18)]
    less = [replace(both[0], tokens=6 * THOUSAND), both[1]]
    honest, reduced = (by_root(cleared(asks, 12 * THOUSAND))["a"] for asks in (both, less))
    assert honest[0] * 20 // THOUSAND - honest[1] >= reduced[0] * 20 // THOUSAND - reduced[1]


def bucket(rate: int, burst: int) -> TokenPool:
    """A full pool."""
    terms = TokenTerms(rate, burst, 0, 1_000, 0, 1_000)
    return TokenPool(POOL, "pool", POOL, terms, rate, burst * PARTS, 0)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    rate=st.integers(1, 10**9),
    burst=st.integers(1, 10**9),
    steps=st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 10**9)), min_size=1, max_size=20),
)
def test_a_bucket_gives_no_more_than_burst_and_rate(rate: int, burst: int, steps: list[tuple[int, int]]) -> None:
    """tokens(t) = min(burst, tokens(t0) + rate (t - t0)) without a fraction lost, and over any interval T no more than
    burst + rate T is taken."""
    pool, exact, at_ms = bucket(rate, burst), Fraction(burst), 0
    taken: list[tuple[int, int]] = []
    for step_ms, wanted in steps:
        at_ms += step_ms
        exact = min(Fraction(burst), exact + Fraction(rate * step_ms, 60_000))
        pool.settle(at_ms)
        assert Fraction(pool.level, PARTS) == exact
        got = min(wanted, pool.tokens_at(at_ms))
        pool.level -= got * PARTS
        exact -= got
        taken.append((at_ms, got))
    for first, (start_ms, _) in enumerate(taken):
        for last in range(first, len(taken)):
            total = sum(got for _, got in taken[first : last + 1])
            assert total <= burst + Fraction(rate * (taken[last][0] - start_ms), 60_000)


def test_what_was_bought_lately_weighs_and_fades() -> None:
    """The factor is 500 permille for who bought all, 1000 for who bought nothing, and it fades away."""
    pool = bucket(60, 100)
    assert pool.factor_permille("a") == 1000
    pool.recent = {"a": 300, "b": 100}
    assert [pool.factor_permille(root) for root in ("a", "b", "c")] == [625, 875, 1000]
    factors = []
    for _ in range(40):
        pool.forget_some()
        pool.recent["b"] = pool.recent.get("b", 0) + 50
        factors.append(pool.factor_permille("a"))
    assert factors == sorted(factors)
    assert factors[-1] == 1000
    assert "a" not in pool.recent


@pytest.mark.parametrize("kind", ["accounts", "orders"])
def test_ties_go_by_root(kind: str) -> None:
    """Of two roots that ask for the same at one price the same one is first, by however many accounts it asks."""
    one = [ask("a", 4, 10), ask("b", 4, 10)]
    many = [ask(f"a{i}" if kind == "accounts" else "a", 1, 10, root="a") for i in range(4)] + [one[1]]
    wins = [{r: t for r, (t, _) in by_root(cleared(asks, 4)).items()} for asks in (one, many)]
    assert wins[0] == wins[1]
    assert isinstance(cleared(one, 4).sales[0], Sale)
