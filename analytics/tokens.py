"""`contractnet tokens show`: token pools, their orders and their last hour, as the newest generation has them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from analytics.ledger import ledger_with, moment_text, published_at
from contractnet.cli.quantities import flow_text, terms_text
from contractnet.errors import QueryError
from contractnet.money import credits_text

_SHOWN = 40
_LATELY = timedelta(hours=1)
_TERMS = ("tokens_per_minute", "burst_tokens", "reserve_permille", "interval_ms", "reserve_per_1000_ucr", "grant_ms")
_COLUMNS = ", ".join(_TERMS)
_POOLS = f"""
WITH orders AS (
    SELECT pool, count(*) AS orders, sum(tokens) AS asked FROM token_orders
    WHERE market = $market AND status = 'standing' AND expires_at > $at GROUP BY pool
), granted AS (
    SELECT pool, sum(tokens) FILTER (NOT is_system) AS sold, sum(tokens) FILTER (is_system) AS drawn,
        sum(paid_ucr) AS paid_ucr
    FROM token_grants WHERE market = $market AND granted_at > $since GROUP BY pool
), used AS (
    SELECT pool, sum(tokens) AS used, sum(calls) AS calls, sum(throttled) AS throttled
    FROM token_usage WHERE market = $market AND reported_at > $since GROUP BY pool
)
SELECT pool, owner, rate_per_minute, {_COLUMNS}, coalesce(orders, 0), coalesce(asked, 0)::BIGINT,
    coalesce(sold, 0)::BIGINT, coalesce(paid_ucr, 0)::BIGINT, coalesce(drawn, 0)::BIGINT, coalesce(used, 0)::BIGINT,
    coalesce(calls, 0)::BIGINT, coalesce(throttled, 0)::BIGINT
FROM token_pools LEFT JOIN orders USING (pool) LEFT JOIN granted USING (pool) LEFT JOIN used USING (pool)
WHERE market = $market AND ($pool::VARCHAR IS NULL OR pool = $pool) ORDER BY pool
"""
_POOL = f"SELECT {_COLUMNS} FROM token_pools WHERE market = $market AND pool = $pool"
_SYSTEM = "SELECT name FROM accounts WHERE market = $market AND is_system ORDER BY name"


def lines(data_dir: Path, market: str, pool: str | None = None) -> list[str]:
    """Four lines for each token pool, or for one; then the System agents, and how new the publication is.

    Raises QueryError where there is no such pool or no publication.
    """
    with ledger_with("token pools", data_dir) as connection:
        at = published_at(connection)
        asked = {"market": market, "pool": pool, "at": at, "since": at - _LATELY}
        rows = connection.execute(_POOLS, asked).fetchall()
        system = [name for (name,) in connection.execute(_SYSTEM, {"market": market}).fetchall()]
    if not rows and pool is not None:
        raise QueryError(
            f"The ledger as published {moment_text(at)} has no token pool {pool[:_SHOWN]!r} in market {market!r}. "
            f"`contractnet tokens show` lists all; what is new gets there within seconds while the market runs."
        )
    told = [line for row in rows for line in _lines(row)] or [f"market {market} has no token pools"]
    return [*told, f"System agents: {', '.join(system) or 'none'}", f"as published {moment_text(at)}"]


def terms(data_dir: Path, market: str, pool: str) -> dict[str, int] | None:
    """The terms of a token pool by the names of `ResizeTokenPool`; None where there is no such pool."""
    with ledger_with("token pools", data_dir) as connection:
        row = connection.execute(_POOL, {"market": market, "pool": pool}).fetchone()
    return None if row is None else _named(row)


def _lines(row: tuple[Any, ...]) -> list[str]:
    (pool, owner, rate_per_minute), terms = row[:3], _named(row[3:9])
    orders, asked, sold, paid_ucr, drawn, used, calls, throttled = row[9:]
    lowered = rate_per_minute != terms["tokens_per_minute"]
    rate = f"{rate_per_minute:,} (lowered by 429s) of " if lowered else ""
    return [
        f"{pool} (owner {owner})  {rate}{flow_text(terms)}",
        f"  {terms_text(terms)}",
        f"  {orders} standing {'order' if orders == 1 else 'orders'}, for {asked:,} tokens a clearing",
        f"  last hour: sold {sold:,} for {credits_text(paid_ucr)} credits, drawn {drawn:,}, used {used:,} in {calls:,} "
        f"calls, {throttled:,} of them 429",
    ]


def _named(numbers: tuple[Any, ...]) -> dict[str, int]:
    return dict(zip(_TERMS, numbers, strict=True))
