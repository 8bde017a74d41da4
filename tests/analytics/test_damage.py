"""Files of the published ledger that are gone, cut or replaced while somebody reads them: what to do, in two lines."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import analytics
from analytics.ledger import whole
from contractnet.errors import QueryError
from projections.publish import Publisher
from tests.cli.command import contractnet
from tests.projections.test_store import opened, settings_of, two_markets

ADVICE = "Ask again, for a newer publication."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A published ledger with segments."""
    settings = settings_of(tmp_path)
    store = opened(settings)
    store.apply(two_markets(1, 6_000)[0])
    store.seal_due()
    Publisher(store, settings).publish()
    assert {"transfers", "events"} <= set(store.segments())
    store.close()
    return settings.data_dir


def segment(data: Path, table: str) -> Path:
    """A file of the rows of a table."""
    return min((data / "projection" / "segments").glob(f"{table}-*.parquet"))


def generation(data: Path, _: str) -> Path:
    """The newest publication."""
    return (data / "ledger.duckdb").resolve()


def cut(path: Path) -> None:
    """The beginning of a file."""
    os.truncate(path, min(path.stat().st_size // 8, 16_384))


def scramble(path: Path) -> None:
    """Other bytes in the place of a file."""
    path.write_bytes(b"something else" * 5_000)


@pytest.mark.parametrize("change", [Path.unlink, cut, scramble])
@pytest.mark.parametrize("place", [segment, generation])
def test_a_damaged_file_says_what_to_do(
    data: Path, place: Callable[[Path, str], Path], change: Callable[[Path], None]
) -> None:
    """Commands of each kind: no traceback, the file, and how to make it anew."""
    path = place(data, "transfers")
    change(path)
    for command in (
        ["query", "SELECT sum(amount_ucr) FROM transfers WHERE task > ''"],
        ["attribution", "--by", "task"],
    ):
        done = contractnet("--data", data, "--market", "alpha", *command)
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 2
        if place is generation and change is Path.unlink:
            assert "There is no" in done.stderr
            assert "contractnet up" in done.stderr
        else:
            assert path.name in done.stderr
            assert ADVICE in done.stderr
            assert "`contractnet down`, delete" in done.stderr


def test_a_segment_that_goes_while_it_is_read(data: Path) -> None:
    """Of a connection that stays open: the error names the file; a generation that is replaced is read as it was."""
    with analytics.open(data) as connection:
        question = "SELECT count(*), sum(hash(e)) FROM events e"
        wanted = connection.execute(question).fetchall()
        path = generation(data, "")
        (data / "other").write_bytes(b"another")
        (data / "other").replace(path)
        assert connection.execute(question).fetchall() == wanted
        segment(data, "events").unlink()
        with pytest.raises(QueryError, match=r"is missing, or was changed .*events-0.*Ask again"), whole(data):
            connection.execute(question).fetchall()
