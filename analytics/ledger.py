"""Opening the newest generation of `ledger.duckdb`."""

from __future__ import annotations

from pathlib import Path

import duckdb

from contractnet.errors import QueryError

FILE_NAME = "ledger.duckdb"
_TRIES = 3


def newest_generation(data_dir: Path) -> Path:
    """The file that `ledger.duckdb` points to now. Raises QueryError where nothing has been published yet."""
    path = Path(data_dir) / FILE_NAME
    if not path.exists():
        raise QueryError(
            f"There is no {path}. Start the market with `contractnet up` (or run `contractnet demo`), or point to the "
            f"data directory of another market with --data (CONTRACTNET_DATA)."
        )
    return path.resolve()


def open_ledger(data_dir: Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the newest generation of a data directory.

    What it shows never changes. For newer data close it and open again: the link is resolved at each call, because
    DuckDB would give a process that opens `ledger.duckdb` itself twice the old content. Close it within 15 minutes of
    the last use of older data: after a rebuild, the segments of older generations go. Raises QueryError.
    """
    for remaining in reversed(range(_TRIES)):
        path = newest_generation(data_dir)
        try:
            return duckdb.connect(str(path), read_only=True)
        except duckdb.Error as error:
            # A process that slept between the two steps can find its generation gone; the next one is there.
            if remaining == 0 or path.exists():
                raise QueryError(f"{path} cannot be opened: {error}") from error
    raise AssertionError("the last try returns or raises")
