"""A disk that is full while the projection is folded, sealed, published, merged or replayed: nothing is lost, the error
says what to do, and it goes on once there is room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

import analytics
from contractnet.errors import ReplayError
from contractnet.topics import LEDGER
from faults.sections.disks import full, obstacle, small_disk
from projections.projector import EXIT_FAULT, guarded
from projections.publish import Publisher
from projections.replay import run
from projections.settings import ProjectionSettings
from projections.store import Store
from tests.contractnet.exported import write_export
from tests.projections.folded import Folded, read_back
from tests.projections.test_replay import NAMES, everything, kept
from tests.projections.test_store import batches, opened, settings_of, two_markets

DISK_MB = 128
EVENTS = 6_000
# From nothing left to enough for everything: where it ends differs with each.
SPARE_KIB = (0, 4, 16, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk."""
    if problem := obstacle():
        pytest.skip(problem)
    folder = tmp_path / "disk"
    with small_disk(folder, DISK_MB):
        yield folder


def step(settings: ProjectionSettings, batch: list[object], met: Counter[str]) -> bool:
    """What a projector does with a batch, from its start to its end; whether it came to the end."""
    store: Store | None = None
    stage = "start"
    try:
        store = opened(settings)
        positions = store.positions()
        stage = "fold"
        store.apply([r for r in batch if r.partition not in positions or r.offset >= positions[r.partition].next_offset])
        stage = "seal"
        store.seal_due()
        stage = "publish"
        Publisher(store, settings).publish()
    except (duckdb.Error, OSError) as error:
        assert "No space left" in str(error), error
        met[stage] += 1
        return False
    finally:
        if store is not None:
            with suppress(duckdb.Error):
                store.close()
    return True


def test_wherever_the_disk_is_full(disk: Path) -> None:
    """At each stage it fails, readers find the last publication whole, and the next start goes on: in the end every
    row is there once."""
    settings = replace(settings_of(disk), generation_kept_s=0.0, segment_kept_s=0.0)
    records, expected = two_markets(7, EVENTS)
    met: Counter[str] = Counter()
    told = -1
    assert step(settings, [], met)
    for number, batch in enumerate(batches(records, 900, 1)):
        spare_bytes = SPARE_KIB[number % len(SPARE_KIB)] * 1024
        with full(disk, spare_bytes):
            step(settings, batch, met)
            with analytics.open(settings.data_dir) as connection:
                ok = connection.execute("SELECT coalesce(bool_and(ok), true) FROM balances_check").fetchone()
                found = connection.execute("SELECT count(*) FROM events").fetchone()
            assert ok == (True,)
            assert found is not None
            assert found[0] >= told, "what was published stays so"
            told = found[0]
        assert step(settings, batch, met), "once there is room it goes on"
    assert set(met) == {"fold", "seal", "publish"}, met
    found_at_end: Folded = read_back(settings.data_dir)
    assert found_at_end == expected
