"""Publication: what readers open.

A generation is a DuckDB file of its own: the rows that are not sealed yet, the small tables, views that join them with
an explicit list of segments, and macros over those. It is written under another name and then renamed, and never
changes after that, so any number of readers may open it at any time without being in the projector's way.
`ledger.duckdb` is a link to the newest.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from projections.layout import Layout, remove_database
from projections.settings import ProjectionSettings
from projections.sql import read
from projections.store import APPENDED, CHANGING, SMALL, Store, quoted

STORAGE_VERSION = "v1.5.0"
"""The oldest DuckDB that can open the file."""
_SWEEP_INTERVAL_S = 15.0


class Publisher:
    """Publishes the state of a store, and removes what no reader needs any more."""

    def __init__(self, store: Store, settings: ProjectionSettings) -> None:
        self._store = store
        self._settings = settings
        self._layout: Layout = store.layout
        for draft in (*self._layout.directory.glob("*.draft"), *self._layout.segments.glob("*.draft")):
            draft.unlink()
        self.generation = max(self._layout.generations(), default=0)
        self._unnamed_since_s: dict[str, float] = {}
        self._swept_s = -_SWEEP_INTERVAL_S  # the first publication removes what a killed projector left

    def publish(self) -> int:
        """Publish the present state and return the number of the generation."""
        number = self.generation + 1
        draft = self._layout.directory / f"ledger-{number}.draft"
        remove_database(draft)
        write_database(self._store, draft, number)
        draft.rename(self._layout.generation(number))
        self._point_to(number)
        self.generation = number
        self._sweep()
        return number

    def _point_to(self, number: int) -> None:
        link = self._layout.directory / "ledger.draft"
        link.unlink(missing_ok=True)
        # Relative, so that the link holds where the data directory is mounted under another path.
        link.symlink_to(self._layout.generation(number).relative_to(self._layout.data_dir))
        link.replace(self._layout.published)

    def close(self) -> None:
        """Delete all generations but the newest: after an orderly stop they would only take up space.

        A reader that has one open keeps it, as the file lives until it is closed.
        """
        self._delete_generations(math.inf)

    def _sweep(self) -> None:
        now_s = time.monotonic()
        if now_s - self._swept_s < _SWEEP_INTERVAL_S:
            return
        self._swept_s = now_s
        self._delete_generations(time.time() - self._settings.generation_kept_s)
        self._sweep_segments(now_s)

    def _delete_generations(self, older_than_s: float) -> None:
        for number, path in self._layout.generations().items():
            if number != self.generation and path.stat().st_mtime < older_than_s:
                path.unlink()

    def _sweep_segments(self, now_s: float) -> None:
        """Delete segments that have been out of the manifest for long: what a rebuild or a crash left behind."""
        named = {file for files in self._store.segments().values() for file in files}
        unnamed = {path.name for path in self._layout.segments.iterdir()} - named
        self._unnamed_since_s = {name: self._unnamed_since_s.get(name, now_s) for name in unnamed}
        for name, since_s in self._unnamed_since_s.items():
            if now_s - since_s >= self._settings.segment_kept_s:
                (self._layout.segments / name).unlink()


def write_database(store: Store, path: Path, number: int, *, whole: bool = False) -> None:
    """Write the state of a store as a file for readers, generation `number`; there must be none.

    Its views name the segments, or, where it is `whole`, their rows are in the file and it needs no other.
    """
    connection = store.connection
    connection.execute(f"ATTACH {quoted(path)} AS published (STORAGE_VERSION '{STORAGE_VERSION}')")
    segments = store.segments()
    # Names in views have to resolve in the published file alone, so it is the default while they are made.
    connection.execute("USE published")
    # The commit writes the file itself: a write-ahead log of it would be written first and read by nobody.
    connection.execute("SET checkpoint_threshold = '1KB'")
    try:
        with store.transaction():
            _write_tables(store, segments, whole=whole)
            _write_rest(store, segments, number, whole=whole)
    finally:
        connection.execute("RESET checkpoint_threshold")
        connection.execute(f"USE {store.catalog}")
        connection.execute("DETACH published")
    os.chmod(path, 0o600)


def _write_tables(store: Store, segments: dict[str, list[str]], *, whole: bool) -> None:
    execute, state = store.connection.execute, store.catalog
    if not whole:
        execute("CREATE SCHEMA unsealed")
    for table in (*APPENDED, *CHANGING):
        columns = "* EXCLUDE (final_offset)" if table in CHANGING else "*"
        unsealed = f"SELECT {columns} FROM {state}.main.{table}"
        if whole:
            execute(f"CREATE TABLE {table} AS {_sealed(store, segments.get(table, []))}{unsealed}")
        else:
            execute(f"CREATE TABLE unsealed.{table} AS {unsealed}")
            execute(f"CREATE VIEW {table} AS FROM unsealed.{table}")


def _sealed(store: Store, segments: list[str]) -> str:
    files = ", ".join(quoted(store.layout.segments / name) for name in segments)
    return f"FROM read_parquet([{files}]) UNION ALL " if files else ""


def _write_rest(store: Store, segments: dict[str, list[str]], number: int, *, whole: bool) -> None:
    execute, state = store.connection.execute, store.catalog
    for table in SMALL:
        columns = "*, balance_ucr - held_ucr - owed_ucr AS available_ucr" if table == "accounts" else "*"
        execute(f"CREATE TABLE {table} AS SELECT {columns} FROM {state}.main.{table}")
    execute(
        "CREATE TABLE meta AS SELECT partition, next_offset, events, newest_event_at, "
        f"make_timestamp_ms(?) AS published_at, ?::BIGINT AS generation FROM {state}.main.positions",
        [int(time.time() * 1000), number],
    )
    for name in ("views.sql", "attribution.sql", "focus.sql"):
        execute(read(name))
    # Only now: DuckDB binds a view as it is made, which would open segments for each view that is made of others.
    for table, names in () if whole else segments.items():
        execute(f"CREATE OR REPLACE VIEW {table} AS {_sealed(store, names)}FROM unsealed.{table}")
