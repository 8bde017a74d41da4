"""How long questions about spending take on ten million transfers, on a published ledger in segments as large as
merging leaves them."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import duckdb

import analytics
from projections.layout import Layout
from projections.merge import LEVELS
from projections.publish import Publisher
from projections.settings import ProjectionSettings
from projections.store import Store, quoted

SEED = 7
AGENTS, PROJECTS, POOLS, TASKS = 500, 12, 8, 2_000
DAYS = 90
BEGINS = "TIMESTAMP '2026-09-01'"
_AGENT = f"(hash(i, {SEED}) % {AGENTS})::INTEGER"
_POOL = f"(hash(i, {SEED} + 1) % {POOLS})::INTEGER"
_AT = f"{BEGINS} + to_milliseconds(i * {DAYS} * 86400000 // rows)"
# Of ten transfers seven pay for leases, two for tokens, and one is a deposit.
_ROWS = f"""
SELECT i, i % 10 AS what, {_AGENT} AS agent_no, {_POOL} AS pool_no, {_AT} AS at_time, md5(i::VARCHAR) AS award,
    1000 + (hash(i, {SEED} + 2) % 5000000)::BIGINT AS price, i * 3 AS place
FROM (SELECT unnest(range($1::BIGINT, $2::BIGINT)) AS i, $3::BIGINT AS rows)
"""
_WHO = f"'agent-' || agent_no AS agent, 'project-' || agent_no % {PROJECTS} AS project"
_TASK = f"'task-' || hash(i, {SEED} + 3) % {TASKS} AS task"
_TABLES = {
    "transfers": f"""
SELECT 'default' AS market, md5('agent-' || agent_no) AS debit_id, md5('owner-' || pool_no) AS credit_id,
    price AS amount_ucr,
    CASE WHEN what < 7 THEN 'AWARD' WHEN what < 9 THEN 'TOKENS' ELSE 'DEPOSIT' END AS reason, {_WHO},
    if(what < 9, {_TASK.partition(" AS ")[0]}, '') AS task, 'pool-' || pool_no AS pool,
    if(what BETWEEN 7 AND 8, NULL, md5('cfp' || i)) AS cfp_id, if(what < 9, award, NULL) AS award_id, '' AS memo,
    at_time AS transferred_at, 3 AS partition, place AS ledger_offset FROM ({_ROWS})""",
    "awards": f"""
SELECT 'default' AS market, award AS award_id, md5('cfp' || i) AS cfp_id, 0 AS slot, award AS bid_id,
    md5('agent-' || agent_no) AS account_id, {_WHO}, {_TASK}, 'pool-' || pool_no AS pool, 1 + (i % 4)::INTEGER AS units,
    600000 + 60000 * (i % 60) AS duration_ms, price AS price_ucr, price AS bid_price_ucr,
    md5('owner-' || pool_no) AS manager_id, 'owner-' || pool_no AS manager, at_time AS opened_at, at_time AS closes_at,
    at_time AS awarded_at, 5::BIGINT AS latency_ms, 5::BIGINT AS since_opened_ms, 3 AS partition,
    place + 1 AS ledger_offset, place AS command_offset, 0 AS index FROM ({_ROWS}) WHERE what < 7""",
    "reservations": f"""
SELECT 'default' AS market, award AS award_id, md5('agent-' || agent_no) AS account_id, {_WHO},
    'pool-' || pool_no AS pool, 1 + (i % 4)::INTEGER AS units, at_time AS reserved_at, at_time AS starts_at,
    at_time + to_milliseconds(600000 + 60000 * (i % 60)) AS ends_at, 'expired' AS status, ends_at AS ended_at,
    3 AS partition, place + 2 AS ledger_offset FROM ({_ROWS}) WHERE what < 7""",
    "token_grants": f"""
SELECT 'default' AS market, award AS grant_id, 'pool-' || pool_no AS pool,
    md5('agent-' || agent_no) AS account_id, {_WHO}, md5('order' || i) AS order_id,
    1000 + i % 9000 AS tokens, price AS paid_ucr, {_TASK}, false AS is_system,
    at_time AS granted_at, at_time + INTERVAL 20 SECOND AS expires_at, 3 AS partition, place + 1 AS ledger_offset
FROM ({_ROWS}) WHERE what IN (7, 8)""",
}
_DAY = f"{BEGINS} + INTERVAL {DAYS - 1} DAY"
QUESTIONS = {
    "spend by project and pool, all time": "SELECT project, pool, sum(credits)::BIGINT FROM attribution GROUP BY ALL",
    "spend by agent, task, pool and hour of a day": "SELECT agent, task, pool, hour, sum(credits)::BIGINT AS ucr "
    f"FROM attribution_between({_DAY}, {_DAY} + INTERVAL 1 DAY) GROUP BY ALL ORDER BY ucr DESC LIMIT 20",
    "one agent by task, all time": "SELECT task, sum(credits)::BIGINT AS ucr FROM attribution WHERE agent = 'agent-7' "
    "GROUP BY ALL ORDER BY ucr DESC LIMIT 20",
    "spend by day and reason, all time": "SELECT date_trunc('day', hour) AS day, reason, sum(credits)::BIGINT "
    "FROM attribution GROUP BY ALL ORDER BY ALL",
    "ten top spenders, all time": "FROM top_spenders ORDER BY rank LIMIT 10",
    "whole: price of a unit-hour by pool": "SELECT pool, kind, sum(credits) / sum(unit_ms) * 3.6 FROM unit_prices "
    "GROUP BY ALL",
    "unit prices of a day": f"FROM unit_prices_between({_DAY}, {_DAY} + INTERVAL 1 DAY) ORDER BY ALL LIMIT 100",
    "balances at a time": f"FROM balances_at({BEGINS} + INTERVAL {DAYS // 2} DAY)",
    "budgets: burn-down of one": "FROM budget_burndown WHERE agent = 'agent-7' ORDER BY hour",
    "budgets: forecast": "FROM budget_forecast ORDER BY ALL",
    "capacity of a day": f"FROM capacity_between({_DAY}, {_DAY} + INTERVAL 1 DAY) ORDER BY ALL",
    "whole: attribution_check": "FROM attribution_check",
    "whole: capacity": "SELECT pool, sum(idle_unit_ms)::BIGINT FROM capacity GROUP BY ALL",
}


def answers(transfers: int, runs: int) -> list[dict[str, object]]:
    """One row a question: median and longest wall time, with a connection of its own each time."""
    with tempfile.TemporaryDirectory(prefix="contractnet-bench-") as folder:
        publish(Path(folder), transfers)
        took_s: dict[str, list[float]] = {what: [] for what in QUESTIONS}
        rows: dict[str, int] = {}
        for _ in range(runs):
            for what, sql in QUESTIONS.items():
                started_s = time.monotonic()
                with analytics.open(Path(folder)) as connection:
                    rows[what] = len(connection.execute(sql).fetchall())
                took_s[what].append(time.monotonic() - started_s)
        with analytics.open(Path(folder)) as connection:
            assert connection.execute("SELECT bool_and(ok) FROM attribution_check").fetchone() == (True,)
        return [
            {
                "question": what,
                "p50 s": round(statistics.median(found), 2),
                "max s": round(max(found), 2),
                "rows": rows[what],
                "runs": runs,
                "transfers": transfers,
            }
            for what, found in took_s.items()
        ]


def publish(folder: Path, transfers: int) -> None:
    """A ledger with so many transfers, made up, as the projector would have published it."""
    settings = ProjectionSettings("", folder)
    layout = Layout(folder)
    layout.create()
    store = Store(layout, settings)
    rows_of_file = settings.seal_rows * settings.merge_files**LEVELS
    with duckdb.connect() as writer:
        for table, query in _TABLES.items():
            for number, start in enumerate(range(0, transfers, rows_of_file), 1):
                file = f"{table}-{number:09d}.parquet"
                bounds = [start, min(transfers, start + rows_of_file), transfers]
                target = quoted(layout.segments / file)
                writer.execute(f"COPY ({query}) TO {target} (FORMAT parquet, COMPRESSION zstd)", bounds)
                store.connection.execute("INSERT INTO segments VALUES (?, ?, 0)", [table, file])
    _fill(store, layout)
    Publisher(store, settings).publish()
    store.close()


def _fill(store: Store, layout: Layout) -> None:
    """The small tables: accounts with the balances that follow from transfers, pools, and a budget for each agent."""
    execute = store.connection.execute
    segments = quoted(layout.segments / "transfers-*.parquet")
    execute(f"INSERT INTO positions VALUES (3, 1, 0, NULL, 0, {BEGINS} + INTERVAL {DAYS} DAY)")
    execute(
        f"INSERT INTO markets BY NAME SELECT 'default' AS market, 3 AS partition, 9 AS rules_version, "
        f"{BEGINS} AS opened_at"
    )
    execute(
        f"""
INSERT INTO accounts BY NAME
WITH folded AS (
    SELECT id, sum(ucr)::BIGINT AS ucr FROM (
        SELECT credit_id AS id, sum(amount_ucr) AS ucr FROM read_parquet({segments}) GROUP BY ALL
        UNION ALL
        SELECT debit_id, -sum(amount_ucr) FROM read_parquet({segments}) GROUP BY ALL) GROUP BY ALL
), names AS (
    SELECT 'agent-' || i AS name, 'project-' || i % {PROJECTS} AS project FROM range({AGENTS}) t(i)
    UNION ALL SELECT 'owner-' || i, 'infra' FROM range({POOLS}) t(i)
)
SELECT 'default' AS market, md5(name) AS account_id, name, project, project AS budget_root, false AS is_bank,
    ucr AS balance_ucr, 0 AS held_ucr, 0 AS owed_ucr, {BEGINS} AS opened_at, 3 AS partition
FROM names JOIN folded ON id = md5(name)"""
    )
    execute(
        f"INSERT INTO pool_sizes BY NAME SELECT 'default' AS market, 'pool-' || i AS pool, 5000 AS units, "
        f"{BEGINS} AS set_at, 3 AS partition, i AS ledger_offset FROM range({POOLS}) t(i)"
    )
    execute(
        "INSERT INTO budgets BY NAME SELECT market, account_id AS budget_id, 'account' AS scope, account_id, "
        f"name AS agent, project, {BEGINS} AS set_at, partition FROM accounts WHERE name LIKE 'agent%'"
    )
    execute(
        f"INSERT INTO budget_windows BY NAME SELECT market, budget_id, {_DAY} AS starts_at, "
        f"{_DAY} + INTERVAL 7 DAY AS ends_at, 10::BIGINT**12 AS limit_ucr, 0 AS topped_up_ucr, "
        f"10::BIGINT**9 AS spent_ucr, "
        "partition, (SELECT max(ledger_offset) * 9 // 10 FROM read_parquet("
        + segments
        + ")) AS ledger_offset FROM budgets"
    )
