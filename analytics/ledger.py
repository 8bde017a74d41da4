"""Opening the newest generation of `ledger.duckdb`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from contractnet.errors import QueryError

FILE_NAME = "ledger.duckdb"
_TRIES = 3
_ANEW = (
    "Ask again, for a newer publication. If that does not help, the topics have everything: `contractnet down`, delete "
    "{folder}, `contractnet up`."
)


def newest_generation(data_dir: Path) -> Path:
    """The file that `ledger.duckdb` points to now. Raises QueryError where nothing has been published yet."""
    path = Path(data_dir) / FILE_NAME
    if not path.exists():
        raise QueryError(
            f"There is no {path}. Start the market with `contractnet up` (or run `contractnet demo`), or point to the "
            f"data directory of another market with --data (CONTRACTNET_DATA)."
        )
    return path.resolve()


def open_ledger(data_dir: Path, *, locked: bool = False) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the newest generation of a data directory.

    What it shows never changes. For newer data close it and open again: the link is resolved at each call, because
    DuckDB would give a process that opens `ledger.duckdb` itself twice the old content. Close it within 15 minutes of
    the last use of older data: after a rebuild, the segments of older generations go. Raises QueryError.

    `locked`: for SQL that somebody else wrote. It reaches no file but the generation and the segments that its views
    read, no network and no extension, and cannot change that.
    """
    for remaining in reversed(range(_TRIES)):
        path = newest_generation(data_dir)
        try:
            connection = duckdb.connect(str(path), read_only=True)
            return _lock(connection) if locked else connection
        except duckdb.Error as error:
            # A process that slept between the two steps can find its generation gone; the next one is there.
            if remaining == 0 or path.exists():
                anew = _ANEW.format(folder=path.parent)
                raise QueryError(f"{path} cannot be opened: {_line(error)}. {anew}") from error
    raise AssertionError("the last try returns or raises")


@contextmanager
def ledger_with(what: str, data_dir: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same for a command that shows `what`, closed at the end of the block.

    Raises QueryError also where a version of contractnet that had no such thing has published the ledger, and where a
    file of it is gone or was changed meanwhile.
    """
    connection = open_ledger(data_dir)
    try:
        with whole(data_dir):
            yield connection
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise QueryError(
            f"{data_dir} was published by a version of contractnet that had no {what}. While the market is up: "
            f"python -m projections.rebuild --data {data_dir}; then `contractnet down` and `contractnet up`."
        ) from error
    finally:
        connection.close()


@contextmanager
def whole(data_dir: Path) -> Iterator[None]:
    """Raises QueryError, which says what to do, where a segment of the ledger is gone, or was changed or replaced while
    it was read."""
    segments = newest_generation(data_dir).parent / "segments"
    try:
        yield
    except duckdb.Error as error:
        # DuckDB has kinds of errors for what happened, not for where: a file that is gone is also one that is locked.
        if str(segments) not in str(error):
            raise
        what = "is missing, or was changed or replaced while it was read"
        anew = _ANEW.format(folder=segments.parent)
        raise QueryError(f"A file of the published ledger {what}: {_line(error)}. {anew}") from error


def _line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def published_at(connection: duckdb.DuckDBPyConnection) -> datetime:
    """When the generation of a connection was published, UTC without a zone as all its times.

    Raises QueryError where that was before the first record of the ledger.
    """
    [(at,)] = connection.execute("SELECT max(published_at) FROM meta").fetchall()
    if not isinstance(at, datetime):
        raise QueryError("The published ledger is empty: its market has just been started. Try again in some seconds.")
    return at


def moment_text(at: datetime) -> str:
    """A time of the ledger for people, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


_PATH = re.compile(r"'((?:[^']|'')*\.parquet)'")
"""A segment in the text of a view."""
_LOCKS = (
    "SET enable_external_access = false",
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET lock_configuration = true",
)


def _lock(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    views = connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
    segments = sorted({path.replace("''", "'") for (sql,) in views for path in _PATH.findall(sql)})
    connection.execute("SET allowed_paths = " + "[" + ", ".join(_quoted(path) for path in segments) + "]::VARCHAR[]")
    for setting in _LOCKS:
        connection.execute(setting)
    return connection


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
