"""Who gets the tokens of a clearing, and what they pay: greedy by weight times price, for one divisible good.

A budget root is one bidder, however many accounts it has. VCG payments (Vickrey 1961, Clarke 1971, Groves 1973): a
root pays what the tokens that it gets would have been worth to the others. Where there are many roots and none asks
for much, all pay one price, that of the first token that nobody got: demand reduction hardly pays then (Ausubel et al.
2014). Prices are compared as products with weights, never as quotients; a payment is rounded down once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from contractnet.messages import TokenPricing
from market.limits import UNIFORM_ROOTS_MIN, UNIFORM_SHARES
from market.tokens import Order

FULL_WEIGHT = 1_000_000
"""Weight and congestion, 1000 permille each."""


@dataclass(frozen=True, slots=True)
class Ask:
    """An order at one clearing, for at most `tokens`; `weight` is its root's, in millionths."""

    order: Order
    root: str
    tokens: int
    weight: int

    @property
    def effective(self) -> int:
        """What it is ranked by."""
        return self.weight * self.order.limit_per_1000_ucr

    @property
    def worth_ucr(self) -> int:
        """The most that it may cost."""
        return worth_ucr(self.tokens, self.order.limit_per_1000_ucr)


@dataclass(frozen=True, slots=True)
class Sale:
    """What an ask gets, and pays, micro-credits."""

    ask: Ask
    tokens: int
    paid_ucr: int


@dataclass(frozen=True, slots=True)
class Clearing:
    """The result: `price_per_1000_ucr` is that of a buyer of full weight, 0 with VCG."""

    pricing: TokenPricing
    price_per_1000_ucr: int
    sales: list[Sale]


def worth_ucr(tokens: int, per_1000_ucr: int) -> int:
    """What tokens cost at a price for 1,000 of them, rounded down."""
    return tokens * per_1000_ucr // 1000


def ranked(asks: Sequence[Ask], pool: bytes, head: bytes) -> list[Ask]:
    """Highest first. Ties go by the root, so that more accounts are not more tickets, then by the account."""

    def key(ask: Ask) -> tuple[int, bytes, int, bytes]:
        tie = hashlib.sha256(head + pool + ask.root.encode()).digest()
        return (-ask.effective, tie, -ask.tokens, ask.order.account)

    return sorted(asks, key=key)


def pricing_of(asks: Sequence[Ask], supply: int) -> TokenPricing:
    """UNIFORM where no root could gain much by asking for less."""
    wanted: Counter[str] = Counter()
    for ask in asks:
        wanted[ask.root] += ask.tokens
    many = len(wanted) >= UNIFORM_ROOTS_MIN
    small = all(tokens * UNIFORM_SHARES <= supply for tokens in wanted.values())
    return TokenPricing.UNIFORM if many and small else TokenPricing.VCG


def clear(asks: Sequence[Ask], supply: int, reserve_per_1000_ucr: int) -> Clearing:
    """Sell `supply` tokens to asks in rank order, none of them below the reserve."""
    given: list[int] = []
    left = supply
    for ask in asks:
        given.append(min(left, ask.tokens))
        left -= given[-1]
    unserved = [(ask, ask.tokens - got) for ask, got in zip(asks, given, strict=True) if got < ask.tokens]
    served = [(ask, got) for ask, got in zip(asks, given, strict=True) if got]
    pricing = pricing_of(asks, supply)
    if pricing is TokenPricing.UNIFORM:
        price = unserved[0][0].effective if unserved else 0
        sales = [Sale(ask, got, _uniform(ask, got, price, reserve_per_1000_ucr)) for ask, got in served]
        return Clearing(pricing, max(reserve_per_1000_ucr, price // FULL_WEIGHT), sales)
    bought: Counter[str] = Counter()
    for ask, got in served:
        bought[ask.root] += got
    due = {ask.root: _displaced(ask, bought[ask.root], unserved, reserve_per_1000_ucr) for ask, _ in served}
    sales = [Sale(ask, got, due[ask.root] * got // (bought[ask.root] * ask.weight * 1000)) for ask, got in served]
    return Clearing(pricing, 0, sales)


def _uniform(ask: Ask, got: int, price: int, reserve_per_1000_ucr: int) -> int:
    return got * max(price, reserve_per_1000_ucr * ask.weight) // (ask.weight * 1000)


def _displaced(ask: Ask, bought: int, unserved: Sequence[tuple[Ask, int]], reserve_per_1000_ucr: int) -> int:
    """What the tokens of an ask's root would have been worth to the others: of each, its effective price, or the
    reserve at the root's own weight where that is more."""
    least = reserve_per_1000_ucr * ask.weight
    total = 0
    for other, tokens in unserved:
        if other.root != ask.root and bought:
            taken = min(bought, tokens)
            total += taken * max(least, other.effective)
            bought -= taken
    return total + bought * least
