"""Merging segments: readers see the same rows in fewer files, whatever goes wrong on the way."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import analytics
from projections.merge import LEVELS, Merger
from projections.publish import Publisher
from projections.settings import ProjectionSettings
from projections.store import APPENDED, CHANGING, Store
from tests.projections.test_store import batches, opened, settings_of, two_markets

PATIENCE_S = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> ProjectionSettings:
    """Small segments, two of which are enough for a merge."""
    return replace(settings_of(tmp_path), merge_files=2)


def many_segments(settings: ProjectionSettings) -> Store:
    """A store with several segments of most tables."""
    store = opened(settings)
    for batch in batches(two_markets(1, 4000)[0], 400, 1):
        store.apply(batch)
        store.seal_due()
    assert len(store.segments()["events"]) >= 2 ** (LEVELS + 1)
    return store


def merge_all(merger: Merger, store: Store) -> None:
    """Step until nothing changes any more."""
    give_up_at = time.monotonic() + PATIENCE_S
    quiet_since = time.monotonic()
    before = store.manifest()
    while time.monotonic() - quiet_since < 1.0:
        assert time.monotonic() < give_up_at
        merger.step()
        if store.manifest() != before:
            before, quiet_since = store.manifest(), time.monotonic()
        time.sleep(0.01)


def rows_of(settings: ProjectionSettings) -> dict[str, Counter[str]]:
    """All rows that a reader finds, by table, as text: some have lists in them."""
    with analytics.open(settings.data_dir) as connection:
        return {t: Counter(map(repr, connection.execute(f"FROM {t}").fetchall())) for t in (*APPENDED, *CHANGING)}


def test_readers_find_the_same_rows_in_fewer_files(settings: ProjectionSettings) -> None:
    """No row is lost or doubled; segments grow up to a size and are left alone then."""
    store = many_segments(settings)
    publisher = Publisher(store, settings)
    publisher.publish()
    before, files = rows_of(settings), len(store.manifest())
    rows = sum(rows for *_, rows in store.manifest())
    kept = analytics.open(settings.data_dir)
    merger = Merger(store, settings)
    merge_all(merger, store)
    merger.close()
    publisher.publish()
    assert rows_of(settings) == before
    assert len(store.manifest()) < files / 2
    assert sum(rows for *_, rows in store.manifest()) == rows
    largest = max(rows for *_, rows in store.manifest())
    assert settings.seal_rows * 2**LEVELS <= largest <= 1000 * 2**LEVELS, "batches have 400 records"
    assert kept.execute("SELECT count(*) FROM events").fetchone() == (before["events"].total(),), "the parts stay"
    kept.close()
    store.close()


def test_a_merge_that_was_killed_left_nothing(settings: ProjectionSettings) -> None:
    """What it had written is removed at the next start, and its parts are merged then."""
    store = many_segments(settings)
    store.layout.merged.write_bytes(b"half a file")
    publisher = Publisher(store, settings)
    assert not store.layout.merged.exists()
    publisher.publish()
    before, files = rows_of(settings), len(store.manifest())
    merger = Merger(store, settings)
    merger.step()
    merger.close()  # in time for nothing: the result is not named
    assert len(store.manifest()) == files
    Publisher(store, settings).publish()
    assert rows_of(settings) == before
    store.close()


def test_a_merge_that_fails_is_told_and_changes_nothing(
    settings: ProjectionSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """The projector goes on: a part that cannot be read, like a full disk, costs no more than a line in the log."""
    store = many_segments(settings)
    part = store.layout.segments / store.segments()["bids"][0]
    part.write_bytes(part.read_bytes()[:-100])
    before = store.manifest()
    merger = Merger(store, settings)
    give_up_at = time.monotonic() + PATIENCE_S
    while "were not merged" not in caplog.text:
        assert time.monotonic() < give_up_at
        merger.step()
        time.sleep(0.01)
    merger.step()
    merger.close()
    assert [row for row in before if row[0] == "bids"] == [row for row in store.manifest() if row[0] == "bids"]
    store.close()
