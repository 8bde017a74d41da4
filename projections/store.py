"""state.duckdb: everything the projector knows, changed only in transactions that also move its position.

A batch of ledger records changes rows, balances and the position in the ledger together, or not at all. Sealing moves
rows into a Parquet segment and names it in the manifest, together or not at all. So a process killed at any instant
goes on from the last commit, and nothing is lost or doubled.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from contractnet.errors import DataDirectoryError
from projections.decode import Decoded, LedgerRecord, all_events, decode
from projections.layout import Layout
from projections.settings import ProjectionSettings
from projections.sql import fold_statements, read

log = logging.getLogger(__name__)

FORMAT_VERSION = 9
"""Raised with every change of tables.sql or fold.sql: the projection is then rebuilt from the ledger."""

APPENDED = (
    "events",
    "awards",
    "transfers",
    "rejections",
    "refusals",
    "invitations",
    "offers",
    "token_clearings",
    "token_grants",
    "token_usage",
    "policies",
    "deposit_rates",
    "resale_calls",
    "pool_sizes",
)
"""Tables whose rows never change."""
CHANGING = ("cfps", "bids", "works", "reservations", "holds", "budget_windows", "negotiations", "token_orders")
"""Tables whose rows change until their final_offset."""
SMALL = ("markets", "accounts", "keys", "pools", "budgets", "token_pools", "unreadable_entries")
"""Tables that are published whole: their size follows the number of accounts, pools and budgets, not
of events."""

# 253402300799999 is the last millisecond of the year 9999: a wrong clock must not make a batch impossible to store.
_MACROS = """
CREATE OR REPLACE TEMP MACRO id(value) AS lower(hex(value));
CREATE OR REPLACE TEMP MACRO ts(value) AS epoch_ms(least(greatest(value, 0), 253402300799999));
"""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a partition is applied: the next offset to read, the last one applied and its chain."""

    next_offset: int
    last_offset: int
    chain: bytes | None


class Store:
    """The only writer of a state file. Use from one thread; `close` it."""

    def __init__(self, layout: Layout, settings: ProjectionSettings, path: Path | None = None) -> None:
        """Open or create `path` (the layout's state file). Raises DataDirectoryError for one of another version."""
        self.layout = layout
        self._settings = settings
        self.path = path or layout.state
        # One thread: batches are small, and a second one costs more than it does (docs/decisions/0103).
        self.connection = duckdb.connect(str(self.path), config={"memory_limit": "1GB", "threads": 1})
        os.chmod(self.path, 0o600)
        self.connection.execute(_MACROS)
        self._create_or_check()

    def close(self) -> None:
        """Checkpoint and close."""
        self.connection.close()

    def positions(self) -> dict[int, Position]:
        """Position by partition; a partition without any record yet is absent."""
        rows = self.connection.execute("SELECT partition, next_offset, last_offset, chain FROM positions").fetchall()
        return {partition: Position(*rest) for partition, *rest in rows}

    def event_count(self) -> int:
        """Records applied, over all partitions."""
        row = self.connection.execute("SELECT coalesce(sum(events), 0)::BIGINT FROM positions").fetchone()
        assert row is not None
        return int(row[0])

    def apply(self, records: Sequence[LedgerRecord]) -> None:
        """Fold a batch, in the order of each partition, and move the positions: one transaction."""
        self.apply_decoded(records, decode(records))

    def apply_decoded(self, records: Sequence[LedgerRecord], decoded: Decoded) -> None:
        """`apply` of what is decoded already."""
        with self.transaction():
            self._fold(decoded)
            self._move(records, decoded)

    def seal_due(self, segments_max: int | None = None) -> int:
        """Move final rows of the tables that have enough of them into segments, at most `segments_max`; returns how
        many."""
        sealed = 0
        for table in (*APPENDED, *CHANGING):
            if sealed == segments_max:
                break
            sealed += self._seal(table)
        return sealed

    def manifest(self) -> list[tuple[str, str, int]]:
        """Table, file name and number of rows of every segment, oldest file first."""
        return self.connection.execute("SELECT table_name, file, row_count FROM segments ORDER BY file").fetchall()

    def segments(self) -> dict[str, list[str]]:
        """Segment file names by table, oldest first."""
        named: dict[str, list[str]] = {}
        for table, file, _ in self.manifest():
            named.setdefault(table, []).append(file)
        return named

    def replace_segments(self, table: str, parts: Sequence[str]) -> None:
        """Name the file that a merge has written in the place of its parts: one transaction. The parts stay for those
        who read an older generation."""
        with self.transaction():
            file = self._place(table, self.layout.merged)
            marks = ", ".join("?" * len(parts))
            self.connection.execute(
                f"INSERT INTO segments SELECT ?, ?, sum(row_count) FROM segments WHERE file IN ({marks})",
                [table, file, *parts],
            )
            self.connection.execute(f"DELETE FROM segments WHERE file IN ({marks})", [*parts])
        log.info("merged %d segments of %s into %s", len(parts), table, file)

    @property
    def catalog(self) -> str:
        """The name of the state in SQL, where another database is the default."""
        return self.path.stem

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside, or nothing of it."""
        self.connection.execute("BEGIN")
        with ExitStack() as undo:
            undo.callback(self.connection.execute, "ROLLBACK")
            yield
            undo.pop_all()
        self.connection.execute("COMMIT")

    def _create_or_check(self) -> None:
        tables = self.connection.execute("SELECT count(*) FROM duckdb_tables() WHERE NOT temporary").fetchone()
        if tables == (0,):
            with self.transaction():
                self.connection.execute(read("tables.sql"))
                self.connection.execute("INSERT INTO format VALUES (?)", [FORMAT_VERSION])
        found = self.connection.execute("SELECT version FROM format").fetchone()
        if found != (FORMAT_VERSION,):
            self.connection.close()
            raise DataDirectoryError(
                f"{self.path} has format {found}, this version writes {FORMAT_VERSION}. The ledger has everything: "
                f"rebuild with `python -m projections.rebuild --data {self.layout.data_dir}`."
            )

    def _fold(self, decoded: Decoded) -> None:
        relations = dict(decoded.tables)
        if relations:
            relations["events"] = all_events(decoded.tables)
        for name, table in relations.items():
            self.connection.register(f"in_{name}", table)
        try:
            for statement in fold_statements(relations):
                self.connection.execute(statement)
        finally:
            for name in relations:
                self.connection.unregister(f"in_{name}")
        for entry in decoded.unreadable:
            partition, offset, key, value, _ = entry.record
            log.error("partition %d, offset %d is no ledger entry: %s", partition, offset, entry.reason)
            self.connection.execute(
                "INSERT INTO unreadable_entries VALUES (?, ?, ?, ?, ?)", [partition, offset, key, entry.reason, value]
            )

    def _move(self, records: Sequence[LedgerRecord], decoded: Decoded) -> None:
        newest: dict[int, int] = {}
        for table in decoded.tables.values():
            for row in table.group_by("partition").aggregate([("at_ms", "max")]).to_pylist():
                newest[row["partition"]] = max(newest.get(row["partition"], 0), row["at_ms_max"])
        counts = Counter(record.partition for record in records)
        for partition, record in {record.partition: record for record in records}.items():
            self.connection.execute(
                "MERGE INTO positions USING (SELECT ?::INTEGER p, ?::BIGINT o, ?::BLOB c, ?::BIGINT n, ?::BIGINT t) i "
                "ON partition = i.p "
                "WHEN MATCHED THEN UPDATE SET next_offset = i.o + 1, last_offset = i.o, chain = i.c, "
                "events = events + i.n, newest_event_at = greatest(newest_event_at, ts(i.t)) "
                "WHEN NOT MATCHED THEN INSERT VALUES (i.p, i.o + 1, i.o, i.c, i.n, ts(i.t))",
                [partition, record.offset, record.chain, counts[partition], newest.get(partition)],
            )

    def _seal(self, table: str) -> bool:
        ripe = "true"
        if table in CHANGING:
            ripe = (
                f"final_offset + {self._settings.seal_grace_offsets} < "
                f"(SELECT next_offset FROM positions p WHERE p.partition = {table}.partition)"
            )
        row = self.connection.execute(f"SELECT count(*) FROM {table} WHERE {ripe}").fetchone()
        assert row is not None
        if row[0] < self._settings.seal_rows:
            return False
        columns = "* EXCLUDE (final_offset)" if table in CHANGING else "*"
        with self.transaction():
            file = self._write_segment(table, f"SELECT {columns} FROM {table} WHERE {ripe}")
            self.connection.execute(f"DELETE FROM {table} WHERE {ripe}")
            self.connection.execute("INSERT INTO segments VALUES (?, ?, ?)", [table, file, row[0]])
        self.connection.execute("CHECKPOINT")
        log.info("sealed %d rows of %s into %s", row[0], table, file)
        return True

    def _write_segment(self, table: str, query: str) -> str:
        draft = self.layout.segments / f"{table}.draft"
        self.connection.execute(
            f"COPY ({query} ORDER BY partition, ledger_offset) TO {quoted(draft)} (FORMAT parquet, COMPRESSION zstd)"
        )
        return self._place(table, draft)

    def _place(self, table: str, draft: Path) -> str:
        """Give a written segment a name that no file has ever had here: an older generation may name any of them."""
        taken = [int(path.stem.rpartition("-")[2]) for path in self.layout.segments.glob(f"{table}-*.parquet")]
        file = f"{table}-{max(taken, default=0) + 1:09d}.parquet"
        _sync(draft)
        os.chmod(draft, 0o600)
        draft.rename(self.layout.segments / file)
        _sync(self.layout.segments)
        return file


def quoted(path: Path) -> str:
    """A path as an SQL string."""
    return "'" + str(path).replace("'", "''") + "'"


def _sync(path: Path) -> None:
    # The manifest that names the file is durable once committed; the file must be before.
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
