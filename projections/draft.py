"""The folder in which a replay makes its file: hidden beside it, and kept where the end is not reached.

The state inside has its position in each of its transactions, so that the same replay goes on after whatever ended it,
a kill included. It shows open bids, as the file does: the folder is for its owner alone.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from contractnet.errors import DataDirectoryError, ExportError, ReplayError
from projections.lock import ProjectorLock

_TERMS = "terms.json"
_DISK_ERRORS = (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException)
"""What DuckDB raises where a disk is full: as it writes a file, its own, and the log of a commit."""
Terms = Mapping[str, str | int | None]
"""What is replayed and up to where: a draft of other terms is not gone on with."""


@contextmanager
def appearing(into: Path, terms: Terms) -> Iterator[Path]:
    """A folder in which a file of this name is made, which moves to its place at the end; the folder then goes away.

    Where the end is not reached it stays, and the next one of the same terms gets it as it was left. It goes away where
    going on makes no sense, which ReplayError and ExportError say. Raises ReplayError for a file that is there or
    cannot be written, and for a folder that belongs to other terms or to a replay under way.
    """
    folder = into.with_name(f".{into.name}.partial")
    with _told(into, folder):
        if into.exists() or into.is_symlink():
            raise ReplayError(f"{into} exists already, and a replay overwrites nothing: choose another name.")
        into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        with _locked(folder):
            _need_same(folder, terms)
            try:
                yield folder
                (folder / into.name).rename(into)
            except (ReplayError, ExportError):
                shutil.rmtree(folder)
                raise
            shutil.rmtree(folder)


@contextmanager
def _told(into: Path, folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, *_DISK_ERRORS) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
        kept = f" What was done is kept in {folder}: the same command goes on from there." if folder.is_dir() else ""
        raise ReplayError(f"cannot write {into}: {why}.{kept}") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        lock = ProjectorLock(folder / "replay.lock")
    except DataDirectoryError as error:
        raise ReplayError(
            f"Another replay is under way in {folder}: wait for its end, or choose another name."
        ) from error
    with lock:
        yield


def _need_same(folder: Path, terms: Terms) -> None:
    path, draft = folder / _TERMS, folder / f"{_TERMS}.draft"
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        # Before anything else is in the folder.
        draft.write_text(json.dumps(dict(terms)), "utf-8")
        os.replace(draft, path)
        return
    except ValueError:
        found = None
    if found != dict(terms):
        raise ReplayError(
            f"{folder} is what a replay left that was interrupted, of another ledger or moment or by another version "
            f"of contractnet: give that one's --from and --until to go on with it, or delete it to begin anew."
        )
