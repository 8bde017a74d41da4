"""What a run came to, from the published ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

import analytics
from contractnet.errors import QueryError
from services.demo.checks import RUN, Run, checks, of
from services.demo.live import Score, as_ms, quantile
from services.status import ledger_ends, projection_lag
from services.table import query_example

CAUGHT_UP_S = 30.0
# Rejections that belong to a healthy run.
_EXPLAINED = {
    "CFP_CLOSED": " (bids that came too late)",
    "UNKNOWN_LEASE": " (leases that expired just as they were given back)",
    "BUDGET_EXCEEDED": " (bids, orders and purchases that a budget leaves no room for)",
    "GROUP_WON": " (bids of groups that had won by then)",
    "UNKNOWN_BID": " (a manager chose a bid of a group that had won by then)",
    "LEASE_IN_NEGOTIATION": " (claims and resales of leases over which others bargained)",
    "INSUFFICIENT_CREDIT": " (no credits for a deposit, or for an offer and its fee)",
}


def wait_for_projection(run: Run, look: Callable[[], None]) -> float:
    """Wait until the published file holds all of the ledger; how long that took, in seconds."""
    begun = time.monotonic()
    while time.monotonic() - begun < CAUGHT_UP_S:
        ends = ledger_ends(run.bootstrap, run.partitions)
        if ends is not None and projection_lag(run.directory, ends) == 0:
            break
        look()
        time.sleep(0.1)
    return time.monotonic() - begun


def show(console: Console, run: Run, score: Score, lasted_s: float, lag_s: float) -> bool:
    """Print the outcome of a run. Whether every check holds. Raises QueryError."""
    try:
        with analytics.open(run.directory.path) as connection:
            begun = time.monotonic()
            rows = connection.execute(_ATTRIBUTION, of(run)).fetchall()
            took_ms = (time.monotonic() - begun) * 1000
            latencies = [float(row[0]) for row in connection.execute(_LATENCIES, of(run)).fetchall()]
            rejected = connection.execute(_REJECTED, of(run)).fetchall()
            found = checks(connection, run, score)
    except duckdb.Error as error:
        raise QueryError(f"The run's numbers could not be read from {run.directory.ledger}: {error}") from error
    _show_attribution(console, rows)
    console.print(
        f"from DuckDB in {took_ms:.0f} ms; the file held all of it {lag_s:.1f} s after the last agent had ended"
    )
    _show_numbers(console, score, lasted_s, latencies)
    if rejected:
        told = ", ".join(f"{code} {count}{_EXPLAINED.get(code, '')}" for code, count in rejected)
        console.print(f"rejected commands: {told}", soft_wrap=True)
    for check in found:
        mark = Text("ok    ", "green") if check.holds else Text("FAILED", "bold red")
        console.print(Text.assemble(mark, "  ", check.claim, ": ", check.numbers), soft_wrap=True)
    if run.deleted:
        return all(check.holds for check in found)
    console.print(f"\nThe ledger: {run.directory.ledger}", markup=False, soft_wrap=True)
    console.print(
        f"Ask it, now or while a market runs:\n  {query_example(run.directory)}", markup=False, soft_wrap=True
    )
    return all(check.holds for check in found)


# Time that was paid for, in seconds of a unit, or thousands of tokens; forfeited bonds buy nothing.
_ATTRIBUTION = f"""
SELECT t.project, CASE t.reason WHEN 'TOKENS' THEN 'tokens' WHEN 'DEAL' THEN 'resale' WHEN 'FORFEIT' THEN 'bonds'
        ELSE if(w.award_id IS NULL, 'slots', 'work') END AS what,
    if(w.award_id IS NULL, t.pool, 'clouds') AS pool, count(*)::BIGINT,
    coalesce(sum(CASE t.reason WHEN 'TOKENS' THEN g.tokens WHEN 'FORFEIT' THEN 0
        ELSE r.units * date_diff('ms', r.starts_at, r.ends_at) END) / 1000, 0)::DOUBLE,
    sum(t.credits)::BIGINT
FROM attribution t LEFT JOIN (FROM reservations WHERE {RUN}) r ON t.market = r.market AND t.award_id = r.award_id
LEFT JOIN (FROM works WHERE {RUN}) w ON t.market = w.market AND t.award_id = w.award_id
LEFT JOIN (FROM token_grants WHERE {RUN}) g ON t.market = g.market AND t.award_id = g.grant_id
WHERE r.award_id IS NOT NULL OR g.grant_id IS NOT NULL
GROUP BY ALL ORDER BY 1, 2, 6 DESC
"""
_LATENCIES = f"SELECT latency_ms FROM awards WHERE {RUN}"
_REJECTED = f"SELECT code, count(*)::BIGINT FROM rejections WHERE {RUN} GROUP BY ALL ORDER BY 2 DESC"


def _show_attribution(console: Console, rows: list[tuple[Any, ...]]) -> None:
    table = Table(title="Who spent how much on what (this run)", title_justify="left")
    for name in ("project", "what", "pool"):
        table.add_column(name)
    for name in ("payments", "GPU-s or 1k tokens", "credits", "each"):
        table.add_column(name, justify="right")
    for project, what, pool, payments, amount, ucr in rows:
        each = f"{ucr / 1e6 / amount:.3f}" if amount else ""
        table.add_row(project, what, pool, f"{payments:,}", f"{amount:,.0f}", f"{ucr / 1e6:,.2f}", each)
    table.add_section()
    payments, spent = sum(row[3] for row in rows), sum(row[5] for row in rows) / 1e6
    table.add_row("all", "", "", f"{payments:,}", "", f"{spent:,.2f}", "")
    console.print(table)


def _show_numbers(console: Console, score: Score, lasted_s: float, ledger_ms: list[float]) -> None:
    seen, late = score.latencies_ms, score.total("won") - score.won_in_time
    too_late, bids = score.counted("rejections")["CFP_CLOSED"], score.total("bids")
    if not score.total("won"):
        console.print(
            f"No agent has won anything, so nothing was tested: {bids:,} bids were in time, {too_late:,} too late. "
            f"Try fewer agents (--agents) or a quieter machine.",
            style="bold",
            soft_wrap=True,
        )
    limit = (
        f"this machine set that rate: {too_late:,} bids came too late"
        if too_late > bids / 4
        else "the number of GPUs and the leases' lengths set that rate, not the market"
    )
    console.print(
        f"{score.won_in_time:,} awards in {lasted_s:.0f} s, {score.won_in_time / lasted_s:.1f} a second, and {late} "
        f"more of the last CFPs ({limit}); "
        f"{bids:,} bids, {score.total('tasks_done'):,} tasks finished, {score.total('tasks_late'):,} too late",
        soft_wrap=True,
    )
    console.print(
        f"from a CFP's close to the winner's notice: p50 {as_ms(quantile(seen, 0.5))}, "
        f"p99 {as_ms(quantile(seen, 0.99))}, max {as_ms(max(seen, default=None))} (n = {len(seen):,}); "
        f"to the award in the ledger: "
        f"p50 {as_ms(quantile(ledger_ms, 0.5))}, p99 {as_ms(quantile(ledger_ms, 0.99))} (n = {len(ledger_ms):,})",
        soft_wrap=True,
    )
    claimed, delivered = score.counted("claimed_points"), score.counted("delivered_points")
    told = ", ".join(
        f"{name} {claimed[kind]:,} and delivered {delivered[kind]:,} ({claimed[kind] / delivered[kind] - 1:+.1%})"
        for kind, name in (("calibrated", "agents that learn from it"), ("raw", "the others"))
        if delivered[kind]
    )
    if told:
        console.print(f"winners claimed so many points of value: {told}", soft_wrap=True)
