"""The rows of token pools, for the fold of rows.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from analytics.verify.rows_negotiations import stored_ms

if TYPE_CHECKING:
    from analytics.verify.rows import Fields, Rows

COLUMNS = {
    "token_orders": "partition, ledger_offset, market, order_id, pool, account_id, agent, project, tokens,"
    " limit_per_1000_ucr, task, epoch_ms(placed_at), epoch_ms(expires_at), status, epoch_ms(ended_at)",
    "token_clearings": "partition, ledger_offset, market, pool, pricing, roots, supply_tokens, sold_tokens,"
    " price_per_1000_ucr, epoch_ms(cleared_at)",
    "token_grants": "partition, ledger_offset, market, grant_id, pool, account_id, agent, project, order_id, tokens,"
    " paid_ucr, task, is_system, epoch_ms(granted_at), epoch_ms(expires_at)",
    "token_usage": "partition, ledger_offset, market, grant_id, pool, account_id, agent, project, tokens, calls,"
    " throttled, task, epoch_ms(reported_at)",
    "token_pools": "partition, market, pool, token_pool_id, owner_id, owner, tokens_per_minute, burst_tokens,"
    " reserve_permille, interval_ms, reserve_per_1000_ucr, grant_ms, rate_per_minute, epoch_ms(created_at),"
    " epoch_ms(resized_at), rate_offset",
}
"""What is compared of each table."""
_TERMS = ("tokens_per_minute", "burst_tokens", "reserve_permille", "interval_ms", "reserve_per_1000_ucr", "grant_ms")


def _priority(rows: Rows, _: int, m: str, e: Fields, __: int) -> None:
    rows.accounts[m, e["account"].hex()][12] = e["system"]


def _created(rows: Rows, _: int, m: str, e: Fields, at_ms: int) -> None:
    owner, terms = e["owner"].hex(), [e[name] for name in _TERMS]
    head = [rows.partition, m, e["pool"], e["token_pool"].hex(), owner, rows._agent(m, owner)[0]]
    rows.token_pools[m, e["pool"]] = [*head, *terms, e["tokens_per_minute"], stored_ms(at_ms), None, None]


def _resized(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    row = rows.token_pools[m, e["pool"]]
    row[6:13] = [*(e[name] for name in _TERMS), e["tokens_per_minute"]]
    row[14:] = [stored_ms(at_ms), offset]


def _rate_changed(rows: Rows, offset: int, m: str, e: Fields, _: int) -> None:
    row = rows.token_pools[m, e["pool"]]
    row[12], row[15] = e["tokens_per_minute"], offset


def _ordered(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    ident, account = e["order"].hex(), e["account"].hex()
    terms = [e["tokens"], e["limit_per_1000_ucr"], e["task"], stored_ms(at_ms), stored_ms(e["expires_at_ms"])]
    head = [rows.partition, offset, m, ident, e["pool"], account, *rows._agent(m, account)]
    rows.token_orders[m, ident] = [*head, *terms, "standing", None]


def _order_ended(rows: Rows, _: int, m: str, e: Fields, at_ms: int) -> None:
    row = rows.token_orders.pop((m, e["order"].hex()))
    row[13:] = [e["reason"].lower(), stored_ms(at_ms)]
    rows.keep("token_orders", row)


def _cleared(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    names = ("pool", "pricing", "roots", "supply_tokens", "sold_tokens", "price_per_1000_ucr")
    rows.keep("token_clearings", [rows.partition, offset, m, *(e[name] for name in names), stored_ms(at_ms)])


def _granted(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    account, order = e["account"].hex(), None if e["order"] is None else e["order"].hex()
    head = [rows.partition, offset, m, e["grant"].hex(), e["pool"], account, *rows._agent(m, account), order]
    terms = [e["tokens"], e["paid_ucr"], e["task"], e["system"], stored_ms(at_ms), stored_ms(e["expires_at_ms"])]
    rows.keep("token_grants", [*head, *terms])


def _used(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    account = e["account"].hex()
    head = [rows.partition, offset, m, e["grant"].hex(), e["pool"], account, *rows._agent(m, account)]
    counts = [e["tokens"], e["calls"], e["throttled"], e["task"], stored_ms(at_ms)]
    rows.keep("token_usage", [*head, *counts])


TOKEN_STEPS: dict[str, Callable[[Rows, int, Any, Fields, int], None]] = {
    "PriorityChanged": _priority,
    "TokenPoolCreated": _created,
    "TokenPoolResized": _resized,
    "TokenRateChanged": _rate_changed,
    "StandingOrderPlaced": _ordered,
    "StandingOrderEnded": _order_ended,
    "TokenPoolCleared": _cleared,
    "TokensGranted": _granted,
    "UsageReported": _used,
}
