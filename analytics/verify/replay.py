"""One partition judged again: every ledger record and every notice that it has to have, byte for byte and in order."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from analytics.checker import BrokenRuleError, Checker
from analytics.checkpoint import Part
from analytics.verify.plain import plain_entry
from analytics.verify.report import DivergenceError, Report
from analytics.verify.signatures import CheckedSignatures, Chunk, Guesses, SignaturePool
from analytics.verify.snapshots import Snapshots
from analytics.verify.source import Headers, RecordSource, StoredRecord
from contractnet.chain import CHAIN_START, chain
from contractnet.codec import encode
from contractnet.envelope import open_record
from contractnet.messages import Submission
from contractnet.progress import Progress
from contractnet.sealing import values_of
from contractnet.topics import COMMANDS, LEDGER, NOTICES
from market import Shard, told
from market.invariants import violations
from market.snapshot import dump, load

CHUNK = 1_000
CHUNKS_AHEAD = 4
# The whole state is looked over every so many commands, and at the end: it costs time by its size.
INVARIANTS_EVERY = 2_000
_PAUSE_S = 0.1

_Expected = tuple[bytes, bytes, int, Headers]
"""Key, value, timestamp and headers that a record has to have."""


def running_hash(before: bytes, offset: int, seen: bytes) -> bytes:
    """SHA-256 over everything that a partition has held so far: each record's offset and `seen`, which stands for it.

    A command's is the digest of the record as stored. A ledger record's is its chain head, a notice's its value: the
    other parts were compared with what follows from the commands.
    """
    return hashlib.sha256(before + offset.to_bytes(8, "big") + seen).digest()


@dataclass(slots=True)
class Follower:
    """Reads one output topic of a partition and compares it with what is expected, record by record."""

    source: RecordSource
    topic: str
    partition: int
    next_offset: int = 0
    hash: bytes = bytes(32)
    compared: int = 0
    seek_first: bool = False
    """The topic's head was deleted by retention: pass over what is expected until the first kept record is met."""
    passed_over: int = 0
    _records: Iterator[StoredRecord] = field(default_factory=lambda: iter(()))
    _waiting: StoredRecord | None = None
    _read_next: int = 0
    _patient: bool = True

    def begin(self, offset: int, before: bytes) -> None:
        """Go on from an offset, with the running hash of what lies before it."""
        self.next_offset = self._read_next = offset
        self.hash = before

    def is_at_end(self) -> bool:
        """Whether nothing more has come, after waiting for it once."""
        if self._waiting is None:
            self._waiting = self._next(self.source.patience_s if self._patient else 0)
            self._patient = self._waiting is not None
        return self._waiting is None

    def take(self, expected: _Expected, why: str) -> StoredRecord | None:
        """The next record, which has to be the expected one. None only for what retention has deleted."""
        record = self._next(self.source.patience_s)
        if record is None:
            raise DivergenceError(self.topic, self.partition, self.next_offset, f"a record is missing: {why}")
        problem = _difference(record, expected)
        if problem and self.seek_first:
            self._waiting = record
            self.passed_over += 1
            return None
        if problem:
            raise DivergenceError(self.topic, self.partition, record.offset, f"{problem}: {why}")
        self.seek_first = False
        seen = record.headers[0][1] if record.headers else record.value
        self.hash = running_hash(self.hash, record.offset, seen or b"")
        self.compared += 1
        self.next_offset = record.offset + 1
        return record

    def finish(self, end: int) -> None:
        """Nothing may be left below offset `end`."""
        if self.seek_first and self.passed_over:
            record = self._waiting
            assert record is not None
            raise DivergenceError(self.topic, self.partition, record.offset, "no command gives rise to this record")
        record = self._next(0)
        if record is not None and record.offset < end:
            raise DivergenceError(self.topic, self.partition, record.offset, "no command gives rise to this record")

    def _next(self, patience_s: float) -> StoredRecord | None:
        record, self._waiting = self._waiting, None
        if record is None:
            record = next(self._records, None)
        give_up_at_s = time.monotonic() + patience_s
        while record is None:
            self._records = self.source.read(self.topic, self.partition, self._read_next)
            record = next(self._records, None)
            if record is None and time.monotonic() >= give_up_at_s:
                return None
            if record is None:
                time.sleep(_PAUSE_S)
        self._read_next = record.offset + 1
        return record


def _difference(record: StoredRecord, expected: _Expected) -> str:
    """Which part of a record is not as it has to be; empty where all are."""
    key, value, timestamp, headers = expected
    if record.value != value:
        return f"the value differs (expected {len(value)} bytes {_short(value)}, found {_short(record.value)})"
    if record.key != key:
        return f"the key differs (expected {key!r}, found {record.key!r})"
    if record.timestamp != timestamp:
        return f"the timestamp differs (expected {timestamp}, found {record.timestamp})"
    if record.headers != headers:
        return f"the headers differ (expected {headers!r}, found {record.headers!r})"
    return ""


def _short(value: bytes | None) -> str:
    return "null" if value is None else f"{value[:10].hex()}.. SHA-256 {hashlib.sha256(value).hexdigest()[:16]}"


class Replay:
    """One partition from nothing, or from a checkpoint's part, up to its present end."""

    def __init__(self, source: RecordSource, partition: int, partitions: int, operator_key: bytes) -> None:
        self.source = source
        self.partition = partition
        self.signatures = CheckedSignatures()
        self.shard = Shard(partition, partitions, operator_key, self.signatures, head=CHAIN_START)
        self.checker = Checker(partition, partitions, operator_key, self.signatures)
        self.commands_next = 0
        self.commands_hash = bytes(32)
        self.ledger = Follower(source, LEDGER.name, partition)
        self.notices = Follower(source, NOTICES.name, partition)
        self.guesses = Guesses(operator_key)
        self.snapshots = Snapshots(source, partition)
        self.counts = Report()
        self.commands = 0
        self.unanswered: int | None = None
        """Offset of the first command that the referee has not answered yet."""
        self._at_end: bytes | None = None
        self._deleted_until = 0
        """The ledger's offset below which all notices were deleted by retention; 0 where some are there."""

    def resume(self, part: Part) -> None:
        """Begin where a checkpoint ends. Its signature was verified by the caller."""
        load(self.shard, part.state)
        self.shard.head = part.head
        self.checker.load(part.state)
        self.checker.head = part.head
        self.commands_next, self.commands_hash = part.commands_next, part.commands_hash
        self.ledger.begin(part.ledger_next, part.ledger_hash)
        self.notices.begin(part.notices_next, part.notices_hash)
        self.guesses.genesis = {name: state.genesis_hash for name, state in self.shard.markets.items()}
        self.snapshots.begin(part.ledger_next)

    def run(self, pool: SignaturePool, progress: Progress, against: Part | None) -> Part:
        """Judge everything that is there; `against` has to be met on the way. Raises DivergenceError."""
        # First of all: a snapshot is of a ledger that its maker saw, so that one that is read now lies below the end.
        self.snapshots.read()
        ends = {name: self._end(name, at) for name, at in self._positions().items()}
        self._pass_over_deleted(ends[LEDGER.name])
        if against is not None:
            self.snapshots.compare(against)
        pending = against
        for chunk in self._chunks(pool, ends[COMMANDS.name]):
            self.signatures.known, cpu_s = chunk.proven()
            self.counts.signature_cpu_s += cpu_s
            self.signatures.checked += len(chunk.offsets)
            for submission in chunk.submissions:
                if pending is not None and submission.offset >= pending.commands_next:
                    self._meet(pending)
                    pending = None
                self._judge(submission)
                if self.unanswered is not None:
                    break
            if self.unanswered is not None:
                break
            progress.tell(partial(self._progress, ends[COMMANDS.name]))
        if pending is not None:
            self._meet(pending)
        self.ledger.finish(ends[LEDGER.name])
        self.notices.finish(ends[NOTICES.name])
        self._look_over(whole=True)
        self.snapshots.finish(max(self.ledger.next_offset, ends[LEDGER.name]))
        return self.part()

    def part(self) -> Part:
        """What a checkpoint says of this partition."""
        return Part(
            partition=self.partition,
            commands_next=self.commands_next,
            ledger_next=self.ledger.next_offset,
            notices_next=self.notices.next_offset,
            head=self.shard.head,
            commands_hash=self.commands_hash,
            ledger_hash=self.ledger.hash,
            notices_hash=self.notices.hash,
            snapshots=self.snapshots.kept(),
            state=dump(self.shard),
        )

    def _progress(self, end: int, passed_s: float) -> str:
        rate = self.ledger.compared / passed_s
        return f"partition {self.partition}: command {self.commands_next:,} of {end:,}, {rate:,.0f} events/s"

    def _positions(self) -> dict[str, int]:
        # The end of commands is asked last: every command that caused a record below the other two ends lies below it.
        return {
            LEDGER.name: self.ledger.next_offset,
            NOTICES.name: self.notices.next_offset,
            COMMANDS.name: self.commands_next,
        }

    def _end(self, topic: str, start: int) -> int:
        low, end = self.source.bounds(topic, self.partition)
        if low > start and topic == NOTICES.name:
            self.notices.seek_first = True
            self.notices.begin(low, self.notices.hash)
        elif low > start:
            why = f"the topic begins at offset {low}: records were deleted that have to be kept for ever"
            raise DivergenceError(topic, self.partition, start, why)
        if end < start:
            raise DivergenceError(topic, self.partition, end, f"the topic ends here, the checkpoint at {start}")
        return end

    def _pass_over_deleted(self, ledger_end: int) -> None:
        """Where retention has left no notice, those of what lies below the ledger's end are gone: one of them that was
        still under way has come within the reader's patience. Later ones have to be there."""
        if self.notices.seek_first and self.notices.is_at_end():
            self.notices.seek_first = False
            self._deleted_until = ledger_end

    def _chunks(self, pool: SignaturePool, end: int) -> Iterator[Chunk]:
        """Chunks of commands, some of them ahead, so that their signatures are checked meanwhile."""
        records = self.source.read(COMMANDS.name, self.partition, self.commands_next)
        below = (record for record in records if record.offset < end)
        ahead: deque[Chunk] = deque()
        while batch := list(islice(below, CHUNK)):
            submissions = [open_record(*record) for record in batch]
            ahead.append(pool.start(submissions, self.guesses))
            if len(ahead) > CHUNKS_AHEAD:
                yield ahead.popleft()
        yield from ahead

    def _judge(self, submission: Submission) -> None:
        if not self.ledger.is_at_end():
            self._at_end = None
        elif self._at_end is None:
            self._at_end = dump(self.shard)
        before = self.shard.head
        why = f"command offset {submission.offset}"
        try:
            entries = self.shard.apply(submission)
        except AssertionError as error:
            # The rules' own assertions: a log that no sound referee wrote may break them before a byte is compared.
            raise DivergenceError(COMMANDS.name, self.partition, submission.offset, f"assertion: {error}") from error
        if entries and self._at_end is not None:
            self._stop_before(submission, self._at_end)
            return
        key = (submission.market or "").encode()
        kept: list[StoredRecord] = []
        for index, entry in enumerate(entries):
            value, source = encode(entry), entry.source
            place = (self.partition, source.offset, source.index)
            self.shard.head = chain(self.shard.head, *place, submission.digest, value)
            found = self.ledger.take((key, value, source.at_ms, [("chain", self.shard.head)]), why)
            assert found is not None, "the ledger is never cut"
            kept.append(found)
            if self.snapshots.is_at(found.offset):
                self.snapshots.begin_check(found.offset, self.shard, submission.market or "", entries[index + 1 :])
        self.snapshots.end_check(self.shard)
        if entries:
            at_ms = entries[-1].source.at_ms
            deleted = self.ledger.next_offset <= self._deleted_until
            for value in values_of(told(self.shard, submission.market, entries)):
                if deleted:
                    self.notices.passed_over += 1
                else:
                    self.notices.take((key, value, at_ms, []), why)
        self.commands_next = submission.offset + 1
        self.commands_hash = running_hash(self.commands_hash, submission.offset, submission.digest)
        self.commands += 1
        self._check(submission, kept, before)
        if self.commands % INVARIANTS_EVERY == 0:
            self._look_over()

    def _stop_before(self, submission: Submission, state: bytes) -> None:
        """The ledger ends before the answer to this command: the referee is behind, and the state is that before it."""
        self.unanswered = submission.offset
        shard = self.shard
        self.shard = Shard(self.partition, shard.partitions, shard.operator_key, self.signatures)
        load(self.shard, state)

    def _check(self, submission: Submission, kept: list[StoredRecord], before: bytes) -> None:
        """The independent checker on the records as stored."""
        record: StoredRecord | None = None
        try:
            self.checker.begin(submission, before)
            for record in kept:
                entry = plain_entry(record.value)
                assert entry is not None, "bytes that equal an encoded entry are one"
                self.checker.take(record.key or b"", record.timestamp, record.headers, record.value or b"", *entry)
            self.checker.end()
        except BrokenRuleError as error:
            at = self.ledger.next_offset if record is None else record.offset
            raise DivergenceError(LEDGER.name, self.partition, at, f"independent checker: {error}") from error

    def _look_over(self, *, whole: bool = False) -> None:
        """All invariants of every market, by market/ and by the checker; `whole` compares their states as well."""
        at = self.ledger.next_offset - 1
        for name, state in self.shard.markets.items():
            for text in violations(state):
                raise DivergenceError(LEDGER.name, self.partition, at, f"market {name}: {text}")
        try:
            self.counts.counts["invariant checks of whole markets"] += len(self.shard.markets)
            self.checker.look_over()
            if whole:
                self.checker.agree(dump(self.shard))
        except BrokenRuleError as error:
            raise DivergenceError(LEDGER.name, self.partition, at, f"independent checker: {error}") from error

    def _meet(self, part: Part) -> None:
        """What a checkpoint says has to hold at its offsets."""
        mine = self.part()
        for topic, field_name in (
            (COMMANDS.name, "commands_hash"),
            (LEDGER.name, "ledger_hash"),
            (NOTICES.name, "notices_hash"),
        ):
            if topic == NOTICES.name and self.notices.passed_over:
                continue
            if getattr(mine, field_name) != getattr(part, field_name):
                reached = getattr(part, f"{topic}_next")
                what = f"what lies before offset {reached} is not what the checkpoint saw"
                raise DivergenceError(topic, self.partition, reached, what)
        if mine.head != part.head or mine.state != part.state or mine.ledger_next != part.ledger_next:
            what = "chain head or state is not that of the checkpoint"
            raise DivergenceError(LEDGER.name, self.partition, part.ledger_next, what)
