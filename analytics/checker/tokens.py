"""Token pools as the independent checker sees them: fractions of tokens, and each clearing done again.

What a budget root displaces is found by selling the same tokens without it, and comparing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from analytics.checker.parts import Fields, need
from analytics.checker.roots import weight_of

if TYPE_CHECKING:
    from analytics.checker.books import Book

TOKENS_MAX, GRACE_MS, DAY_MS = 10**9, 60_000, 24 * 3600 * 1000
TERMS = ("tokens_per_minute", "burst_tokens", "reserve_permille", "interval_ms", "reserve_per_1000_ucr", "grant_ms")


@dataclass(frozen=True, slots=True)
class Order:
    """Tokens that an account wants at each clearing."""

    id: bytes
    account: bytes
    tokens: int
    limit_ucr: int
    """For 1,000 tokens."""
    task: str
    ends_at_ms: int


@dataclass(slots=True)
class Grant:
    """Tokens that an account has got."""

    account: bytes
    root: str
    tokens: int
    ends_at_ms: int
    used: int = 0


@dataclass(frozen=True, slots=True)
class Sale:
    """What an order gets at a clearing, and pays in micro-credits."""

    order: Order
    tokens: int
    paid_ucr: int


@dataclass(slots=True)
class Pool:
    """A token pool: `level` is the tokens in it at `at_ms`."""

    id: bytes
    owner: bytes
    terms: Fields
    rate: int
    level: Fraction
    at_ms: int
    slowed_at_ms: int = 0
    complaints: tuple[int, frozenset[str]] = (0, frozenset())
    """Who reported throttling, and when the last one did."""
    orders: dict[bytes, Order] = field(default_factory=dict)
    grants: dict[bytes, Grant] = field(default_factory=dict)
    recent: dict[str, int] = field(default_factory=dict)

    def now(self, at_ms: int) -> Fraction:
        """Tokens that are there."""
        return min(
            Fraction(self.terms["burst_tokens"]), self.level + Fraction(self.rate * (at_ms - self.at_ms), 60_000)
        )

    def settle(self, at_ms: int) -> None:
        """Count what has flowed in."""
        self.level, self.at_ms = self.now(at_ms), at_ms

    def number(self, at_ms: int) -> int:
        """Which interval an instant is in."""
        return at_ms // int(self.terms["interval_ms"])

    def rises(self, at_ms: int) -> bool:
        """Whether the end of an interval gives back some of the rate."""
        slow = self.rate < self.terms["tokens_per_minute"]
        return slow and self.number(self.slowed_at_ms) + 1 < self.number(at_ms)

    def live(self, at_ms: int) -> dict[bytes, Grant]:
        """Grants that may be reported on."""
        return {ident: grant for ident, grant in self.grants.items() if at_ms < grant.ends_at_ms + GRACE_MS}

    def as_of(self, at_ms: int) -> tuple[Any, ...]:
        """What two of them have to agree on."""
        head = (self.id, self.owner, self.terms, self.rate, self.now(at_ms), self.slowed_at_ms)
        return (*head, self.complaints, self.orders, self.live(at_ms), self.recent)


@dataclass(slots=True)
class Tokens:
    """The token pools of one market, by name, and what the record at hand owes."""

    pools: dict[str, Pool] = field(default_factory=dict)
    system: set[bytes] = field(default_factory=set)
    sales: list[Sale] = field(default_factory=list)
    payment: Fields | None = None
    rate: tuple[str, int] | None = None
    """The pool whose rate has to change, and to what."""

    def find(self, name: str) -> Pool:
        """A pool that there is."""
        need(name in self.pools, f"token pool {name!r} exists")
        return self.pools[name]

    def load(self, rows: Iterable[list[Any]]) -> None:
        """From canonical state bytes."""
        for ident, name, owner, terms, rate, level, at_ms, _, slowed, complained, orders, grants, recent, roots in rows:
            pool = Pool(bytes.fromhex(ident), bytes.fromhex(owner), dict(zip(TERMS, terms, strict=True)), rate,
                        Fraction(level, 60_000), at_ms, slowed, (complained, frozenset(roots)))  # fmt: skip
            for order, account, *rest in orders:
                pool.orders[bytes.fromhex(account)] = Order(bytes.fromhex(order), bytes.fromhex(account), *rest)
            for grant, account, *rest in grants:
                pool.grants[bytes.fromhex(grant)] = Grant(bytes.fromhex(account), *rest)
            pool.recent = dict(recent)
            self.pools[name] = pool

    def agree(self, other: Tokens, at_ms: int) -> None:
        """Both say the same of an instant."""
        pools = [{name: p.as_of(at_ms) for name, p in tokens.pools.items()} for tokens in (self, other)]
        need(pools[0] == pools[1], "the token pools are those of the state")
        need(self.system == other.system, "the System agents are those of the state")

    def end(self) -> None:
        """Nothing is owed at the end of a command."""
        need(not self.sales and self.payment is None, "what a clearing sells, it grants and has paid in one record")
        need(self.rate is None, "a rate changes when it has to")


def _checked(e: Fields) -> Fields:
    """The terms of a pool, in their limits."""
    good = 1 <= e["tokens_per_minute"] <= TOKENS_MAX and 1 <= e["burst_tokens"] <= TOKENS_MAX
    need(good and 0 <= e["reserve_permille"] <= 1000, "a token pool has a rate, a burst and a part of it in reserve")
    in_time = 1_000 <= e["interval_ms"] <= 3_600_000 and 1_000 <= e["grant_ms"] <= 64 * e["interval_ms"]
    need(in_time and e["reserve_per_1000_ucr"] >= 0, "intervals and grants are in their limits")
    return {name: e[name] for name in TERMS}


def _created(book: Book, e: Fields, source: Fields) -> None:
    need(e["pool"] not in book.tokens.pools and e["token_pool"] == source["command"], "a token pool is created once")
    need(e["owner"] in book.accounts and e["owner"] != book.bank, "a token pool has an owner, not the bank")
    rate, burst = e["tokens_per_minute"], Fraction(e["burst_tokens"])
    book.tokens.pools[e["pool"]] = Pool(e["token_pool"], e["owner"], _checked(e), rate, burst, source["at_ms"])


def _resized(book: Book, e: Fields, source: Fields) -> None:
    pool = book.tokens.find(e["pool"])
    pool.settle(source["at_ms"])
    pool.terms, pool.rate = _checked(e), e["tokens_per_minute"]
    pool.level = min(pool.level, Fraction(e["burst_tokens"]))


def _priority(book: Book, e: Fields, _: Fields) -> None:
    need(e["account"] in book.accounts and e["account"] != book.bank, "a System agent is an account, not the bank")
    book.tokens.system -= {e["account"]}
    book.tokens.system |= {e["account"]} if e["system"] else set()


def _ordered(book: Book, e: Fields, source: Fields) -> None:
    pool = book.tokens.find(e["pool"])
    need(e["order"] == source["command"], "an order has its command's id")
    need(e["account"] in book.accounts and e["account"] not in (pool.owner, book.bank), "neither owner nor bank orders")
    need(e["account"] not in pool.orders, "an account has one order in a pool")
    limit_ucr = e["limit_per_1000_ucr"]
    need(1 <= e["tokens"] <= TOKENS_MAX and limit_ucr >= max(1, pool.terms["reserve_per_1000_ucr"]), "it can buy")
    open_ms = e["expires_at_ms"] - source["at_ms"]
    need(pool.terms["interval_ms"] <= open_ms <= DAY_MS, "an order stands for an interval to a day")
    terms = (e["tokens"], limit_ucr, e["task"], e["expires_at_ms"])
    pool.orders[e["account"]] = Order(e["order"], e["account"], *terms)


def _order_ended(book: Book, e: Fields, source: Fields) -> None:
    pool = book.tokens.find(e["pool"])
    order = pool.orders.pop(e["account"], None)
    need(order is not None and order.id == e["order"], "an order ends once")
    assert order is not None
    due = source["cause"] == "DUE"
    need(due == (e["reason"] == "EXPIRED"), "an order expires by itself, and is taken back or replaced by a command")
    need(not due or order.ends_at_ms <= source["at_ms"], "an order does not expire early")


def cleared(book: Book, e: Fields, source: Fields, head: bytes) -> None:
    """A clearing, done again; `head` is the chain head before its command."""
    tokens, pool, at_ms = book.tokens, book.tokens.find(e["pool"]), source["at_ms"]
    tokens.end()
    need(source["cause"] == "DUE", "a pool is cleared by time")
    pool.settle(at_ms)
    supply = max(0, int(pool.level) - pool.terms["burst_tokens"] * pool.terms["reserve_permille"] // 1000)
    need(e["supply_tokens"] == supply, f"{supply} tokens are above the reserve")
    ranked = _ranked(book, pool, supply, at_ms, head) if supply else []
    roots = {book.accounts[order.account].root for order, _, _ in ranked}
    asked = [sum(n for o, n, _ in ranked if book.accounts[o.account].root == root) for root in roots]
    uniform = len(roots) >= 10 and max(asked) * 5 <= supply
    need((e["roots"], e["pricing"]) == (len(roots), "UNIFORM" if uniform else "VCG"), "the pricing follows the rule")
    tokens.sales, price_ucr = _sales(book, pool, ranked, supply, uniform)
    need(e["sold_tokens"] == sum(sale.tokens for sale in tokens.sales), "a clearing sells what it says")
    need(e["price_per_1000_ucr"] == price_ucr, f"the price is {price_ucr}")
    pool.grants = pool.live(at_ms)
    left = {root: tokens * 7 // 8 for root, tokens in pool.recent.items()}
    total = sum(left.values())
    pool.recent = {root: n for root, n in left.items() if n and 500 * n >= total}
    if pool.rises(at_ms):
        _owe_rise(tokens, e["pool"], pool)


def _owe_rise(tokens: Tokens, name: str, pool: Pool) -> None:
    full = pool.terms["tokens_per_minute"]
    tokens.rate = (name, min(full, pool.rate + max(1, full // 20)))


Ranked = list[tuple[Order, int, int]]
"""Orders with the tokens that they may get and their weight in millionths, highest first."""


def _ranked(book: Book, pool: Pool, supply: int, at_ms: int, head: bytes) -> Ranked:
    orders = [order for order in pool.orders.values() if order.ends_at_ms > at_ms]
    weights: dict[str, int] = {}
    total = sum(pool.recent.values())
    for order in orders:
        account = book.accounts[order.account]
        share = 500 * pool.recent.get(account.root, 0) // total if total else 0
        weight = weight_of(book, order.account, book.epoch) * (1000 - share)
        weights[account.root] = min(weight, weights.get(account.root, weight))

    def place(item: tuple[Order, int, int]) -> tuple[int, bytes, int, bytes]:
        order, tokens, weight = item
        tie = hashlib.sha256(head + pool.id + book.accounts[order.account].root.encode()).digest()
        return (-weight * order.limit_ucr, tie, -tokens, order.account)

    least = pool.terms["reserve_per_1000_ucr"]
    found = [(o, min(o.tokens, supply), weights[book.accounts[o.account].root]) for o in orders if o.limit_ucr >= least]
    able: Ranked = []
    promised: dict[bytes, int] = {}
    for order, tokens, weight in sorted(found, key=place):
        worth_ucr, account = tokens * order.limit_ucr // 1000, book.accounts[order.account]
        over = book.budgets.over(order.account)
        fits = all(
            budget.most_ucr is None
            or budget.spent_ucr + book.budgets.held_under(budget) + promised.get(i, 0) + worth_ucr <= budget.most_ucr
            for i, budget in over
        )
        if fits and account.available_ucr >= worth_ucr:
            able.append((order, tokens, weight))
            promised |= {i: promised.get(i, 0) + worth_ucr for i, _ in over}
    return able


def _fill(ranked: Ranked, supply: int) -> dict[bytes, int]:
    """Tokens of each order, by its id, the highest first."""
    got: dict[bytes, int] = {}
    for order, tokens, _ in ranked:
        got[order.id] = min(tokens, supply - sum(got.values()))
    return got


def _sales(book: Book, pool: Pool, ranked: Ranked, supply: int, uniform: bool) -> tuple[list[Sale], int]:
    """The sales in rank order, and the price of a uniform clearing."""
    got, reserve_ucr = _fill(ranked, supply), pool.terms["reserve_per_1000_ucr"]
    refused = [weight * o.limit_ucr for o, tokens, weight in ranked if got[o.id] < tokens]
    sales: list[Sale] = []
    for order, _, weight in ranked:
        if not got[order.id]:
            continue
        root = book.accounts[order.account].root
        others = [item for item in ranked if book.accounts[item[0].account].root != root]
        bought = sum(got[o.id] for o, _, _ in ranked) - sum(got[o.id] for o, _, _ in others)
        if uniform:
            worth = bought * max(reserve_ucr * weight, max(refused, default=0))
        else:
            alone = _fill(others, supply)
            lost = [(alone[o.id] - got[o.id], w * o.limit_ucr) for o, _, w in others]
            worth = sum(n * max(reserve_ucr * weight, value) for n, value in lost)
            worth += (bought - sum(n for n, _ in lost)) * reserve_ucr * weight
        paid_ucr = int(Fraction(worth * got[order.id], bought * weight * 1000))
        sales.append(Sale(order, got[order.id], paid_ucr))
    price_ucr = max(reserve_ucr, max(refused, default=0) // 10**6) if uniform else 0
    return sales, price_ucr


def _granted(book: Book, e: Fields, source: Fields) -> None:
    tokens, pool, at_ms = book.tokens, book.tokens.find(e["pool"]), source["at_ms"]
    need(tokens.payment is None, "a grant is paid before the next")
    pool.settle(at_ms)
    if e["system"]:
        need(e["account"] in tokens.system and source["cause"] == "COMMAND", "System agents draw, and nobody else")
        need((e["grant"], e["order"], e["paid_ucr"]) == (source["command"], None, 0), "a draw is free")
        need(bool(e["task"]) and e["tokens"] > 0, "a draw names its task")
    else:
        need(bool(tokens.sales), "a grant is sold, or drawn by a System agent")
        sale = tokens.sales.pop(0)
        order = sale.order
        ident = hashlib.sha256(b"contractnet/grant/1" + order.id + at_ms.to_bytes(8, "big")).digest()[:16]
        same = (e["grant"], e["account"], e["order"], e["tokens"], e["paid_ucr"], e["task"])
        need(same == (ident, order.account, order.id, sale.tokens, sale.paid_ucr, order.task), "a sale is as computed")
        tokens.payment = e | {"owner": pool.owner} if sale.paid_ucr else None
    need(e["tokens"] <= pool.level, "nobody is granted what is not there")
    need(e["expires_at_ms"] == at_ms + pool.terms["grant_ms"], "a grant lives as long as the pool says")
    pool.level -= e["tokens"]
    root = book.accounts[e["account"]].root
    need(e["grant"] not in pool.grants, "a grant is made once")
    pool.grants[e["grant"]] = Grant(e["account"], root, e["tokens"], e["expires_at_ms"])
    if not e["system"]:
        pool.recent[root] = pool.recent.get(root, 0) + e["tokens"]


def pay(book: Book, e: Fields) -> None:
    """The payment of a grant."""
    owed = book.tokens.payment
    need(owed is not None, "tokens are paid as they are granted")
    assert owed is not None
    same = (e["debit"], e["credit"], e["amount_ucr"], e["award"], e["task"], e["pool"])
    wanted = (owed["account"], owed["owner"], owed["paid_ucr"], owed["grant"], owed["task"], owed["pool"])
    need(same == wanted, "a grant is paid to the owner of the pool")
    book.tokens.payment = None
    book.budgets.pay(e["debit"], e["amount_ucr"])
    book.budgets.check_hold(e["debit"])


def _used(book: Book, e: Fields, source: Fields) -> None:
    pool, at_ms = book.tokens.find(e["pool"]), source["at_ms"]
    grant = pool.live(at_ms).get(e["grant"])
    need(grant is not None and grant.account == e["account"], "usage is told of a grant of one's own")
    assert grant is not None
    need(0 <= e["throttled"] <= e["calls"] and e["tokens"] >= 0, "usage is counted in whole numbers")
    grant.used += e["tokens"]
    need(grant.used <= grant.tokens, "a grant is used once")
    if not e["throttled"]:
        return
    when, roots = pool.complaints
    before = roots if pool.number(when) == pool.number(at_ms) else frozenset()
    pool.complaints = (at_ms, before | {grant.root})
    others = {g.root for g in pool.live(at_ms).values()}
    believed = e["account"] in book.tokens.system or len(pool.complaints[1]) >= min(2, len(others))
    if believed and pool.number(pool.slowed_at_ms) < pool.number(at_ms):
        floor = max(1, pool.terms["tokens_per_minute"] // 16)
        book.tokens.rate = (e["pool"], max(floor, pool.rate // 2))


def _rate_changed(book: Book, e: Fields, source: Fields) -> None:
    pool, at_ms = book.tokens.find(e["pool"]), source["at_ms"]
    lowered = source["cause"] == "COMMAND"
    if not lowered and book.tokens.rate is None:
        need(pool.rises(at_ms) and not pool.orders, "a rate rises after an interval without throttling")
        _owe_rise(book.tokens, e["pool"], pool)
    need(book.tokens.rate == (e["pool"], e["tokens_per_minute"]), "a rate is halved, or rises by a step")
    pool.settle(at_ms)
    pool.rate, book.tokens.rate = e["tokens_per_minute"], None
    if lowered:
        pool.slowed_at_ms = at_ms


STEPS: dict[str, Callable[[Book, Fields, Fields], None]] = {
    "TokenPoolCreated": _created,
    "TokenPoolResized": _resized,
    "PriorityChanged": _priority,
    "StandingOrderPlaced": _ordered,
    "StandingOrderEnded": _order_ended,
    "TokensGranted": _granted,
    "UsageReported": _used,
    "TokenRateChanged": _rate_changed,
}
