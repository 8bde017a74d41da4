"""What is no divergence: what is written meanwhile, notices that retention has deleted, tables that are behind.

Beside each, what looks alike and is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from analytics.checkpoint import Checkpoint
from analytics.verify import Order, Report, verify
from analytics.verify.source import MemorySource, StoredRecord
from analytics.verify.tables import check_tables
from contractnet.topics import LEDGER, NOTICES, SNAPSHOTS
from tests.analytics.towns import OPERATOR, PARTITIONS, Topics, judged, published, source_of, traffic

PARTITION = 3
FIRST, LAST = 60, 110


@dataclass(slots=True)
class Written:
    """Topics that are written while they are read: what is asked of the partition sees one command more each time, but
    for the first `still` times. Notices show `lag` times later, and those below offset `low` were deleted."""

    cuts: list[Topics]
    still: int = 0
    lag: int = 0
    low: int = 0
    patience_s: float = 0.0
    asked: int = 0
    asked_by_topic: dict[str, int] = field(default_factory=dict)

    def partitions(self, topic: str) -> int:
        """Number of partitions."""
        return PARTITIONS

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset that is kept, and the present end."""
        _, end = MemorySource({topic: self._now(topic, partition)}).bounds(topic, partition)
        return (self.low, max(self.low, end)) if topic == NOTICES.name and partition == PARTITION else (0, end)

    def read(self, topic: str, partition: int, start: int) -> Iterator[StoredRecord]:
        """What is kept, up to the present end."""
        records = self._now(topic, partition)[partition]
        low = self.low if topic == NOTICES.name else 0
        return (record for record in records if record.offset >= max(start, low))

    def _now(self, topic: str, partition: int) -> list[list[StoredRecord]]:
        if partition == PARTITION:
            self.asked += 1
            self.asked_by_topic[topic] = self.asked_by_topic.get(topic, 0) + 1
        at = self.asked - self.still - (self.lag if topic == NOTICES.name else 0)
        return self.cuts[min(max(at, 0), len(self.cuts) - 1)][topic]


@cache
def cuts() -> list[Topics]:
    """A market's topics after each of its commands, with a snapshot after each entry of the ledger."""
    commands = traffic(PARTITION, LAST)
    return [judged({PARTITION: commands[:n]}, snapshots_every=1) for n in range(FIRST, LAST + 1)]


def next_of(records: list[StoredRecord]) -> int:
    """The offset after the last record."""
    return records[-1].offset + 1


def replaced(topics: Topics, topic: str, records: list[StoredRecord]) -> Topics:
    """The topics with other records in the partition."""
    parts = [*topics[topic]]
    parts[PARTITION] = records
    return {**topics, topic: parts}


def sound(source: Written | MemorySource, order: Order | None = None) -> tuple[Report, Checkpoint]:
    """A run that has to be sound."""
    report, made = verify(source, order or Order(OPERATOR.public))
    assert report.sound, report.lines()
    assert made is not None
    return report, made


@pytest.mark.parametrize("still", range(5))
def test_a_snapshot_that_is_written_meanwhile(still: int) -> None:
    """A snapshotter writes beside verify: no snapshot claims more than is judged, whenever the writing begins."""
    report, _ = sound(Written(cuts(), still))
    assert report.counts["snapshots equal to the fold"] == 2


@pytest.mark.parametrize(("beyond", "what"), [(7, "the ledger ends at"), (-1, "holds no record")])
def test_a_snapshot_of_what_is_not_there(beyond: int, what: str) -> None:
    """A manifest that claims an offset beyond the ledger's end, or one that has no record, is told."""
    topics = cuts()[0]
    snapshots, ledger = topics[SNAPSHOTS.name][PARTITION], topics[LEDGER.name][PARTITION]
    held = {record.offset for record in ledger}
    hole = max(offset for offset in range(ledger[-1].offset) if offset not in held)
    claim = json.loads(snapshots[-1].value or b"")
    claim["ledger_offset"] = hole if beyond < 0 else next_of(ledger) + beyond
    changed = [*snapshots[:-1], snapshots[-1]._replace(value=json.dumps(claim).encode())]
    report, _ = verify(source_of(replaced(topics, SNAPSHOTS.name, changed)), Order(OPERATOR.public))
    assert report.divergence is not None
    assert (report.divergence.topic, report.divergence.offset) == (SNAPSHOTS.name, snapshots[-1].offset)
    assert what in report.divergence.what


def test_all_notices_were_deleted() -> None:
    """A market at rest for longer than notices are kept is sound: they are counted, and waited for once. What comes
    later is compared, from the checkpoint on."""
    first, last = cuts()[0], cuts()[-1]
    deleted = first[NOTICES.name][PARTITION]
    source = Written([first], low=next_of(deleted), patience_s=0.2)
    report, made = sound(source)
    assert report.notes == [f"notices[{PARTITION}]: {len(deleted)} were deleted by retention"]
    assert made.parts[PARTITION].notices_next == next_of(deleted)
    assert source.asked_by_topic[NOTICES.name] < 10
    report, _ = sound(Written([last], low=next_of(deleted)), Order(OPERATOR.public, start=made))
    assert report.counts["notice records compared"] == len(last[NOTICES.name][PARTITION]) - len(deleted)
    sound(Written([first], low=next_of(deleted)), Order(OPERATOR.public, against=made))


@pytest.mark.parametrize("lag", [0, 2, 10])
def test_a_market_that_wakes_up(lag: int) -> None:
    """All notices were deleted, and others come while verify reads, at once or later: they are compared."""
    deleted = cuts()[0][NOTICES.name][PARTITION]
    report, _ = sound(Written(cuts(), 3, lag, low=next_of(deleted), patience_s=0.5 if lag else 0.0))
    assert report.counts["notice records compared"] > 0
    assert report.notes[0] == f"notices[{PARTITION}]: {len(deleted)} were deleted by retention"


def test_a_market_that_wakes_up_without_notices() -> None:
    """All notices were deleted, and those of the commands that came since are not there: retention has not seen them
    yet, so they are missing."""
    deleted = cuts()[0][NOTICES.name][PARTITION]
    report, _ = verify(Written(cuts(), 3, LAST * LAST, low=next_of(deleted)), Order(OPERATOR.public))
    assert report.divergence is not None
    assert (report.divergence.topic, report.divergence.offset) == (NOTICES.name, next_of(deleted))
    assert "a record is missing" in report.divergence.what


@pytest.mark.parametrize("missing", [slice(-1, None), slice(-3, None), slice(-4, -3), slice(-20, -1)])
def test_notices_that_retention_did_not_delete(missing: slice) -> None:
    """Where notices are there, others that should lie among or after them are missing, also behind a deleted head."""
    topics = cuts()[-1]
    kept = topics[NOTICES.name][PARTITION][40:]
    sound(Written([replaced(topics, NOTICES.name, kept)], low=kept[0].offset))
    del kept[missing]
    report, _ = verify(Written([replaced(topics, NOTICES.name, kept)], low=kept[0].offset), Order(OPERATOR.public))
    assert report.divergence is not None
    assert report.divergence.topic == NOTICES.name


def test_tables_that_are_behind(tmp_path: Path) -> None:
    """A projector that has ended leaves a file that is right as far as it reaches: a note says how far that is."""
    first, last = cuts()[0], cuts()[-1]
    published(first, tmp_path)
    report, _ = sound(source_of(first), Order(OPERATOR.public, data_dir=tmp_path))
    assert report.notes == []
    report, _ = sound(source_of(last), Order(OPERATOR.public, data_dir=tmp_path))
    missing = last[LEDGER.name][PARTITION][len(first[LEDGER.name][PARTITION]) :]
    at = datetime.fromtimestamp(missing[0].timestamp / 1000, UTC)
    behind = f"{len(missing)} records behind the ledger; the first that it lacks is of {at:%Y-%m-%d %H:%M:%S} UTC"
    assert report.notes == [f"the DuckDB file is {behind}"]
    for stamp, year in ((-1, "1970"), (2**63 - 1, "9999")):
        strange = replaced(first, LEDGER.name, [*first[LEDGER.name][PARTITION], missing[0]._replace(timestamp=stamp)])
        _, note = check_tables(source_of(strange), tmp_path, PARTITIONS)
        assert note is not None
        assert f"1 records behind the ledger; the first that it lacks is of {year}-" in note
