"""What the page shows of one generation of the published ledger, as plain values for JSON.

Amounts for tables are text in credits, those for charts are floats in credits: a chart has no micro-credits. Times are
milliseconds since the epoch. `now` is the newest event of the market's partition, so that an old ledger shows its own
last minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from analytics.ledger import published_at
from contractnet.errors import QueryError
from contractnet.money import credits_text

MINUTES = 15
"""How far charts reach back."""
BUCKET_S = 10
POOLS_SHOWN = 6
ROWS_SHOWN = 30
TALKS_SHOWN = 4
BUDGETS_DRAWN = 4
Rows = list[dict[str, Any]]

_MARKET = """
SELECT p.newest_event_at, m.opened_at, m.rules_version
FROM markets m JOIN meta p ON p.partition = m.partition WHERE m.market = ?
"""
_PRICES = f"""
SELECT epoch_ms(time_bucket(INTERVAL {BUCKET_S} SECOND, awarded_at)) AS at_ms, pool,
    sum(price_ucr) / 1e6 / nullif(sum(units::DOUBLE * duration_ms) / 3.6e6, 0) AS price, count(*) AS awards
FROM awards WHERE market = $market AND awarded_at > $since GROUP BY ALL ORDER BY at_ms, pool
"""
_USE = """
SELECT p.pool, p.units, coalesce(sum(r.units), 0)::BIGINT AS used
FROM pools p LEFT JOIN reservations r ON r.market = p.market AND r.pool = p.pool AND r.ended_at IS NULL
    AND r.starts_at <= $now AND r.ends_at > $now
WHERE p.market = $market GROUP BY ALL ORDER BY used DESC, p.pool LIMIT $rows
"""
_COUNTS = """
SELECT (SELECT count(*) FROM accounts WHERE market = $market AND NOT is_bank) AS agents,
    (SELECT count(*) FROM cfps WHERE market = $market AND status IN ('open', 'deciding')) AS open_cfps,
    (SELECT count(*) FROM awards WHERE market = $market) AS awards,
    (SELECT count(*) FROM reservations WHERE market = $market AND ended_at IS NULL) AS leases,
    (SELECT count(*) FROM rejections WHERE market = $market AND rejected_at > $since) AS rejections
"""
_BALANCES = """
SELECT name, project, balance_ucr, held_ucr, balance_ucr - held_ucr - owed_ucr AS available_ucr
FROM accounts WHERE market = $market AND NOT is_bank ORDER BY balance_ucr DESC, name LIMIT $rows
"""
_BUDGETS = """
SELECT coalesce(s.agent, s.project) AS name, s.scope, s.most_ucr, s.spent_ucr, s.held_ucr, s.left_ucr,
    epoch_ms(s.ends_at) AS ends_ms, epoch_ms(f.runs_out_at) AS runs_out_ms, epoch_ms(s.starts_at) AS starts_ms,
    s.budget_id, s.most_ucr / 1e6 AS most_credits, s.spent_ucr / 1e6 AS spent_credits
FROM budget_status s LEFT JOIN budget_forecast f ON f.market = s.market AND f.budget_id = s.budget_id
WHERE s.market = $market AND s.most_ucr IS NOT NULL ORDER BY s.left_ucr, name LIMIT $rows
"""
_PAID = f"""
SELECT s.budget_id, epoch_ms(time_bucket(INTERVAL {BUCKET_S} SECOND, t.transferred_at)) AS at_ms,
    sum(t.amount_ucr) / 1e6 AS paid
FROM budget_status s JOIN accounts a ON a.market = s.market
    AND CASE s.scope WHEN 'account' THEN a.name = s.agent ELSE a.project = s.project END
JOIN transfers t ON t.market = a.market AND t.debit_id = a.account_id AND t.transferred_at >= s.starts_at
    AND t.reason IN ('AWARD', 'DEAL', 'FORFEIT', 'TOKENS')
WHERE s.market = $market AND t.transferred_at > $since AND list_contains($ids, s.budget_id) GROUP BY ALL
"""
_CFPS = """
SELECT c.cfp_id, c.manager, c.direction, c.pool, c.units, c.slots, c.reserve_price_ucr,
    epoch_ms(c.closes_at) AS closes_ms, c.status, count(b.bid_id) AS bids
FROM cfps c LEFT JOIN bids b ON b.market = c.market AND b.cfp_id = c.cfp_id
WHERE c.market = $market AND c.status IN ('open', 'deciding') GROUP BY ALL ORDER BY closes_ms, c.cfp_id LIMIT $rows
"""
_AWARDS = """
SELECT award_id, agent, project, task, pool, units, price_ucr, epoch_ms(awarded_at) AS at_ms, latency_ms
FROM awards WHERE market = $market ORDER BY ledger_offset DESC LIMIT $rows
"""
_TALKS = """
SELECT negotiation_id, holder, buyer, pool, protocol, status, rounds, rounds_max, price_ucr,
    epoch_ms(opened_at) AS at_ms
FROM negotiations WHERE market = $market AND EXISTS (FROM offers o WHERE o.market = negotiations.market
    AND o.negotiation_id = negotiations.negotiation_id)
ORDER BY ended_at IS NULL DESC, ledger_offset DESC LIMIT $talks
"""
_OFFERS = """
SELECT o.negotiation_id, o.round, avg(o.price_ucr) FILTER (o.account_id = n.holder_id) / 1e6 AS holder,
    avg(o.price_ucr) FILTER (o.account_id = n.buyer_id) / 1e6 AS buyer
FROM offers o JOIN negotiations n ON n.market = o.market AND n.negotiation_id = o.negotiation_id
WHERE o.market = $market AND o.negotiation_id IN (SELECT unnest($ids)) GROUP BY ALL ORDER BY 1, 2
"""
_TOKENS = """
SELECT p.pool, p.tokens_per_minute, p.rate_per_minute, p.burst_tokens,
    (SELECT coalesce(sum(g.tokens), 0)::BIGINT FROM token_grants g WHERE g.market = p.market AND g.pool = p.pool
        AND g.expires_at > $now) AS granted,
    (SELECT coalesce(sum(u.tokens), 0)::BIGINT FROM token_usage u WHERE u.market = p.market AND u.pool = p.pool
        AND u.reported_at > $now - INTERVAL 1 MINUTE) AS used_last_minute,
    (SELECT coalesce(sum(u.throttled), 0)::BIGINT FROM token_usage u WHERE u.market = p.market AND u.pool = p.pool
        AND u.reported_at > $since) AS throttled,
    (SELECT count(*) FROM token_orders o WHERE o.market = p.market AND o.pool = p.pool AND o.ended_at IS NULL) AS orders
FROM token_pools p WHERE p.market = $market ORDER BY p.pool LIMIT $rows
"""
_SPENDERS = """
SELECT project, agent, sum(credits)::BIGINT AS spent_ucr, count(*) AS payments
FROM attribution WHERE market = $market AND paid_at > $since GROUP BY ALL ORDER BY spent_ucr DESC, agent LIMIT $rows
"""


@dataclass(frozen=True, slots=True)
class Asker:
    """Runs the statements of one snapshot with the same parameters."""

    connection: duckdb.DuckDBPyConnection
    parameters: dict[str, Any]

    def rows(self, sql: str, **more: Any) -> Rows:
        """Every row by its columns; parameters that the statement does not name are left out."""
        known = {name: value for name, value in (self.parameters | more).items() if f"${name}" in sql}
        found = self.connection.execute(sql, known)
        names = [column[0] for column in found.description or ()]
        return [_told(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def snapshot(connection: duckdb.DuckDBPyConnection, market: str) -> dict[str, Any]:
    """Everything that the page shows. Raises QueryError where the ledger has no such market."""
    found = connection.execute(_MARKET, [market]).fetchall()
    if not found or not isinstance(found[0][0], datetime):
        raise QueryError(f"The published ledger has no market {market!r}: name another one with --market.")
    [(now, opened_at, rules_version)] = found
    since = max(now - timedelta(minutes=MINUTES), opened_at)
    ask = Asker(connection, {"market": market, "now": now, "since": since, "rows": ROWS_SHOWN, "talks": TALKS_SHOWN})
    charts = _prices(ask, _ms(since), _ms(now))
    return {
        "market": market,
        "rules_version": rules_version,
        "now_ms": _ms(now),
        "published_ms": _ms(published_at(connection)),
        "counts": ask.rows(_COUNTS)[0],
        **charts,
        **{name: ask.rows(sql) for name, sql in _LISTS.items()},
        "talks": _talks(ask),
        "burndown": _burndown(ask, charts["times_ms"]),
    }


_LISTS = {
    "use": _USE,
    "balances": _BALANCES,
    "budgets": _BUDGETS,
    "cfps": _CFPS,
    "awards": _AWARDS,
    "tokens": _TOKENS,
    "spenders": _SPENDERS,
}


def _prices(ask: Asker, since_ms: int, now_ms: int) -> dict[str, Any]:
    """Prices a unit-hour by pool, and awards a second of all pools, one value a bucket."""
    rows = ask.rows(_PRICES)
    step = BUCKET_S * 1000
    times = list(range(since_ms // step * step, now_ms + 1, step))
    by_pool: dict[str, dict[int, float]] = {}
    weights: dict[str, int] = {}
    awards: dict[int, int] = {}
    for row in rows:
        by_pool.setdefault(row["pool"], {})[row["at_ms"]] = row["price"]
        weights[row["pool"]] = weights.get(row["pool"], 0) + row["awards"]
        awards[row["at_ms"]] = awards.get(row["at_ms"], 0) + row["awards"]
    busiest = sorted(by_pool, key=lambda pool: (-weights[pool], pool))[:POOLS_SHOWN]
    return {
        "times_ms": times,
        "prices": [{"pool": pool, "values": [by_pool[pool].get(at) for at in times]} for pool in busiest],
        "awards_per_s": [awards.get(at, 0) / BUCKET_S for at in times],
    }


def _talks(ask: Asker) -> Rows:
    """Negotiations with what both sides have offered, round by round."""
    talks = ask.rows(_TALKS)
    offers = ask.rows(_OFFERS, ids=[talk["negotiation_id"] for talk in talks]) if talks else []
    for talk in talks:
        mine = [row for row in offers if row["negotiation_id"] == talk["negotiation_id"]]
        talk["offers"] = {name: [row[name] for row in mine] for name in ("round", "holder", "buyer")}
    return talks


def _burndown(ask: Asker, times_ms: list[int]) -> Rows:
    """What was left of the budgets with least left at the end of each bucket: what is left now, and what was paid
    since."""
    drawn = ask.rows(_BUDGETS)[:BUDGETS_DRAWN]
    paid: dict[tuple[str, int], float] = {}
    for row in ask.rows(_PAID, ids=[row["budget_id"] for row in drawn]) if drawn else []:
        paid[row["budget_id"], row["at_ms"]] = row["paid"]
    found: Rows = []
    for row in drawn:
        left, values = row["most_credits"] - row["spent_credits"], []
        for at_ms in reversed(times_ms):
            values.append(left if at_ms + BUCKET_S * 1000 > row["starts_ms"] else None)
            left += paid.get((row["budget_id"], at_ms), 0.0)
        found.append({"name": row["name"], "values": values[::-1]})
    return found


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Amounts in micro-credits become credits in words."""
    return {
        (name.removesuffix("_ucr") if name.endswith("_ucr") else name): _TELL.get(name[-4:], _plain)(value)
        for name, value in row.items()
    }


def _plain(value: Any) -> Any:
    return _ms(value) if isinstance(value, datetime) else value


def _credits(value: Any) -> str:
    return "" if value is None else credits_text(value)


_TELL: dict[str, Callable[[Any], Any]] = {"_ucr": _credits}


def _ms(at: datetime) -> int:
    """Milliseconds since the epoch of a time of the ledger, which is UTC without a zone."""
    return round(at.replace(tzinfo=UTC).timestamp() * 1000)
