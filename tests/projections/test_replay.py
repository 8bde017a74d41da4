"""A replay gives the tables as they were at a moment: those of a projection that stopped there."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import duckdb
import pytest

from contractnet.chain import CHAIN_START, chain
from contractnet.codec import encode
from contractnet.errors import ContractnetError, ExportError, ReplayError
from contractnet.exports.container import KeptRecord
from contractnet.exports.reading import open_export
from contractnet.messages.partition import partition_of
from contractnet.topics import LEDGER
from projections.decode import LedgerRecord
from projections.layout import Layout
from projections.lock import ProjectorLock
from projections.publish import Publisher, write_database
from projections.replay import ExportedLedger, Until, moment, replay, run
from projections.settings import ProjectionSettings
from projections.store import Store
from tests.contractnet.exported import edit_manifest, write_export
from tests.projections.generator import History

NAMES = ("default", "gpu-eu-west")
HERE = partition_of(NAMES[0], 2)
EVENTS = 1_500


def kept(market: str, seed: int, partition: int) -> list[KeptRecord]:
    """The ledger of a market, with a hole after each command where a transaction ended."""
    found: list[KeptRecord] = []
    head, offset = CHAIN_START, 0
    history = History(market, seed)
    while len(found) < EVENTS:
        for entry in history.command():
            head = chain(head, partition, entry.source.offset, entry.source.index, bytes(32), encode(entry))
            at_ms, value = entry.source.at_ms, encode(entry)
            found.append(KeptRecord(offset, at_ms, "CREATE_TIME", market.encode(), value, [("chain", head)]))
            offset += 1
        offset += 1
    return found


@pytest.fixture(scope="module")
def records() -> list[list[KeptRecord]]:
    """Two partitions, a market on each."""
    by_partition = sorted(NAMES, key=lambda name: partition_of(name, 2))
    assert [partition_of(name, 2) for name in by_partition] == [0, 1]
    return [kept(name, p, p) for p, name in enumerate(by_partition)]


@pytest.fixture(scope="module")
def directory(records: list[list[KeptRecord]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their export, made at the end of the year 2027."""
    made = tmp_path_factory.mktemp("made") / "export"
    at_ms = int(datetime(2027, 12, 31, tzinfo=UTC).timestamp() * 1000)
    write_export(made, {LEDGER.name: records}, file_bytes_max=60_000, made_at_ms=at_ms)
    return made


def projected(records: list[list[KeptRecord]], data_dir: Path, whole: Path | None = None) -> Path:
    """What a projector makes of the records, in batches and with segments of its own; also `whole`, where that is
    named."""
    settings = ProjectionSettings("none:1", data_dir, seal_rows=200, seal_grace_offsets=50)
    layout = Layout(data_dir)
    layout.create()
    store = Store(layout, settings)
    for partition, found in enumerate(records):
        batch = [LedgerRecord(partition, r.offset, r.key, r.value, (r.headers or [])[0][1]) for r in found]
        for start in range(0, len(batch), 700):
            store.apply(batch[start : start + 700])
            store.seal_due()
    assert store.segments()
    Publisher(store, settings).publish()
    if whole is not None:
        write_database(store, whole, 1, whole=True)
    store.close()
    return layout.published.resolve()


def everything(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables and views, but for what tells of the publication itself."""
    with duckdb.connect(str(file), read_only=True) as connection:
        listed = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY ALL"
        names = [name for (name,) in connection.execute(listed).fetchall()]
        meta = "SELECT * EXCLUDE (published_at, generation) FROM meta ORDER BY ALL"
        return {n: connection.execute(meta if n == "meta" else f"FROM {n} ORDER BY ALL").fetchall() for n in names}


def replayed(directory: Path, into: Path, until: str | None = None, market: str = NAMES[0]) -> list[str]:
    """What the command tells."""
    return run(directory, into, until, market=market, out=None)


def test_all_of_it(records: list[list[KeptRecord]], directory: Path, tmp_path: Path) -> None:
    """Every table and view; the file is for its owner alone, is complete in itself, and nothing else is left."""
    into = tmp_path / "past" / "ledger.duckdb"
    [told] = replayed(directory, into)
    assert told.startswith(f"replayed {sum(map(len, records)):,} events into {into} in ")
    live = everything(projected(records, tmp_path / "data", tmp_path / "whole.duckdb"))
    assert everything(into) == live
    shutil.rmtree(tmp_path / "data")
    assert everything(tmp_path / "whole.duckdb") == live, "what was in segments is in the file"
    assert [path.name for path in into.parent.iterdir()] == ["ledger.duckdb"]
    assert stat.S_IMODE(into.stat().st_mode) == 0o600
    assert stat.S_IMODE(into.parent.stat().st_mode) == 0o700
    os.rename(into, tmp_path / "moved.duckdb")
    assert everything(tmp_path / "moved.duckdb")["events"], "it names no other file"


@pytest.mark.parametrize("at", [0, 700, EVENTS - 1])
def test_until_an_offset(records: list[list[KeptRecord]], directory: Path, tmp_path: Path, at: int) -> None:
    """A projection that stopped after this record of the market's partition, also in the middle of a command."""
    offset = records[HERE][at].offset
    stopped: list[list[KeptRecord]] = [[], []]
    stopped[HERE] = records[HERE][: at + 1]
    told = replayed(directory, tmp_path / "x.duckdb", str(offset))
    assert told[1] == f"it holds partition {HERE}, where market {NAMES[0]!r} lives, up to offset {offset}"
    found = everything(tmp_path / "x.duckdb")
    assert found["meta"][0][:3] == (HERE, offset + 1, at + 1)
    if at:
        assert found == everything(projected(stopped, tmp_path / "data"))


def test_until_an_offset_without_a_record(records: list[list[KeptRecord]], directory: Path, tmp_path: Path) -> None:
    """Where a transaction ended: the record before it is the last."""
    there = {record.offset for record in records[HERE]}
    hole = next(offset for offset in range(700, 2_000) if offset not in there)
    for name, offset in (("last", hole - 1), ("hole", hole)):
        replayed(directory, tmp_path / f"{name}.duckdb", str(offset))
    assert everything(tmp_path / "last.duckdb") == everything(tmp_path / "hole.duckdb")


def test_until_a_time(records: list[list[KeptRecord]], directory: Path, tmp_path: Path) -> None:
    """All that happened by then on each partition, to the millisecond, and nothing later."""
    at_ms = records[HERE][EVENTS // 2].timestamp
    stopped = [[r for r in found if r.timestamp <= at_ms] for found in records]
    assert all(0 < len(some) < EVENTS for some in stopped)
    text = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    replayed(directory, tmp_path / "x.duckdb", f"{text}Z")
    found = everything(tmp_path / "x.duckdb")
    assert found == everything(projected(stopped, tmp_path / "data"))
    assert len(found["events"]) == sum(map(len, stopped))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29T12:00:00.125Z",
        "2026-11-29 12:00:00.125 UTC",
        "2026-11-29T12:00:00.125",
        "2026-11-29T13:00:00.125+01:00",
        "2026-11-29T11:30:00.125-00:30",
    ],
)
def test_how_a_time_is_written(text: str) -> None:
    """As in ISO 8601, or as contractnet prints it; an hour is an hour, and no zone is UTC."""
    assert moment(text, NAMES[0], 2) == Until(at_ms=1_795_953_600_125)


@pytest.mark.parametrize(
    ("until", "why"),
    [
        ("2001-01-01", "holds nothing up to that moment"),
        ("2028-01-01T00:00:00Z", "known up to 2027-12-31 00:00:00.000 UTC"),
        ("99999999", r"the ledger on partition \d, the one of market 'default' \(--market\), ends before"),
        ("yesterday", "is no moment: write a time such as"),
        ("-1", "is no moment"),
        ("2026-13-01", "is no moment"),
        ("9999-12-31T23:59:59-23:59", "is no moment"),
        ("\x1b[31m" + "x" * 100, "is no moment"),
        ("", "is no moment"),
    ],
)
def test_moments_that_make_no_sense(directory: Path, tmp_path: Path, until: str, why: str) -> None:
    """Each has its own error, and no file."""
    with pytest.raises(ReplayError, match=why):
        replayed(directory, tmp_path / "x.duckdb", until)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_there(directory: Path, tmp_path: Path) -> None:
    """Nothing is overwritten; a place that cannot be written is told."""
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link", "."):
        with pytest.raises(ReplayError, match="overwrites nothing"):
            replayed(directory, tmp_path / name)
    assert (tmp_path / "file").read_text() == "kept"
    with pytest.raises(ReplayError, match="cannot write"):
        replayed(directory, tmp_path / "file" / "x.duckdb")


def test_an_export_of_another_version(directory: Path, tmp_path: Path) -> None:
    """Said before anything is read."""
    path = directory / "manifest.json"
    stored = path.read_bytes()
    edit_manifest(directory, lambda document: document["content"].update(version=9))  # type: ignore[attr-defined]
    try:
        with pytest.raises(ExportError, match="has version 9"):
            replayed(directory, tmp_path / "x.duckdb")
    finally:
        path.write_bytes(stored)


class Ending(ExportedLedger):
    """An export in small batches that ends with an error before its third."""

    def __init__(self, directory: Path, error: BaseException) -> None:
        super().__init__(open_export(directory))
        self._error = error
        self._asked = 0

    def poll(self) -> list[LedgerRecord] | None:
        self._asked += 1
        if self._asked == 3:
            raise self._error
        return list(islice(self._records, 400)) or None


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(28, "No space left on device"), ContractnetError("the broker is away")]
)
def test_a_replay_that_is_interrupted(
    directory: Path, records: list[list[KeptRecord]], tmp_path: Path, error: BaseException
) -> None:
    """No file of that name; the same command goes on, and its file is that of one that was not interrupted."""
    into, wanted = tmp_path / "x.duckdb", tmp_path / "wanted.duckdb"
    with pytest.raises((KeyboardInterrupt, ContractnetError)) as raised:
        replay(Ending(directory, error), into, Until(), None)
    [folder] = tmp_path.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    if isinstance(error, OSError):
        assert f"What was done is kept in {folder}: the same command goes on" in str(raised.value)
    told = replayed(directory, into)
    assert told[0].startswith(f"replayed {sum(map(len, records)) - 800:,} events")
    assert told[1] == "it went on after the 800 events of a replay that was interrupted"
    assert list(tmp_path.iterdir()) == [into]
    replayed(directory, wanted)
    assert everything(into) == everything(wanted)


def test_a_replay_goes_on_with_its_own_only(directory: Path, records: list[list[KeptRecord]], tmp_path: Path) -> None:
    """Another moment, another export, another replay under way: told so, and what was done stays."""
    into = tmp_path / "x.duckdb"
    with pytest.raises(ContractnetError):
        replay(Ending(directory, ContractnetError("away")), into, Until(), None)
    write_export(tmp_path / "other", {LEDGER.name: [found[:-1] for found in records]})
    folder = tmp_path / ".x.duckdb.partial"
    for there, until in ((directory, "700"), (tmp_path / "other", None)):
        with pytest.raises(
            ReplayError, match="is what a replay left that was interrupted, of another ledger or moment"
        ):
            replayed(there, into, until)
    with (
        ProjectorLock(folder / "replay.lock"),
        pytest.raises(ReplayError, match=r"Another replay is under way in .*\.partial: wait"),
    ):
        replayed(directory, into)
    assert replayed(directory, into)[1].startswith("it went on after the 800 events")


def test_an_export_that_changes_while_it_is_read(directory: Path, tmp_path: Path) -> None:
    """What was folded may be wrong: no file, and nothing to go on with."""
    with pytest.raises(ExportError):
        replay(Ending(directory, ExportError("was changed while it was read")), tmp_path / "x.duckdb", Until(), None)
    assert list(tmp_path.iterdir()) == []


def test_another_programs_schema(tmp_path: Path) -> None:
    """An export none of whose records is an event: no file that looks like a market in which nothing happened."""
    foreign = [
        KeptRecord(n, n, "CREATE_TIME", b"default", b"\xc3\x01" + bytes(range(8)) + b"body", None) for n in range(20)
    ]
    write_export(tmp_path / "export", {LEDGER.name: [foreign, []]})
    with pytest.raises(ReplayError, match=r"none of the 20 records is an event .* use the one that wrote them"):
        replayed(tmp_path / "export", tmp_path / "x.duckdb")
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_an_offset_of_another_market(directory: Path, tmp_path: Path) -> None:
    """Its partition holds others: they are named, and no file is made of them."""
    name = next(n for n in map("market-{}".format, range(99)) if partition_of(n, 2) == HERE)
    with pytest.raises(
        ReplayError, match=rf"no market '{name}' lives on partition {HERE} up to offset 700, but 'default'"
    ):
        replayed(directory, tmp_path / "x.duckdb", "700", market=name)
    assert list(tmp_path.iterdir()) == []


def test_records_that_are_no_events(tmp_path: Path) -> None:
    """Bytes that this version does not know are kept in a table of their own, and counted."""
    found = kept(NAMES[0], 0, HERE)[:50]
    found.append(KeptRecord(10_000, 0, "CREATE_TIME", b"\x1b[31m", b"nonsense", None))
    both: list[list[KeptRecord]] = [[], []]
    both[HERE] = found
    write_export(tmp_path / "export", {LEDGER.name: both})
    told = replayed(tmp_path / "export", tmp_path / "x.duckdb")
    assert told[-1] == "note: 1 records are no events that this version knows: table unreadable_entries"


def test_an_empty_export(tmp_path: Path) -> None:
    """There is nothing to make a file of."""
    write_export(tmp_path / "export", {LEDGER.name: [[], []]})
    with pytest.raises(ReplayError, match="holds nothing"):
        replayed(tmp_path / "export", tmp_path / "x.duckdb")


def test_an_offset_is_one_of_the_markets_partition() -> None:
    """Kafka's partitioner says which."""
    for name in NAMES:
        assert moment("5", name, 2) == Until(partition=partition_of(name, 2), offset=5, market=name)
    assert moment(None, NAMES[0], 2) == Until()
