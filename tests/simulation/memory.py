"""A log in memory: partitions, transactions, epochs, read_committed and read_uncommitted, offsets with holes.

It stands where Kafka stands (`streams.log.Log`) and passes the contract suite that Kafka passes. Its clock is simulated
time. `on` is told of every step before it happens, and may raise what a broker or a dying process would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from contractnet.topics import COMMANDS
from faults import records
from streams.log import Delivered, Headers, Log
from streams.reading import Record

OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"


@dataclass(slots=True, eq=False)
class Transaction:
    """A producer's transaction and the partitions that it wrote to."""

    state: str = OPEN
    partitions: list[Partition] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stored(records.Stored):
    """One offset of a partition. A marker is no data."""

    transaction: Transaction | None = None
    is_marker: bool = False


class Partition:
    """Records by offset, and the transactions that are still undecided."""

    def __init__(self) -> None:
        self.slots: list[Stored] = []
        self.undecided: dict[Transaction, int] = {}

    @property
    def stable_end(self) -> int:
        """Offset up to which everything is decided: a reader at read_committed goes no further."""
        return min(self.undecided.values(), default=len(self.slots))


def failure(
    code: int, why: str, *, fatal: bool = False, retriable: bool = False, abort: bool = False
) -> KafkaException:
    """What confluent-kafka raises."""
    return KafkaException(KafkaError(code, why, fatal, retriable, abort))


def fenced() -> KafkaException:
    """Another producer has taken this one's transactional id."""
    return failure(KafkaError._FENCED, "fenced by a newer producer", fatal=True)


class MemoryLog:
    """All topics. `now_ms` is true time; `skew_ms` is how wrong the broker's stamps are."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms
        self.skew_ms = 0
        self.on: Callable[[str, MemoryProducer | None], None] = lambda _step, _producer: None
        self.is_late: Callable[[], bool] = lambda: False
        """Whether a commit's markers are written some time after its acknowledgement, as Kafka may."""
        self.catches_up: Callable[[], bool] = lambda: False
        """Whether they are written by the time of a read."""
        self.prepared: dict[str, Transaction] = {}
        self.epochs: dict[str, int] = {}
        self.ongoing: dict[str, Transaction] = {}
        self._partitions: dict[tuple[str, int], Partition] = {}

    def as_log(self) -> Log:
        """This log as the shells take it."""
        return Log(self.producer, self.read, lambda: self.now_ms / 1000)

    def producer(self, config: dict[str, Any]) -> MemoryProducer:
        """A producer; transactional where the configuration names a transactional id."""
        return MemoryProducer(self, config.get("transactional.id"))

    def partition(self, topic: str, number: int) -> Partition:
        """A partition, made where there is none."""
        return self._partitions.setdefault((topic, number), Partition())

    def append(
        self,
        topic: str,
        number: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
        timestamp: int = 0,
        transaction: Transaction | None = None,
    ) -> int:
        """Store a record; returns its offset. `commands` is stamped by the broker, as the topic says."""
        partition = self.partition(topic, number)
        offset = len(partition.slots)
        stamp = self.now_ms + self.skew_ms if topic == COMMANDS.name else timestamp
        partition.slots.append(Stored(offset, stamp, key, value, headers, transaction))
        if transaction is not None and transaction not in partition.undecided:
            partition.undecided[transaction] = offset
            transaction.partitions.append(partition)
        return offset

    def decide(self, transaction: Transaction, state: str) -> None:
        """End a transaction: a marker in each partition that it wrote to."""
        assert transaction.state == OPEN
        transaction.state = state
        for partition in transaction.partitions:
            del partition.undecided[transaction]
            partition.slots.append(Stored(len(partition.slots), self.now_ms, None, None, [], transaction, True))

    def complete(self, name: str | None = None) -> None:
        """Write the markers that are still to come, of all producers or one transactional id."""
        for each in [name] if name is not None else list(self.prepared):
            transaction = self.prepared.pop(each, None)
            if transaction is not None:
                self.decide(transaction, COMMITTED)

    def stored(self, topic: str, number: int, start: int = 0, count: int = 2**31) -> list[Stored]:
        """At most `count` data records from `start` on, whatever became of their transactions."""
        found: list[Stored] = []
        for slot in self.partition(topic, number).slots[start:]:
            if len(found) == count:
                break
            if not slot.is_marker:
                found.append(slot)
        return found

    def committed(self, topic: str, number: int, start: int) -> list[Stored]:
        """The decided and committed data records from `start` on."""
        partition = self.partition(topic, number)
        return [
            s
            for s in partition.slots[start : partition.stable_end]
            if not s.is_marker and (s.transaction is None or s.transaction.state == COMMITTED)
        ]

    def read(self, _bootstrap: str, topic: str, number: int, start: int) -> Iterator[Record]:
        """As `streams.reading.read_partition`."""
        if self.catches_up():
            self.complete()
        for s in self.committed(topic, number, max(0, start)):
            self.on("read", None)
            yield Record(s.offset, s.key or b"", s.value or b"", [(n, v or b"") for n, v in s.headers])


class MemoryProducer:
    """A producer. What it produces is in the log at once, undecided where it belongs to a transaction."""

    def __init__(self, log: MemoryLog, transactional_id: str | None) -> None:
        self.log = log
        self.id = transactional_id
        self._epoch = -1
        self._transaction: Transaction | None = None
        self._may_begin = False
        self._committed = False
        self._reports: list[Delivered] = []

    @property
    def is_fenced(self) -> bool:
        """Whether another producer with this transactional id came later."""
        return self.id is not None and self.log.epochs.get(self.id, -1) != self._epoch

    def init_transactions(self, _timeout: float = -1) -> None:
        """Fence every earlier producer of this id and end its transaction."""
        assert self.id is not None
        self.log.on("init", self)
        self._epoch = self.log.epochs[self.id] = self.log.epochs.get(self.id, -1) + 1
        self.log.complete(self.id)
        ongoing = self.log.ongoing.pop(self.id, None)
        if ongoing is not None and ongoing.state == OPEN:
            self.log.decide(ongoing, ABORTED)
        self._may_begin = True
        self.log.on("initialised", self)

    def begin_transaction(self) -> None:
        """Local, as librdkafka's: a fenced producer notices later."""
        self.log.on("begin", self)
        if not self._may_begin or self._transaction is not None:
            raise failure(KafkaError._STATE, "not in a state to begin a transaction")
        self._transaction = Transaction()
        self._committed = False

    def produce(
        self,
        topic: str,
        value: str | bytes | None = None,
        key: str | bytes | None = None,
        partition: int = -1,
        *,
        timestamp: int = 0,
        headers: Headers | None = None,
        on_delivery: Delivered | None = None,
    ) -> None:
        """Append a record; a fenced producer's is dropped by the broker, which the next call tells."""
        self.log.on("produce" if self.id else "send", self)
        if self.id is not None and self._transaction is None:
            raise failure(KafkaError._STATE, "not in a transaction")
        if self.is_fenced:
            return
        if self.id is not None and self._transaction is not None:
            self.log.complete(self.id)
            self.log.ongoing[self.id] = self._transaction
        plain = [(name, _bytes(header)) for name, header in headers or []]
        self.log.append(topic, partition, _bytes(key), _bytes(value), plain, timestamp, self._transaction)
        if on_delivery is not None:
            self._reports.append(on_delivery)

    def commit_transaction(self, _timeout: float = -1) -> None:
        """Commit; the same call again after a lost reply does nothing more."""
        self.log.on("commit", self)
        if self.is_fenced:
            raise fenced()
        if self._transaction is None:
            raise failure(KafkaError._STATE, "no transaction to commit")
        if not self._committed and self.id is not None:
            self.log.complete(self.id)
            self.log.prepared[self.id] = self._transaction
            self._committed = True
            if not self.log.is_late():
                self.log.complete(self.id)
        self.log.on("committed", self)
        self._transaction = None

    def abort_transaction(self, _timeout: float = -1) -> None:
        """Abort."""
        self.log.on("abort", self)
        if self.is_fenced:
            raise fenced()
        if self._transaction is None:
            raise failure(KafkaError._STATE, "no transaction to abort")
        assert not self._committed, "a transaction that may be committed is not aborted"
        self.log.decide(self._transaction, ABORTED)
        self._transaction = None

    def poll(self, _timeout: float = -1) -> int:
        """Tell of what was stored; nothing else waits here."""
        reports, self._reports = self._reports, []
        for report in reports:
            report(None, None)
        return len(reports)

    def flush(self, timeout: float = -1) -> int:
        """The same, until nothing waits."""
        self.poll(timeout)
        return 0

    def purge(self) -> None:
        """Nothing waits here."""


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
