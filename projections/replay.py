"""`contractnet replay`: the tables of `ledger.duckdb` as of any moment, in one file, from an export or from Kafka.

The same fold as the projector's and the rebuild's, which stops earlier.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Protocol, TextIO

import pyarrow.compute as pc

from contractnet.errors import LedgerChangedError, ReplayError
from contractnet.exports.manifest import FILE_NAME
from contractnet.exports.reading import Export, open_export
from contractnet.messages.partition import partition_of
from contractnet.progress import Progress
from contractnet.topics import LEDGER
from projections.decode import LedgerRecord, decode
from projections.draft import Terms, appearing
from projections.layout import Layout, remove_database
from projections.publish import write_database
from projections.reader import LedgerReader
from projections.rebuild import BATCH_EVENTS_MAX, Batch, fold_batches, large_batches
from projections.settings import ProjectionSettings
from projections.store import FORMAT_VERSION, Position, Store

_OFFSET = re.compile(r"[0-9]{1,18}")
_EPOCH = datetime.fromtimestamp(0, UTC)
_SHOWN = 40
# Markets that an error names.
_NAMED = 5
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Until:
    """The moment to stop at: after all that happened by `at_ms`, or after one `offset` of one `partition`, which then
    is the only one, and where `market` lives. Nothing set: the end."""

    at_ms: int | None = None
    partition: int | None = None
    offset: int | None = None
    market: str | None = None


class Ledger(Protocol):
    """Where the ledger is read from, once. `ends` has the end of each partition, `known_ms` when that was so, and
    `source` what tells this ledger from others."""

    ends: dict[int, int]
    known_ms: int
    source: str

    def begin(self, positions: Mapping[int, Position]) -> None:
        """Go on after these. LedgerChangedError, then or later: they are not of this ledger."""
        ...

    def poll(self) -> list[LedgerRecord] | None:
        """The next records, in the order of each partition; None after the last."""
        ...


class ExportedLedger:
    """The ledger of an export."""

    def __init__(self, export: Export) -> None:
        self.ends = {part.partition: part.end for part in export.manifest.topics[LEDGER.name]}
        self.known_ms = export.manifest.made_at_ms
        # The manifest has the hashes of all files.
        self.source = "export " + hashlib.sha256((export.directory / FILE_NAME).read_bytes()).hexdigest()
        self._export = export
        self.begin({})

    def begin(self, positions: Mapping[int, Position]) -> None:
        """Go on after these."""
        starts = {partition: position.next_offset for partition, position in positions.items()}
        self._records = (r for p in self.ends for r in _records(self._export, p, starts.get(p, 0)))

    def poll(self) -> list[LedgerRecord] | None:
        """The next records."""
        return list(islice(self._records, BATCH_EVENTS_MAX)) or None


def _records(export: Export, partition: int, start: int) -> Iterator[LedgerRecord]:
    for r in export.records(LEDGER.name, partition, start):
        chain = next((held for name, held in r.headers or () if name == "chain"), None)
        yield LedgerRecord(partition, r.offset, r.key, r.value, chain)


class KafkaLedger:
    """The ledger on Kafka, as far as it is committed now. `close` it."""

    def __init__(self, settings: ProjectionSettings) -> None:
        self.known_ms = int(time.time() * 1000)
        self.source = "Kafka"  # at whatever address: the reader compares the last record that was reached
        self._settings = large_batches(settings)
        self._reader = LedgerReader(self._settings, {})
        self.ends = self._reader.ends

    def begin(self, positions: Mapping[int, Position]) -> None:
        """Go on after these."""
        if not positions:
            return
        self._reader.close()
        self._reader = LedgerReader(self._settings, positions)
        self.ends = self._reader.ends

    def poll(self) -> list[LedgerRecord] | None:
        """The next records."""
        while not self._reader.at_end:
            if records := self._reader.poll():
                return [record for record in records if record.offset < self.ends[record.partition]]
        return None

    def close(self) -> None:
        """Disconnect."""
        self._reader.close()


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was folded: the events of an interrupted replay that this one went on with, `before`, all `events`, and how
    many of these are records that are no events, `strange`."""

    before: int
    events: int
    strange: int


@dataclass(slots=True)
class _Stop:
    """Lets pass what happened by a moment: of each partition, all before the first entry that is later."""

    until: Until
    _ended: set[int] = field(default_factory=set)

    def cut(self, records: list[LedgerRecord]) -> Batch:
        """A batch without what is later."""
        ended, offset = self._ended, self.until.offset
        if ended or offset is not None:
            records = [r for r in records if r.partition not in ended and self._is_before(r, offset)]
        decoded = decode(records)
        if self.until.at_ms is None:
            return records, decoded
        ends: dict[int, int] = {}
        for table in decoded.tables.values():
            later = table.filter(pc.greater(table.column("at_ms"), self.until.at_ms))
            for partition, at in zip(
                *(later.column(c).to_pylist() for c in ("partition", "ledger_offset")), strict=True
            ):
                ends[partition] = min(at, ends.get(partition, at))
        if not ends:
            return records, decoded
        ended |= ends.keys()
        kept = [r for r in records if r.offset < ends.get(r.partition, r.offset + 1)]
        return kept, decode(kept)

    def _is_before(self, record: LedgerRecord, offset: int | None) -> bool:
        return offset is None or (record.partition == self.until.partition and record.offset <= offset)


def replay(ledger: Ledger, into: Path, until: Until, out: TextIO | None) -> Replayed:
    """Fold a ledger up to a moment into a new file, which appears complete or not at all.

    Where the end is not reached, the next call for the same file, ledger and moment goes on. Raises ReplayError where
    the file exists or can't be written, where the moment is before the first event or beyond the end, and where the
    ledger holds no event that this version knows, or no such market; and what the ledger raises.
    """
    _need_known(ledger, until)
    stop, progress = _Stop(until), Progress(out)
    with appearing(into, _terms(ledger, until)) as folder:
        layout = Layout(folder)
        layout.create()
        with closing(Store(layout, ProjectionSettings("", folder))) as store:
            before = store.event_count()
            ledger.begin(store.positions())

            def read() -> Batch | None:
                while (records := ledger.poll()) is not None:
                    batch = stop.cut(records)
                    if batch[0]:
                        return batch
                return None

            def line(passed_s: float) -> str:
                events = store.event_count()
                rate = (events - before) / passed_s
                return f"{events:,} of at most {sum(ledger.ends.values()):,} events, {rate:,.0f} a second"

            fold_batches(store, read, lambda: progress.tell(line))
            found = Replayed(before, store.event_count(), _need_sense(store, into, until))
            remove_database(folder / into.name)
            write_database(store, folder / into.name, 1, whole=True)
    return found


def _terms(ledger: Ledger, until: Until) -> Terms:
    return {"format": FORMAT_VERSION, "source": ledger.source, **asdict(until)}


def _need_sense(store: Store, into: Path, until: Until) -> int:
    """How many records are no events. Raises ReplayError where the tables would say nothing of what was asked for."""
    events = store.event_count()
    if not events:
        raise ReplayError(f"{into} was not made: the ledger holds nothing up to that moment.")
    [(strange,)] = store.connection.execute("SELECT count(*)::BIGINT FROM unreadable_entries").fetchall()
    if strange == events:
        raise ReplayError(
            f"{into} was not made: none of the {events:,} records is an event that this version of contractnet knows. "
            f"They are of another program, or of a newer version: use the one that wrote them."
        )
    markets = [name for (name,) in store.connection.execute("SELECT market FROM markets ORDER BY 1").fetchall()]
    if until.market is not None and until.market not in markets:
        there = ", ".join(map(repr, markets[:_NAMED])) or "none"
        raise ReplayError(
            f"{into} was not made: no market {until.market!r} lives on partition {until.partition} up to offset "
            f"{until.offset}, but {there}. Name the one whose offset that is with --market."
        )
    return int(strange)


def _need_known(ledger: Ledger, until: Until) -> None:
    """Raise ReplayError for a moment of which the ledger does not tell."""
    if until.at_ms is not None and until.at_ms > ledger.known_ms:
        raise ReplayError(f"--until is {_text(until.at_ms)}, and the ledger is known up to {_text(ledger.known_ms)}.")
    if until.offset is not None and until.partition is not None:
        end = ledger.ends.get(until.partition, 0)
        if until.offset >= end:
            raise ReplayError(
                f"--until is offset {until.offset}, and the ledger on partition {until.partition}, the one of market "
                f"{until.market!r} (--market), ends before {end}."
            )


def _text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def moment(text: str | None, market: str, partitions: int) -> Until:
    """What `--until` says. An offset is one of the partition that the market lives on. Raises ReplayError."""
    if text is None:
        return Until()
    if _OFFSET.fullmatch(text):
        return Until(partition=partition_of(market, partitions), offset=int(text), market=market)
    try:
        found = datetime.fromisoformat(re.sub(r" ?UTC$", "+00:00", text))
        # A time without a zone is UTC, as all times of the tables are.
        at = (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(UTC)
        return Until(at_ms=(at - _EPOCH) // timedelta(milliseconds=1))
    except (ValueError, OverflowError) as error:
        raise ReplayError(
            f"--until {text[:_SHOWN]!r} is no moment: write a time such as 2026-11-29T12:00:00Z, or the offset of a "
            f"record of the ledger."
        ) from error


def run(where: str | Path, into: Path, until: str | None, *, market: str, out: TextIO | None) -> list[str]:
    """Replay the ledger at a broker's address or in the directory of an export, and tell what was made.

    Raises ContractnetError, KafkaException.
    """
    moment(until, market, 1)
    with _opened(where, out) as ledger:
        started_s = time.monotonic()
        wanted = moment(until, market, len(ledger.ends))
        try:
            made = replay(ledger, into, wanted, out)
        except LedgerChangedError as error:
            raise ReplayError(
                f"The ledger at {where} is not, or no longer, the one that this replay of {into} began with. Give the "
                f"address of that one (--bootstrap), or begin anew under another name."
            ) from error
        took_s = time.monotonic() - started_s
    events, rate = made.events - made.before, (made.events - made.before) / took_s * _MINUTE_S
    lines = [f"replayed {events:,} events into {into} in {took_s:.1f} s ({rate:,.0f} a minute)"]
    if made.before:
        lines.append(f"it went on after the {made.before:,} events of a replay that was interrupted")
    if wanted.partition is not None:
        lines.append(f"it holds partition {wanted.partition}, where market {market!r} lives, up to offset {until}")
    if made.strange:
        lines.append(f"note: {made.strange:,} records are no events that this version knows: table unreadable_entries")
    return lines


def _opened(where: str | Path, out: TextIO | None) -> AbstractContextManager[Ledger]:
    if isinstance(where, str):
        return closing(KafkaLedger(ProjectionSettings(where, Path())))
    return nullcontext(ExportedLedger(open_export(where, out)))
