"""The fold into tables, without Kafka: what a batch does, in whatever pieces the ledger arrives."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import analytics
from contractnet.codec import encode
from contractnet.errors import DataDirectoryError
from contractnet.messages import Entry, events
from projections.decode import LedgerRecord
from projections.layout import Layout
from projections.publish import Publisher
from projections.settings import ProjectionSettings
from projections.store import APPENDED, CHANGING, Store
from tests.projections.folded import Folded, fold, read_back
from tests.projections.generator import History


def records_of(partition: int, market: str, entries: Sequence[Entry], first_offset: int = 0) -> list[LedgerRecord]:
    """Entries as the ledger would return them."""
    key = market.encode()
    return [
        LedgerRecord(partition, offset, key, encode(entry), bytes(32))
        for offset, entry in enumerate(entries, first_offset)
    ]


def two_markets(seed: int, count: int) -> tuple[list[LedgerRecord], Folded]:
    """Histories of two markets on two partitions, interleaved, and what they fold to."""
    expected, parts = Folded(), []
    for partition, market in enumerate(("alpha", "beta/ü")):
        entries = History(market, seed).take(count)
        fold(market, entries, expected)
        parts.append(records_of(partition, market, entries))
    rng = random.Random(seed)
    merged: list[LedgerRecord] = []
    while any(parts):
        part = rng.choice([p for p in parts if p])
        piece = rng.randint(1, 700)
        merged += part[:piece]
        del part[:piece]
    return merged, expected


def batches(records: list[LedgerRecord], size_max: int, seed: int) -> Iterator[list[LedgerRecord]]:
    """Batches of random sizes: events of one command fall into two of them."""
    rng = random.Random(seed)
    start = 0
    while start < len(records):
        size = rng.randint(1, size_max)
        yield records[start : start + size]
        start += size


def settings_of(tmp_path: Path) -> ProjectionSettings:
    """Small segments, so that sealing happens all the time."""
    return ProjectionSettings("", tmp_path / "it's a dir", seal_rows=300, seal_grace_offsets=50)


def opened(settings: ProjectionSettings) -> Store:
    """The store of these settings."""
    layout = Layout(settings.data_dir)
    layout.create()
    return Store(layout, settings)


@pytest.mark.parametrize("seed", range(5))
def test_random_histories_fold_to_the_same_state(tmp_path: Path, seed: int) -> None:
    """Whatever the batches, and with rows sealed in between, the tables hold what a fold event by event gives."""
    records, expected = two_markets(seed, 5000)
    settings = settings_of(tmp_path)
    store = opened(settings)
    for batch in batches(records, (400, 250, 1000, 3000, 20_000)[seed], seed):
        store.apply(batch)
        store.seal_due()
    Publisher(store, settings).publish()
    sealed = store.segments()
    store.close()
    assert set(sealed) >= {"events", "bids", "holds"}, "the histories are too short to test sealing"
    found = read_back(settings.data_dir)
    # Counters compare equal where zero entries are missing on one side.
    assert found == expected
    ends = {record.partition: record.offset + 1 for record in records}
    with analytics.open(settings.data_dir) as connection:
        assert connection.execute("SELECT bool_and(ok), count(*) FROM balances_check").fetchone() == (True, 2)
        assert connection.execute("SELECT sum(balance_ucr)::BIGINT FROM accounts").fetchone() == (0,)
        assert dict(connection.execute("SELECT partition, next_offset FROM meta").fetchall()) == ends


def test_every_event_type_is_projected(tmp_path: Path) -> None:
    """Each type of the ledger is in `events`, with its place, time and command."""
    entries = History("alpha", 3).take(6000)
    wanted = {cls.__name__ for cls in events.Event.__subclasses__()}
    assert {type(entry.event).__name__ for entry in entries} == wanted, "the generator misses a type"
    settings = settings_of(tmp_path)
    store = opened(settings)
    store.apply(records_of(3, "alpha", entries))
    Publisher(store, settings).publish()
    store.close()
    with analytics.open(settings.data_dir) as connection:
        found = connection.execute(
            "SELECT ledger_offset, type, command_offset, index, command_id, epoch_ms(occurred_at), cause, partition, "
            "market FROM events ORDER BY ledger_offset"
        ).fetchall()
    for offset, (row, entry) in enumerate(zip(found, entries, strict=True)):
        source = entry.source
        place = (offset, type(entry.event).__name__, source.offset, source.index, source.command.hex())
        assert row == (*place, source.at_ms, str(source.cause), 3, "alpha")


def test_rows_that_are_no_entries_are_kept_and_counted(tmp_path: Path) -> None:
    """Bytes that are no entry change no table but unreadable_entries; the entries around them are projected."""
    entries = History("alpha", 4).take(500)
    good = [encode(entry) for entry in entries]
    broken = [b"", b"garbage", good[5][:-3], b"\xc3\x01" + bytes(8) + b"x", good[7][:10]]
    values = [value for index, value in enumerate(good) for value in (value, *broken[index : index + 1])]
    settings = settings_of(tmp_path)
    store = opened(settings)
    store.apply([LedgerRecord(0, offset, b"alpha", value, None) for offset, value in enumerate(values)])
    store.apply([LedgerRecord(0, len(values), b"\xff\x00", None, None)])
    Publisher(store, settings).publish()
    store.close()
    with analytics.open(settings.data_dir) as connection:
        count = "SELECT count(*) FROM "
        assert connection.execute(count + "events").fetchone() == (len(good),)
        reasons = connection.execute("SELECT reason FROM unreadable_entries ORDER BY ledger_offset").fetchall()
        assert connection.execute("SELECT events FROM meta").fetchone() == (len(values) + 1,)
        assert connection.execute("SELECT bool_and(ok) FROM balances_check").fetchone() == (True,)
    assert [r for (r,) in reasons] == ["EMPTY", "BAD_FRAMING", "BAD_BODY", "UNKNOWN_SCHEMA", "BAD_BODY", "EMPTY"]


def test_a_failed_batch_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and position move together: a fault in the middle of a batch leaves both where they were."""
    records, _ = two_markets(1, 1000)
    settings = settings_of(tmp_path)
    store = opened(settings)
    store.apply(records[:500])
    before = (store.positions(), store.event_count())
    with monkeypatch.context() as patch:
        patch.setattr(store, "_move", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            store.apply(records[500:])
    assert (store.positions(), store.event_count()) == before
    store.apply(records[500:])
    rows = store.connection.execute(
        "SELECT count(*), count(DISTINCT (partition, ledger_offset)) FROM events"
    ).fetchone()
    assert rows == (len(records), len(records))
    store.close()


def test_a_fault_while_sealing_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that was written but never named is no part of a table; its rows are still where they were."""
    records, expected = two_markets(2, 2000)
    settings = settings_of(tmp_path)
    store = opened(settings)
    store.apply(records)
    write = Store._write_segment

    def write_then_fail(self: Store, table: str, query: str) -> str:
        write(self, table, query)
        raise OSError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_write_segment", write_then_fail)
        with pytest.raises(OSError, match="killed here"):
            store.seal_due()
    store.close()
    store = opened(settings)
    assert store.segments() == {}
    assert store.seal_due() > 0
    Publisher(store, settings).publish()
    store.close()
    assert read_back(settings.data_dir) == expected


def test_sealed_rows_leave_the_state(tmp_path: Path) -> None:
    """The mutable part stays small, however long the history: what is final moves out."""
    settings = settings_of(tmp_path)
    store = opened(settings)
    for batch in batches(two_markets(6, 10_000)[0], 2000, 6):
        store.apply(batch)
        store.seal_due()
    for table in (*APPENDED, *CHANGING):
        row = store.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert row is not None
        assert row[0] < 1000, table
    store.close()


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    """A state file of another format names the way out: a rebuild."""
    settings = settings_of(tmp_path)
    store = opened(settings)
    store.connection.execute("UPDATE format SET version = 999")
    store.close()
    with pytest.raises(DataDirectoryError, match=r"projections\.rebuild"):
        opened(settings)
