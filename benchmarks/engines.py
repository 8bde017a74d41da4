"""Ten questions about spending, to DuckDB as the projector publishes it, to DuckDB's own tables, and to SQLite.

All three hold the same rows, get the same SQL but for how a time is spelled, and their answers are compared: a
difference ends the section. SQLite has the indexes that somebody who asks these questions would make.
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

import analytics
from benchmarks.attribution import BEGINS, DAYS, publish
from projections.sql import read
from projections.store import quoted

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_ACCOUNT, _TASK = "md5('agent-7')", "task-7"
ROWS_A_TIME = 50_000
Answer = list[tuple[Any, ...]]
Ask = Callable[[str], Answer]

# {hour} is the hour of a payment, {at} the time of a transfer and {end} that of the newest, in ms since 1970.
QUESTIONS = {
    "spend by project, agent, pool and hour": "SELECT project, agent, pool, hour_ms, sum(credits) AS ucr "
    "FROM payments GROUP BY 1, 2, 3, 4 ORDER BY ucr DESC, 1, 2, 3, 4 LIMIT 100",
    "the last 24 h, by agent and pool": "SELECT agent, pool, sum(credits) AS ucr FROM payments "
    "WHERE {paid} >= {last_day} GROUP BY 1, 2 ORDER BY 1, 2",
    "ten top spenders": "SELECT project, agent, sum(credits) AS ucr FROM payments GROUP BY 1, 2 "
    "ORDER BY ucr DESC, 1, 2 LIMIT 10",
    "price of a unit-hour, by pool": "SELECT pool, sum(price_ucr) AS ucr, sum(units * duration_ms) AS unit_ms "
    "FROM awards GROUP BY 1 ORDER BY 1",
    "burn-down of an agent's last week": "SELECT hour_ms, ucr, sum(ucr) OVER (ORDER BY hour_ms) AS so_far FROM ("
    "SELECT hour_ms, sum(credits) AS ucr FROM payments WHERE agent = 'agent-7' AND {paid} >= {last_week} GROUP BY 1"
    ") AS hours ORDER BY 1",
    "balances as of the middle": "SELECT account_id, sum(ucr) AS ucr FROM ("
    "SELECT credit_id AS account_id, sum(amount_ucr) AS ucr FROM transfers WHERE {at} <= {middle} GROUP BY 1 "
    "UNION ALL SELECT debit_id, -sum(amount_ucr) FROM transfers WHERE {at} <= {middle} GROUP BY 1"
    ") AS sides GROUP BY 1 ORDER BY 1",
    "all balances add up to 0": "SELECT count(*), sum(ucr) FROM (SELECT account_id, sum(ucr) AS ucr FROM ("
    "SELECT credit_id AS account_id, amount_ucr AS ucr FROM transfers UNION ALL "
    "SELECT debit_id, -amount_ucr FROM transfers) AS sides GROUP BY 1) AS balances",
    "payments joined with their awards": "SELECT a.pool, a.units, count(*), sum(t.amount_ucr) AS ucr "
    "FROM transfers t JOIN awards a ON a.award_id = t.award_id GROUP BY 1, 2 ORDER BY 1, 2",
    "one task, by pool": f"SELECT pool, count(*), sum(credits) AS ucr FROM payments WHERE task = '{_TASK}' "
    "GROUP BY 1 ORDER BY 1",
    "running balance of an account": "SELECT ledger_offset, sum(ucr) OVER (ORDER BY ledger_offset) AS balance FROM ("
    "SELECT ledger_offset, amount_ucr AS ucr FROM transfers WHERE credit_id = '{account}' UNION ALL "
    "SELECT ledger_offset, -amount_ucr FROM transfers WHERE debit_id = '{account}') AS postings ORDER BY 1",
}
_PAID = "reason NOT IN ('ISSUE', 'TRANSFER', 'ALLOWANCE', 'DECAY')"
_TRANSFERS = (
    "debit_id, credit_id, amount_ucr, reason, agent, project, task, pool, award_id, transferred_at, ledger_offset"
)
_AWARDS = "award_id, pool, units, duration_ms, price_ucr"
_SQLITE = f"""
CREATE TABLE transfers (debit_id TEXT, credit_id TEXT, amount_ucr INTEGER, reason TEXT, agent TEXT, project TEXT,
    task TEXT, pool TEXT, award_id TEXT, transferred_at INTEGER, ledger_offset INTEGER PRIMARY KEY);
CREATE TABLE awards (award_id TEXT PRIMARY KEY, pool TEXT, units INTEGER, duration_ms INTEGER, price_ucr INTEGER)
    WITHOUT ROWID;
CREATE VIEW payments AS SELECT project, agent, task, pool, amount_ucr AS credits, transferred_at AS paid_at,
    transferred_at / {_HOUR_MS} * {_HOUR_MS} AS hour_ms FROM transfers WHERE {_PAID};
"""
_INDEXES = """
CREATE INDEX by_time ON transfers (transferred_at);
CREATE INDEX by_agent ON transfers (agent, transferred_at);
CREATE INDEX by_task ON transfers (task);
CREATE INDEX by_debit ON transfers (debit_id);
CREATE INDEX by_credit ON transfers (credit_id);
ANALYZE;
"""
PUBLISHED, NATIVE, SQLITE = "published", "native", "SQLite"
_PAYMENTS = "CREATE TEMP VIEW payments AS SELECT *, epoch_ms(hour) AS hour_ms FROM attribution"


class AnswersDifferError(AssertionError):
    """Two engines with the same rows answered one question differently."""


def compare(transfers: int, runs: int) -> list[dict[str, object]]:
    """One row a question: median ms of each engine, each time on a connection of its own, the engines in turn.

    Raises AnswersDifferError where they do not agree.
    """
    with tempfile.TemporaryDirectory(prefix="contractnet-bench-") as name:
        folder = Path(name)
        publish(folder, transfers)
        asks = engines(folder)
        return [compare_answers(what, sql, asks, runs) | {"transfers": transfers} for what, sql in QUESTIONS.items()]


def engines(folder: Path) -> dict[str, Ask]:
    """The published ledger in a folder, and copies of its rows in files of the other engines beside it: what asks
    each of them a question."""
    native, lite = folder / "native.duckdb", folder / "ledger.sqlite"
    with analytics.open(folder) as ledger:
        [(last_ms,)] = ledger.execute("SELECT epoch_ms(max(transferred_at)) FROM transfers").fetchall()
        [(account,)] = ledger.execute(f"SELECT {_ACCOUNT}").fetchall()
        [(begins_ms,)] = ledger.execute(f"SELECT epoch_ms({BEGINS})").fetchall()
        fill_sqlite(ledger, lite)
    with duckdb.connect(str(native)) as copy:
        copy.execute(f"ATTACH {quoted((folder / 'ledger.duckdb').resolve())} AS ledger (READ_ONLY)")
        for table in ("transfers", "awards"):
            copy.execute(f"CREATE TABLE {table} AS FROM ledger.main.{table}")
        copy.execute("CREATE VIEW attribution AS " + _attribution())
    bounds = {
        "last_day": last_ms - _DAY_MS,
        "last_week": last_ms - 7 * _DAY_MS,
        "middle": begins_ms + DAYS * _DAY_MS // 2,
    }
    stamps = {name: f"make_timestamp_ms({ms})" for name, ms in bounds.items()}
    names = {"paid": "paid_at", "at": "transferred_at", "account": account}

    def published(sql: str) -> Answer:
        with analytics.open(folder) as connection:
            return _duckdb(connection, sql.format(**names, **stamps))

    def own(sql: str) -> Answer:
        with duckdb.connect(str(native), read_only=True) as connection:
            return _duckdb(connection, sql.format(**names, **stamps))

    def sqlite(sql: str) -> Answer:
        with contextlib.closing(sqlite3.connect(lite)) as connection:
            return connection.execute(sql.format(**names, **bounds)).fetchall()

    return {PUBLISHED: published, NATIVE: own, SQLITE: sqlite}


def _duckdb(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    connection.execute(_PAYMENTS)
    return connection.execute(sql).fetchall()


def _attribution() -> str:
    """The view's own query, as the projector ships it."""
    _, _, rest = read("views.sql").partition("CREATE VIEW attribution AS")
    return rest.partition(";")[0]


def fill_sqlite(ledger: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Copy the rows that the questions need into a SQLite file; times become ms since 1970."""
    columns = _TRANSFERS.replace("transferred_at", "epoch_ms(transferred_at)")
    with contextlib.closing(sqlite3.connect(path)) as lite:
        lite.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SQLITE)
        orders = {"transfers": (columns, "ledger_offset"), "awards": (_AWARDS, "award_id")}
        for table, (names, order) in orders.items():
            marks = ", ".join("?" * len(names.split(", ")))
            found = ledger.execute(f"SELECT {names} FROM {table} ORDER BY {order}")
            lite.executemany(f"INSERT INTO {table} VALUES ({marks})", _rows(found))
            lite.commit()
        lite.executescript(_INDEXES)


def _rows(found: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := found.fetchmany(ROWS_A_TIME):
        yield from rows


def compare_answers(what: str, sql: str, asks: dict[str, Ask], runs: int) -> dict[str, object]:
    """Ask all engines one question, in turn: the row of the table. Raises AnswersDifferError."""
    took_ms: dict[str, list[float]] = {engine: [] for engine in asks}
    first: Answer | None = None
    for _ in range(runs):
        for engine, ask in asks.items():
            started_s = time.perf_counter()
            answer = ask(sql)
            took_ms[engine].append((time.perf_counter() - started_s) * 1000)
            first = answer if first is None else first
            if answer != first:
                raise AnswersDifferError(f"{what}: {engine} answers {answer[:3]}, {PUBLISHED} {first[:3]}")
    medians = {engine: statistics.median(found) for engine, found in took_ms.items()}
    return (
        {"question": what, "rows": len(first or [])}
        | {f"{engine} ms": round(ms, 1) for engine, ms in medians.items()}
        | {
            "SQLite to published": round(medians[SQLITE] / medians[PUBLISHED], 1),
            "published to native": round(medians[PUBLISHED] / medians[NATIVE], 2),
            "runs": runs,
        }
    )
