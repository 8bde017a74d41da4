"""The part of a snapshot that holds token pools."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from market.tokens import Grant, Order, TokenPool, TokenTerms


def dump_token_pool(p: TokenPool) -> list[Any]:
    """As JSON has it."""
    head = [p.id.hex(), p.name, p.owner.hex(), list(astuple(p.terms)), p.rate, p.level, p.at_ms, p.clears_at_ms]
    lists = [[_dump_order(o) for o in p.orders.values()], [_dump_grant(g) for g in p.grants.values()]]
    return [*head, p.throttled_at_ms, p.complained_at_ms, *lists, list(p.recent.items()), list(p.complaints)]


def load_token_pool(d: list[Any]) -> TokenPool:
    """The same again."""
    ident, name, owner, terms, rate, level, at_ms, clears, throttled, complained, orders, grants, recent, roots = d
    pool = TokenPool(
        id=bytes.fromhex(ident),
        name=name,
        owner=bytes.fromhex(owner),
        terms=TokenTerms(*terms),
        rate=rate,
        level=level,
        at_ms=at_ms,
        clears_at_ms=clears,
        throttled_at_ms=throttled,
        complained_at_ms=complained,
        recent=dict(recent),
        complaints=dict.fromkeys(roots),
    )
    pool.orders = {order.account: order for order in map(_load_order, orders)}
    pool.grants = {grant.id: grant for grant in map(_load_grant, grants)}
    return pool


def _dump_order(o: Order) -> list[Any]:
    return [o.id.hex(), o.account.hex(), o.tokens, o.limit_per_1000_ucr, o.task, o.expires_at_ms]


def _load_order(d: list[Any]) -> Order:
    return Order(bytes.fromhex(d[0]), bytes.fromhex(d[1]), *d[2:])


def _dump_grant(g: Grant) -> list[Any]:
    return [g.id.hex(), g.account.hex(), g.root, g.tokens, g.expires_at_ms, g.used]


def _load_grant(d: list[Any]) -> Grant:
    return Grant(bytes.fromhex(d[0]), bytes.fromhex(d[1]), *d[2:])
