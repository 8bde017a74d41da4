"""The part of the simulation's crowd that has to do with token pools."""

from __future__ import annotations

import random
from typing import Any

from contractnet.messages import Command
from contractnet.messages import commands as c
from tests.market.town import UNKNOWN_ID, token_pool
from tests.simulation.books import Books

POOLS = ("openai/gpt-5", "local/llama")


def token_command(dice: random.Random, books: Books, who: str) -> tuple[Command, str]:
    """What is asked of token pools next, and who asks: mostly `who`, or whose grant or order it is about. Versions
    before the seventh know none of it."""
    pool, roll = dice.choice(POOLS), dice.random()
    known = pool in books.token_pools
    if not known or roll < 0.06:
        return _terms(dice, pool, books.names.get("manager", UNKNOWN_ID), resize=known)
    if roll < 0.45:
        tokens, limit = dice.randrange(1, 400), dice.randrange(1, 3_000)
        return c.PlaceStandingOrder(pool, tokens, limit, dice.choice(("", "chat")), dice.choice((1_000, 5_000))), who
    if roll < 0.5:
        orders = list(books.token_pools[pool].orders.values())
        if not orders:
            return c.CancelStandingOrder(UNKNOWN_ID), who
        order = dice.choice(orders)
        return c.CancelStandingOrder(order.order), _name(books, order.account)
    if roll < 0.55:
        account = books.names.get(who, UNKNOWN_ID)
        return c.SetPriority(account, dice.random() < 0.8), dice.choice(("operator", "operator", "operator", "bank"))
    if roll < 0.7:
        return c.DrawTokens(pool, dice.choice((1, 20, 90, 2_000)), dice.choice(("incident", "incident", ""))), who
    grants = list(books.grants.values())[-12:]
    calls = dice.randrange(3)
    report = (dice.choice((0, 1, 5, 200)), calls, calls if dice.random() < 0.6 else 0, "")
    if not grants:
        return c.ReportUsage(UNKNOWN_ID, *report), who
    grant = dice.choice(grants)
    return c.ReportUsage(grant.grant, *report), _name(books, grant.account) if dice.random() < 0.9 else who


def _name(books: Books, account: bytes) -> str:
    return next(name for name, ident in books.names.items() if ident == account)


def _terms(dice: random.Random, pool: str, manager: bytes, *, resize: bool) -> tuple[Command, str]:
    terms: dict[str, Any] = {
        "tokens_per_minute": dice.choice((60, 600, 6_001)),
        "burst_tokens": dice.choice((50, 100, 777)),
        "reserve_permille": dice.choice((0, 200, 500)),
        "interval_ms": dice.choice((1_000, 1_000, 2_000)),
        "reserve_per_1000_ucr": dice.choice((0, 100, 1_500)),
    }
    if dice.random() < 0.1:
        terms["reserve_permille"] = 1_001
    return token_pool(pool, manager, resize=resize, **terms), "manager" if resize else "bank"
