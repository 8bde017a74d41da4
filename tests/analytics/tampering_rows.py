"""Ways to tamper with a published ledger: rows of every table of the DuckDB file, and rows that are sealed in Parquet.

The list of tables comes from the file itself, so that none that is added later is left out.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analytics.ledger import newest_generation
from projections.layout import Layout
from projections.store import quoted

DRAWS_PER_CASE = 50
_NOT_OF_THE_LEDGER = {("main.meta", "published_at"), ("main.meta", "generation")}
"""Columns that tell about the publication itself."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a table: those in the DuckDB file, under their `name` there, or those in its segments."""

    name: str
    table: str
    files: tuple[Path, ...]
    count: int

    def draw(self, wanted: int, rng: random.Random) -> Iterator[str]:
        """Edit the files in place, `wanted` times, each time in another way; put back what was there after each.

        Yields what was done. An empty table can be tampered with in one way only, a row that is added. Fails where
        there are not so many distinct ways.
        """
        seen: set[str] = set()
        wanted = wanted if self.count else 1
        for _ in range(wanted * DRAWS_PER_CASE):
            file = rng.choice(self.files)
            with _put_back(file):
                did = f"{file.name}: {self._edit(file, rng)}"
                if did not in seen:
                    seen.add(did)
                    yield did
            if len(seen) == wanted:
                return
        raise AssertionError(f"{self.name}: only {len(seen)} distinct attempts, {wanted} are wanted")

    def _edit(self, file: Path, rng: random.Random) -> str:
        """Change, delete or double one row; a segment keeps its name."""
        if file.suffix != ".parquet":
            with duckdb.connect(str(file)) as connection:
                return _edit_table(connection, self.name, rng)
        with duckdb.connect() as connection:
            connection.execute(f"CREATE SCHEMA sealed; CREATE TABLE {self.name} AS FROM read_parquet({quoted(file)})")
            did = _edit_table(connection, self.name, rng)
            connection.execute(f"COPY {self.name} TO {quoted(file)} (FORMAT parquet, COMPRESSION zstd)")
        return did


def all_rows(data_dir: Path) -> list[Rows]:
    """Everything that holds rows of the newest publication, as the file itself and its views say."""
    file = newest_generation(data_dir)
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
        found = [Rows(f"{s}.{table}", table, (file,), _count(connection, f"{s}.{table}")) for s, table in tables]
        views = str(connection.execute("SELECT list(sql) FROM duckdb_views()").fetchall())
        sealed: dict[str, list[Path]] = defaultdict(list)
        for segment in sorted(Layout(data_dir).segments.glob("*.parquet")):
            if segment.name in views:
                sealed[segment.stem.rpartition("-")[0]].append(segment)
        for table, files in sealed.items():
            count = sum(_count(connection, f"read_parquet({quoted(segment)})") for segment in files)
            found.append(Rows(f"sealed.{table}", table, tuple(files), count))
    return found


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _put_back(file: Path) -> Iterator[None]:
    before = file.read_bytes()
    try:
        yield
    finally:
        file.write_bytes(before)


def _edit_table(connection: duckdb.DuckDBPyConnection, table: str, rng: random.Random) -> str:
    columns = connection.execute(f"SELECT name, type FROM pragma_table_info('{table}')").fetchall()
    rows = connection.execute(f"SELECT rowid FROM {table} ORDER BY rowid").fetchall()
    if not rows:
        connection.execute(f"INSERT INTO {table} ({columns[0][0]}) VALUES (0)")
        return f"{table}: a row added"
    rowid = rng.choice(rows)[0]
    how = rng.choice(("change", "change", "change", "delete", "double"))
    if how == "delete":
        connection.execute(f"DELETE FROM {table} WHERE rowid = {rowid}")
        return f"{table}: row {rowid} deleted"
    if how == "double":
        connection.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE rowid = {rowid}")
        return f"{table}: row {rowid} doubled"
    name, kind = rng.choice([c for c in columns if (table, c[0]) not in _NOT_OF_THE_LEDGER])
    connection.execute(f"UPDATE {table} SET {name} = {_other(name, kind)} WHERE rowid = {rowid}")
    return f"{table}: {name} of row {rowid} changed"


def _other(name: str, kind: str) -> str:
    """SQL for a value that this column does not have."""
    if kind.endswith("[]"):
        return f"list_append(coalesce({name}, []), NULL)"
    others = {
        "VARCHAR": f"coalesce({name}, '') || 'x'",
        "BOOLEAN": f"coalesce(NOT {name}, true)",
        "TIMESTAMP": f"coalesce({name}, TIMESTAMP '2026-01-01') + INTERVAL 1 MILLISECOND",
    }
    return others.get(kind, f"coalesce({name}, 0) + 1")
