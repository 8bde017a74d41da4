"""A disk that is full while the projection is folded, sealed, published, merged or replayed: nothing is lost, the error
says what to do, and it goes on once there is room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

import analytics
from contractnet.errors import ReplayError
from contractnet.messages.partition import partition_of
from contractnet.topics import LEDGER
from faults.sections.disks import full, obstacle, small_disk
from projections.decode import LedgerRecord
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


def step(settings: ProjectionSettings, batch: Sequence[LedgerRecord], met: Counter[str]) -> bool:
    """What a projector does with a batch, from its start to its end; whether it came to the end."""
    store: Store | None = None
    stage = "start"
    try:
        store = opened(settings)
        positions = store.positions()
        stage = "fold"
        store.apply(
            [r for r in batch if r.partition not in positions or r.offset >= positions[r.partition].next_offset]
        )
        stage = "seal"
        store.seal_due()
        stage = "publish"
        Publisher(store, settings).publish()
    except (duckdb.Error, OSError) as error:
        met[stage if "No space left" in str(error) else f"{stage}: {error}"] += 1
        return False
    finally:
        if store is not None:
            with suppress(duckdb.Error):
                store.close()
    return True


@pytest.mark.slow
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


def test_a_replay_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    """It ends with what to do; once there is room the same command goes on, and nothing is missing."""
    partitions = [kept(name, seed, seed) for seed, name in enumerate(sorted(NAMES, key=lambda n: partition_of(n, 2)))]
    write_export(tmp_path / "export", {LEDGER.name: partitions}, file_bytes_max=60_000)
    run(tmp_path / "export", tmp_path / "wanted.duckdb", None, market=NAMES[0], out=None)
    into = disk / "x.duckdb"
    for spare_kib in (64, 600, 2_500):
        with full(disk, spare_kib * 1024), pytest.raises(ReplayError, match="No space left on device"):
            run(tmp_path / "export", into, None, market=NAMES[0], out=None)
        assert not into.exists()
    run(tmp_path / "export", into, None, market=NAMES[0], out=None)
    assert [path.name for path in disk.iterdir()] == ["x.duckdb"]
    assert everything(into) == everything(tmp_path / "wanted.duckdb")


def test_what_the_projector_says(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its last line, which `up` repeats: what is full and what to do, not DuckDB's advice to reattach something."""
    settings = settings_of(disk)
    store = opened(settings)
    store.apply(two_markets(3, EVENTS)[0])
    with full(disk):
        assert guarded("projector", Publisher(store, settings).publish) == EXIT_FAULT
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("projector: the disk is full (")
    assert "No space left on device" in told
    assert told.endswith(
        "Make room: nothing is lost, the topics have everything, and the next start goes on where this one ended."
    )
