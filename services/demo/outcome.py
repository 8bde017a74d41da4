"""What a run came to, from the published ledger, and the checks that it has to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

import analytics
from contractnet.cli.directory import DataDirectory
from contractnet.errors import QueryError
from services.demo.live import Score, as_ms, quantile
from services.status import ledger_ends, projection_lag
from services.table import query_example

CAUGHT_UP_S = 30.0
# Rejections that belong to a healthy run.
_EXPLAINED = {
    "CFP_CLOSED": " (bids that came too late)",
    "UNKNOWN_LEASE": " (leases that expired just as they were given back)",
}


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about the run, whether it holds, and the numbers behind it."""

    claim: str
    holds: bool
    numbers: str


@dataclass(frozen=True, slots=True)
class Run:
    """Which part of the ledger belongs to the run: a market's partition, from an offset on.

    `deleted`: nothing of it will stay.
    """

    directory: DataDirectory
    bootstrap: str
    market: str
    partition: int
    partitions: int
    first_offset: int
    deleted: bool


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
            rows = connection.execute(_ATTRIBUTION, _of(run)).fetchall()
            took_ms = (time.monotonic() - begun) * 1000
            latencies = [float(row[0]) for row in connection.execute(_LATENCIES, _of(run)).fetchall()]
            rejected = connection.execute(_REJECTED, _of(run)).fetchall()
            checks = [*_ledger_checks(connection, run, score), *_swarm_checks(score)]
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
    for check in checks:
        mark = Text("ok    ", "green") if check.holds else Text("FAILED", "bold red")
        console.print(Text.assemble(mark, "  ", check.claim, ": ", check.numbers), soft_wrap=True)
    if run.deleted:
        return all(check.holds for check in checks)
    console.print(f"\nThe ledger: {run.directory.ledger}", markup=False, soft_wrap=True)
    console.print(
        f"Ask it, now or while a market runs:\n  {query_example(run.directory)}", markup=False, soft_wrap=True
    )
    return all(check.holds for check in checks)


def _of(run: Run) -> dict[str, Any]:
    return {"market": run.market, "partition": run.partition, "first": run.first_offset}


_RUN = "market = $market AND partition = $partition AND ledger_offset >= $first"
_ATTRIBUTION = f"""
SELECT t.project, t.pool, count(*)::BIGINT, sum(w.units * w.duration_ms / 1000)::DOUBLE, sum(t.credits)::BIGINT
FROM attribution t JOIN (FROM awards WHERE {_RUN}) w ON t.market = w.market AND t.award_id = w.award_id
GROUP BY ALL ORDER BY 1, 5 DESC
"""
_LATENCIES = f"SELECT latency_ms FROM awards WHERE {_RUN}"
_REJECTED = f"SELECT code, count(*)::BIGINT FROM rejections WHERE {_RUN} GROUP BY ALL ORDER BY 2 DESC"
_SEEN = f"SELECT award_id, price_ucr FROM awards WHERE {_RUN}"
# What came in and neither is there any more nor was moved on by the bank must be what attribution says was spent.
_AGREES = """
WITH paid AS (SELECT agent, sum(credits)::BIGINT AS ucr FROM attribution WHERE market = $market GROUP BY ALL),
moved AS (
    SELECT account_id, sum(ucr)::BIGINT AS ucr FROM (
        SELECT credit_id AS account_id, amount_ucr AS ucr FROM transfers WHERE market = $market
        UNION ALL
        SELECT debit_id, -amount_ucr FROM transfers
        WHERE market = $market AND reason IN ('ISSUE', 'TRANSFER', 'ALLOWANCE', 'DECAY')
    ) GROUP BY ALL
)
SELECT count(*)::BIGINT, count(*) FILTER (
    coalesce(m.ucr, 0) - a.balance_ucr <> coalesce(p.ucr, 0))::BIGINT, coalesce(sum(p.ucr), 0)::BIGINT
FROM accounts a LEFT JOIN paid p ON p.agent = a.name LEFT JOIN moved m ON m.account_id = a.account_id
WHERE a.market = $market AND NOT a.is_bank
"""


def _ledger_checks(connection: duckdb.DuckDBPyConnection, run: Run, score: Score) -> list[Check]:
    books = connection.execute(
        "SELECT accounts, sum_balance_ucr, balances_differing, held_differing, ok FROM balances_check WHERE market = ?",
        [run.market],
    ).fetchone()
    assert books is not None, "the market has accounts"
    accounts, differing, paid_ucr = connection.execute(_AGREES, {"market": run.market}).fetchone() or (0, 1, 0)
    held = connection.execute("SELECT sum(held_ucr)::BIGINT FROM accounts WHERE market = ?", [run.market]).fetchone()
    ledger = dict(connection.execute(_SEEN, _of(run)).fetchall())
    seen = score.awards()
    spent_ucr = score.total("spent_ucr")
    same = set(ledger) == seen and sum(ledger.values()) == spent_ucr
    return [
        Check(
            "The balances of all accounts, the bank's included, add up to 0 and follow from the transfers",
            bool(books[4]),
            f"sum {books[1]}, {books[0]} accounts, {books[2]} balances and {books[3]} holds differ",
        ),
        Check(
            "What attribution says was spent is what left the balances",
            differing == 0 and accounts > 0,
            f"{paid_ucr / 1e6:,.2f} credits over all runs, {differing} of {accounts} accounts differ",
        ),
        Check(
            "Awards and prices in the ledger are those that the winners saw",
            same and bool(seen),
            f"{len(ledger):,} in the ledger, {len(seen):,} seen, {len(set(ledger) ^ seen)} in one only",
        ),
        Check(
            "Nothing is held any more", held is not None and held[0] == 0, f"{held[0] if held else '?'} micro-credits"
        ),
    ]


def _swarm_checks(score: Score) -> list[Check]:
    conflicts, uses = score.gate_total("conflicts"), score.gate_total("uses")
    shown, admitted = score.total("stale_shown"), score.total("stale_admitted")
    late = score.counted("not_admitted")
    kept_out = f", {sum(late.values())} holders not let in ({dict(late)})" if late else ""
    return [
        Check(
            "No GPU slot had two users at a time",
            conflicts == 0 and uses > 0,
            f"{conflicts} conflicts in {uses:,} uses{kept_out}",
        ),
        Check("Passes of leases that are over were refused", admitted == 0, f"{shown - admitted} of {shown}"),
    ]


def _show_attribution(console: Console, rows: list[tuple[Any, ...]]) -> None:
    table = Table(title="Who spent how much on what (this run)", title_justify="left")
    for name in ("project", "pool"):
        table.add_column(name)
    for name in ("awards", "GPU-seconds", "credits", "credits/GPU-s"):
        table.add_column(name, justify="right")
    for project, pool, awards, gpu_s, ucr in rows:
        price = f"{ucr / 1e6 / gpu_s:.2f}"
        table.add_row(project, pool, f"{awards:,}", f"{gpu_s:,.0f}", f"{ucr / 1e6:,.2f}", price)
    total = sum(row[4] for row in rows) / 1e6
    table.add_section()
    gpu_s = sum(row[3] for row in rows)
    table.add_row("all", "", f"{sum(row[2] for row in rows):,}", f"{gpu_s:,.0f}", f"{total:,.2f}", "")
    console.print(table)


def _show_numbers(console: Console, score: Score, lasted_s: float, ledger_ms: list[float]) -> None:
    seen, late = score.latencies_ms, score.total("won") - score.won_in_time
    console.print(
        f"{score.won_in_time:,} awards in {lasted_s:.0f} s, {score.won_in_time / lasted_s:.1f} a second, and {late} "
        f"more of the last CFPs (the number of GPUs and the leases' lengths set this rate, not the market); "
        f"{score.total('bids'):,} bids, {score.total('tasks_done'):,} tasks finished",
        soft_wrap=True,
    )
    console.print(
        f"from a CFP's close to the winner's notice: p50 {as_ms(quantile(seen, 0.5))}, "
        f"p99 {as_ms(quantile(seen, 0.99))}, max {as_ms(max(seen, default=None))} (n = {len(seen):,}); "
        f"to the award in the ledger: "
        f"p50 {as_ms(quantile(ledger_ms, 0.5))}, p99 {as_ms(quantile(ledger_ms, 0.99))} (n = {len(ledger_ms):,})",
        soft_wrap=True,
    )
