"""Commands about token pools that break one rule each, and no other; see test_rules.py.

They are for its busy town. There the manager owns the pool `gpt` of 100 tokens, whose reserve price is 5 for 1,000; tom
has the standing order `order`, was granted `grant` of 40 tokens, and has used 30 of it. Sue is a System agent.
"""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import KeyPair
from market import limits
from tests.market.cases_negotiations import SUE, TOM
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, UNKNOWN_ID, Town, token_pool

TOKEN_IDS = ("order", "grant")
INT64_MAX = 2**63 - 1
GPT = "gpt"

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def order(tokens: int = 40, limit: int = 1_000, *, pool: str = GPT, task: str = "", open_ms: int = 5_000) -> Command:
    """A standing order."""
    return c.PlaceStandingOrder(pool, tokens, limit, task, open_ms)


def grant_tokens(town: Town, ids: dict[str, bytes]) -> None:
    """Make them, in a town where somebody bargains."""
    pool = token_pool(GPT, ids["manager"], reserve_per_1000_ucr=5, interval_ms=2_000, grant_ms=60_000)
    town.send(pool, BANK)
    town.send(c.SetPriority(ids["sue"], True), OPERATOR)
    town.send(order(), TOM)
    town.at_ms += 2_000
    (granted,) = town.tick().of(e.TokensGranted)
    ids["grant"] = granted.grant
    town.send(c.ReportUsage(granted.grant, 30, 1, 0, ""), TOM)
    ids["order"] = town.send(order(open_ms=limits.ORDER_OPEN_MS_MAX), TOM).id


def _pools(resize: bool, **changes: int) -> Callable[[dict[str, bytes]], Command]:
    return lambda i: token_pool(GPT if resize else "claude", i["manager"], resize=resize, **changes)


def _terms(code: Code, term: str, *values: int) -> list[Case]:
    return [
        (f"{'resize to' if resize else 'pool with'} {term} {n}", code, BANK, _pools(resize, **{term: n}))
        for resize in (False, True)
        for n in values
    ]


def _orders(code: Code, *values: int, **fixed: Any) -> list[Case]:
    """Orders with one field (the one that is ...) of these values."""
    (name,) = [name for name, value in fixed.items() if value is ...]

    def case(number: int) -> Case:
        return f"order with {name} {number}", code, TOM, lambda i: order(**(fixed | {name: number}))

    return [case(number) for number in values]


TOKEN_CASES: list[Case] = [
    ("agent creates a token pool", Code.NOT_PERMITTED, ANN, _pools(False)),
    ("owner creates a token pool", Code.NOT_PERMITTED, MANAGER, _pools(False)),
    ("token pool of nobody", Code.UNKNOWN_ACCOUNT, BANK, lambda i: token_pool("claude", UNKNOWN_ID)),
    ("token pool of the bank", Code.NOT_PERMITTED, BANK, lambda i: token_pool("claude", i["bank"])),
    ("token pool again", Code.NAME_TAKEN, BANK, lambda i: token_pool(GPT, i["manager"])),
    ("token pool without a name", Code.BAD_NAME, BANK, lambda i: token_pool("", i["manager"])),
    ("agent resizes a token pool", Code.NOT_OWNER, ANN, _pools(True)),
    ("operator resizes a token pool", Code.NOT_OWNER, OPERATOR, _pools(True)),
    ("resize no token pool", Code.UNKNOWN_POOL, BANK, lambda i: token_pool("claude", b"", resize=True)),
    *_terms(Code.BAD_TOKENS, "tokens_per_minute", -INT64_MAX - 1, 0, limits.TOKENS_MAX + 1, INT64_MAX),
    *_terms(Code.BAD_TOKENS, "burst_tokens", -1, 0, limits.TOKENS_MAX + 1, INT64_MAX),
    *_terms(Code.BAD_TOKENS, "reserve_permille", -1, 1001),
    *_terms(
        Code.BAD_DURATION, "interval_ms", -1, 0, limits.TOKEN_INTERVAL_MS_MIN - 1, limits.TOKEN_INTERVAL_MS_MAX + 1
    ),
    *_terms(Code.BAD_AMOUNT, "reserve_per_1000_ucr", -1, limits.AMOUNT_UCR_MAX + 1, INT64_MAX),
    *_terms(
        Code.BAD_DURATION, "grant_ms", -1, limits.GRANT_MS_MIN - 1, 1_000 * limits.GRANT_INTERVALS_MAX + 1, INT64_MAX
    ),
    ("bank gives priority", Code.NOT_PERMITTED, BANK, lambda i: c.SetPriority(i["ann"], True)),
    ("agent takes priority", Code.NOT_PERMITTED, ANN, lambda i: c.SetPriority(i["ann"], True)),
    ("priority of nobody", Code.UNKNOWN_ACCOUNT, OPERATOR, lambda i: c.SetPriority(UNKNOWN_ID, True)),
    ("priority of the bank", Code.NOT_PERMITTED, OPERATOR, lambda i: c.SetPriority(i["bank"], True)),
    ("owner orders", Code.NOT_PERMITTED, MANAGER, lambda i: order()),
    ("bank orders", Code.NOT_PERMITTED, BANK, lambda i: order()),
    ("operator orders", Code.NOT_PERMITTED, OPERATOR, lambda i: order()),
    ("order of no pool", Code.UNKNOWN_POOL, TOM, lambda i: order(pool="claude")),
    *_orders(Code.BAD_TOKENS, -INT64_MAX - 1, -1, 0, limits.TOKENS_MAX + 1, INT64_MAX, tokens=...),
    *_orders(Code.BAD_AMOUNT, -1, 0, limits.AMOUNT_UCR_MAX + 1, INT64_MAX, limit=...),
    *_orders(Code.BAD_AMOUNT, 10**9 + 1, limit=..., tokens=10**9),
    *_orders(Code.BELOW_RESERVE, 1, 4, limit=...),
    *_orders(Code.BAD_DURATION, -1, 0, 1_999, limits.ORDER_OPEN_MS_MAX + 1, INT64_MAX, open_ms=...),
    ("task of an order", Code.BAD_NAME, TOM, lambda i: order(task="x" * 65)),
    ("cancel no order", Code.UNKNOWN_ORDER, TOM, lambda i: c.CancelStandingOrder(UNKNOWN_ID)),
    ("cancel a bid as an order", Code.UNKNOWN_ORDER, ANN, lambda i: c.CancelStandingOrder(i["bid"])),
    ("cancel another's order", Code.NOT_OWNER, ANN, lambda i: c.CancelStandingOrder(i["order"])),
    ("owner cancels an order", Code.NOT_OWNER, MANAGER, lambda i: c.CancelStandingOrder(i["order"])),
    ("agent draws", Code.NOT_SYSTEM, TOM, lambda i: c.DrawTokens(GPT, 1, "task")),
    ("bank draws", Code.NOT_SYSTEM, BANK, lambda i: c.DrawTokens(GPT, 1, "task")),
    ("operator draws", Code.NOT_PERMITTED, OPERATOR, lambda i: c.DrawTokens(GPT, 1, "task")),
    ("draw from no pool", Code.UNKNOWN_POOL, SUE, lambda i: c.DrawTokens("claude", 1, "task")),
    *[
        (f"draw {n}", Code.BAD_TOKENS, SUE, lambda i, n=n: c.DrawTokens(GPT, n, "task"))
        for n in (-INT64_MAX - 1, -1, 0, limits.TOKENS_MAX + 1, INT64_MAX)
    ],
    ("draw for no task", Code.BAD_NAME, SUE, lambda i: c.DrawTokens(GPT, 1, "")),
    ("draw more than a bucket holds", Code.NO_TOKENS, SUE, lambda i: c.DrawTokens(GPT, 101, "task")),
    ("report on no grant", Code.UNKNOWN_GRANT, TOM, lambda i: c.ReportUsage(UNKNOWN_ID, 1, 1, 0, "")),
    ("report on another's grant", Code.NOT_OWNER, SUE, lambda i: c.ReportUsage(i["grant"], 1, 1, 0, "")),
    ("report nothing", Code.BAD_TOKENS, TOM, lambda i: c.ReportUsage(i["grant"], 0, 0, 0, "")),
    *[
        (f"report {n}", Code.BAD_TOKENS, TOM, lambda i, n=n: c.ReportUsage(i["grant"], n[0], n[1], n[2], ""))
        for n in ((-1, 1, 0), (limits.TOKENS_MAX + 1, 1, 0), (1, -1, 0), (1, limits.CALLS_MAX + 1, 0), (1, 1, -1))
    ],
    ("report more refusals than calls", Code.BAD_TOKENS, TOM, lambda i: c.ReportUsage(i["grant"], 1, 1, 2, "")),
    ("task of a report", Code.BAD_NAME, TOM, lambda i: c.ReportUsage(i["grant"], 1, 1, 0, "\x1b")),
    ("report more than is left", Code.GRANT_SPENT, TOM, lambda i: c.ReportUsage(i["grant"], 11, 1, 0, "")),
]
