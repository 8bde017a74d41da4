"""The published DuckDB file compared with the ledger: every row, every column that follows from it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from analytics.ledger import moment_text, open_ledger
from analytics.verify.definitions import check_definitions
from analytics.verify.plain import plain_entry
from analytics.verify.report import DivergenceError
from analytics.verify.rows import BY_OFFSET, COLUMNS, Rows, digest
from analytics.verify.source import RecordSource
from contractnet.topics import LEDGER

_ROWS = 10_000
_MOMENT_MS_MAX = 253_402_300_799_000
"""The last second of the year 9999: Python has no later one."""
_SUMS = {
    "attribution": "count(*), coalesce(sum(credits), 0)::BIGINT",
    "spend": "coalesce(sum(payments), 0)::BIGINT, coalesce(sum(credits), 0)::BIGINT",
    "focus_costs": "count(*), coalesce(sum(x_MicroCredits), 0)::BIGINT",
}
"""Views that say what was paid: the SQL of the number of payments and their sum in each."""


def check_tables(source: RecordSource, data_dir: Path, partitions: int) -> tuple[Counter[str], str | None]:
    """Compare the newest publication with the ledger as far as that says it reaches.

    Returns the rows compared by table, and a note of what the ledger has beyond, if any. Raises DivergenceError, whose
    topic is `duckdb:TABLE` and whose offset is the row's ledger offset, and QueryError where there is no such file.
    """
    connection = open_ledger(data_dir)
    try:
        connection.execute("SET enable_progress_bar = false")  # it would be drawn into the report
        return _compare(connection, source, partitions)
    except duckdb.Error as error:
        raise DivergenceError("duckdb", None, None, f"the file cannot be read: {error}") from error
    finally:
        connection.close()


def _compare(
    connection: duckdb.DuckDBPyConnection, source: RecordSource, partitions: int
) -> tuple[Counter[str], str | None]:
    meta = {row[0]: row for row in connection.execute(f"SELECT {COLUMNS['meta']} FROM meta").fetchall()}
    count = connection.execute("SELECT count(*) FROM meta").fetchone()
    if count != (len(meta),) or not set(meta) <= set(range(partitions)):
        raise DivergenceError("duckdb:meta", None, None, "its partitions are not those of the topic")
    for partition, row in meta.items():
        if row[1] > (end := source.bounds(LEDGER.name, partition)[1]):
            what = f"it goes on to offset {row[1]}, the ledger that it is compared with ends at {end}"
            raise DivergenceError("duckdb:meta", partition, None, what)
    reached = {p: meta[p][1] if p in meta else 0 for p in range(partitions)}
    # At once: what comes while the rows are compared is not what the file lacks.
    note = _behind(source, reached)
    folded = {p: _fold(source, p, next_offset) for p, next_offset in reached.items()}
    compared: Counter[str] = Counter()
    compared["duckdb views and macros"] = check_definitions(connection)
    for partition, rows in folded.items():
        wanted = (partition, rows.last_offset + 1, rows.events, rows.newest_ms)
        if partition in meta and meta[partition] != wanted:
            raise DivergenceError("duckdb:meta", partition, None, f"expected {wanted}, found {meta[partition]}")
        compared["duckdb rows of meta"] += partition in meta
    for table in BY_OFFSET:
        compared[f"duckdb rows of {table}"] = _compare_offsets(connection, source, table, folded)
    for table in ("markets", "accounts", "keys", "pools", "budgets", "token_pools"):
        compared[f"duckdb rows of {table}"] = _compare_small(connection, table, folded)
    _compare_sums(connection, folded)
    return compared, note


def _behind(source: RecordSource, reached: dict[int, int]) -> str | None:
    """What the ledger holds beyond these offsets, one for each partition. None where that is nothing."""
    count, first_ms = 0, None
    for partition, next_offset in reached.items():
        for record in source.read(LEDGER.name, partition, next_offset):
            count += 1
            first_ms = record.timestamp if first_ms is None else min(first_ms, record.timestamp)
    if first_ms is None:
        return None
    # A stranger's record may have any stamp.
    first = moment_text(datetime.fromtimestamp(min(max(first_ms, 0), _MOMENT_MS_MAX) / 1000, UTC))
    return f"the DuckDB file is {count:,} records behind the ledger; the first that it lacks is of {first}"


def _fold(source: RecordSource, partition: int, next_offset: int, wanted: tuple[str, int] | None = None) -> Rows:
    rows = Rows(partition, wanted)
    if not next_offset:
        return rows
    for record in source.read(LEDGER.name, partition, 0):
        if record.offset >= next_offset:
            break
        entry = plain_entry(record.value)
        if entry is None:
            raise DivergenceError(LEDGER.name, partition, record.offset, "the value is no event")
        try:
            rows.take(record.offset, record.key, *entry)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            what = f"{entry[0]} does not follow from what lies before it: {error!r}"
            raise DivergenceError(LEDGER.name, partition, record.offset, what) from error
    rows.finish()
    return rows


def _compare_offsets(
    connection: duckdb.DuckDBPyConnection, source: RecordSource, table: str, folded: dict[int, Rows]
) -> int:
    expected = {partition: rows.final.get(table, {}) for partition, rows in folded.items()}
    wanted = sum(map(len, expected.values()))
    found: dict[int, set[int]] = {partition: set() for partition in folded}
    # Ordered, so that the first divergence is the first of the log.
    cursor = connection.execute(f"SELECT {COLUMNS[table]} FROM {table} ORDER BY partition, ledger_offset")
    while batch := cursor.fetchmany(_ROWS):
        for row in batch:
            partition, offset = row[0], row[1]
            if expected.get(partition, {}).get(offset) != digest(row):
                if offset not in expected.get(partition, {}):
                    what = f"the ledger has nothing for this row: {_named(table, row)}"
                else:
                    # Rows are kept as digests: what this one should be takes another fold.
                    again = _fold(source, partition, folded[partition].last_offset + 1, (table, offset))
                    what = f"the row is not what the ledger says: {_differences(table, row, again.found or [])}"
                raise DivergenceError(f"duckdb:{table}", partition, offset, what)
            if offset in found[partition]:
                raise DivergenceError(f"duckdb:{table}", partition, offset, "the row is there twice")
            found[partition].add(offset)
    for partition, offsets in expected.items():
        missing = offsets.keys() - found[partition]
        if missing:
            raise DivergenceError(f"duckdb:{table}", partition, min(missing), "the row is missing")
    return wanted


def _differences(table: str, found: tuple[Any, ...], expected: list[Any]) -> str:
    """The columns that differ, found and expected; the row's other columns after them."""
    names = COLUMNS[table].split(", ")
    pairs = list(zip(names, found, expected, strict=True))
    differing = [f"{name} is {x!r}, not {y!r}" for name, x, y in pairs if x != y]
    return f"{'; '.join(differing)}; in the row {_named(table, found)}"


def _named(table: str, row: tuple[Any, ...]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in zip(COLUMNS[table].split(", "), row, strict=True))


def _compare_small(connection: duckdb.DuckDBPyConnection, table: str, folded: dict[int, Rows]) -> int:
    expected = {tuple(row) for rows in folded.values() for row in getattr(rows, table).values()}
    found = connection.execute(f"SELECT {COLUMNS[table]} FROM {table}").fetchall()
    for row in found:
        if row not in expected:
            raise DivergenceError(f"duckdb:{table}", row[0], None, f"not what the ledger says: {_named(table, row)}")
    if len(set(found)) != len(found):
        raise DivergenceError(f"duckdb:{table}", None, None, "a row is there twice")
    for row in expected - set(found):
        raise DivergenceError(f"duckdb:{table}", row[0], None, f"the row is missing: {_named(table, row)}")
    return len(found)


def _compare_sums(connection: duckdb.DuckDBPyConnection, folded: dict[int, Rows]) -> None:
    """The views that people ask, and the table that has to be empty."""
    wanted = (sum(r.payments for r in folded.values()), sum(r.spent_ucr for r in folded.values()))
    for view, sums in _SUMS.items():
        spent = connection.execute(f"SELECT {sums} FROM {view}").fetchone()
        if spent != wanted:
            raise DivergenceError(f"duckdb:{view}", None, None, f"payments and credits are {spent}, not {wanted}")
    for view in ("attribution_check", "balances_check"):
        wrong = connection.execute(f"SELECT market FROM {view} WHERE NOT ok ORDER BY market").fetchone()
        if wrong is not None:
            raise DivergenceError(f"duckdb:{view}", None, None, f"market {wrong[0]!r} is not ok")
    strange = connection.execute("SELECT partition, ledger_offset FROM unreadable_entries").fetchone()
    if strange is not None:
        raise DivergenceError("duckdb:unreadable_entries", strange[0], strange[1], "the ledger's record is an event")
