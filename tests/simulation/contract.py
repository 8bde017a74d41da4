"""What a log must do for the shells, whoever keeps it: the one in memory and the real one pass the same suite.

A subclass gives `log`, `bootstrap`, and `uncommitted`, which reads a partition of `commands` whatever became of its
transactions. All partitions used here are of `commands`, where strangers may write in transactions too.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod

import pytest
from confluent_kafka import KafkaError, KafkaException

from contractnet.topics import COMMANDS
from streams.log import Log, Sender
from streams.reading import Record

FENCED = {KafkaError._FENCED, KafkaError._FATAL}
Seen = tuple[int, bytes | None, bytes | None]


class LogContract(ABC):
    """The suite."""

    partition = 0

    @property
    @abstractmethod
    def log(self) -> Log:
        """The log under test."""

    @property
    @abstractmethod
    def bootstrap(self) -> str:
        """Where it is."""

    @abstractmethod
    def uncommitted(self) -> list[Seen]:
        """Offset, key and value of all data records of the partition."""

    def new(self, name: str | None = None) -> Sender:
        """A producer, transactional where it has a name."""
        config = {"bootstrap.servers": self.bootstrap, "linger.ms": 0, "log_level": 1}
        if name is None:
            return self.log.producer(config)
        producer = self.log.producer(config | {"transactional.id": name, "transaction.timeout.ms": 30_000})
        producer.init_transactions(30)
        return producer

    def put(self, producer: Sender, *values: bytes) -> None:
        for value in values:
            producer.produce(COMMANDS.name, value, b"key", self.partition)
        producer.flush(10)

    @abstractmethod
    def wait(self) -> None:
        """Let a commit that was acknowledged become visible: the broker writes markers after it has answered."""

    def read(self, start: int = 0) -> list[Record]:
        return list(self.log.read(self.bootstrap, COMMANDS.name, self.partition, start))

    def expect(self, start: int, *values: bytes) -> list[Record]:
        """The committed records from `start` on, which must be these before long."""
        found: list[Record] = []
        for _ in range(100):
            found = self.read(start)
            if [r.value for r in found] == list(values):
                return found
            self.wait()
        raise AssertionError(f"found {found}, not {values}")

    @property
    def end(self) -> int:
        """Offset after the last data record that anybody can see, markers behind it left out."""
        return max((offset for offset, _, _ in self.uncommitted()), default=-1) + 1

    def settle(self) -> int:
        """Write a plain record, wait until it is visible, and so everything before it decided; the next offset."""
        self.put(self.new(), b"settled")
        end = self.end
        self.expect(end - 1, b"settled")
        return end

    def test_what_became_of_a_record_is_told(self) -> None:
        """Each report of what was produced has come when `flush` returns, without an error where it is stored."""
        told: list[KafkaError | None] = []
        producer = self.new()
        for value in (b"a", b"b"):
            producer.produce(
                COMMANDS.name, value, b"key", self.partition, on_delivery=lambda error, _: told.append(error)
            )
        assert producer.flush(10) == 0
        assert told == [None, None]

    def test_a_committed_transaction_is_read_and_leaves_a_hole(self) -> None:
        """Its records come in order; before the producer's next one there is a marker, which is no record."""
        start = self.settle()
        producer = self.new(uuid.uuid4().hex)
        producer.begin_transaction()
        self.put(producer, b"a", b"b")
        producer.commit_transaction(10)
        producer.begin_transaction()
        self.put(producer, b"c")
        producer.commit_transaction(10)
        found = self.expect(start, b"a", b"b", b"c")
        assert [r.offset - start for r in found] == [0, 1, 3], found
        self.expect(start + 2, b"c")

    def test_an_aborted_transaction_is_for_uncommitted_readers_only(self) -> None:
        """At read_committed it never was; at read_uncommitted its records stay."""
        start = self.settle()
        producer = self.new(uuid.uuid4().hex)
        producer.begin_transaction()
        self.put(producer, b"a")
        producer.abort_transaction(10)
        self.put(self.new(), b"b")
        self.expect(start, b"b")
        assert [value for offset, _, value in self.uncommitted() if offset >= start] == [b"a", b"b"]

    def test_an_undecided_transaction_holds_committed_readers_back(self) -> None:
        """Nothing behind it is read at read_committed, also what is not in a transaction; uncommitted readers go on."""
        start = self.settle()
        producer = self.new(uuid.uuid4().hex)
        self.put(self.new(), b"before")
        producer.begin_transaction()
        self.put(producer, b"undecided")
        self.put(self.new(), b"behind")
        self.expect(start, b"before")
        assert [v for o, _, v in self.uncommitted() if o >= start] == [b"before", b"undecided", b"behind"]
        producer.commit_transaction(10)
        self.expect(start, b"before", b"undecided", b"behind")

    def test_a_newer_producer_fences_an_older_one_and_ends_its_transaction(self) -> None:
        """After its init_transactions nothing of the older one is ever read, and the older one is told, fatally."""
        start = self.settle()
        name = uuid.uuid4().hex
        older = self.new(name)
        older.begin_transaction()
        self.put(older, b"lost")
        newer = self.new(name)
        assert self.read(start) == [], "init_transactions returns when the older transaction is over"
        newer.begin_transaction()
        self.put(newer, b"kept")
        newer.commit_transaction(10)
        with pytest.raises(KafkaException) as caught:
            older.commit_transaction(10)
        error = caught.value.args[0]
        assert error.code() in FENCED
        assert not error.retriable()
        assert not error.txn_requires_abort()
        self.expect(start, b"kept")

    def test_a_newer_producer_sees_all_that_an_older_one_committed(self) -> None:
        """Its init_transactions returns when the markers are written: what it reads then is all there is."""
        name = uuid.uuid4().hex
        older, start = self.new(name), self.settle()
        for number in range(20):
            older.begin_transaction()
            self.put(older, b"%d" % number)
            older.commit_transaction(10)
            older = self.new(name)
            assert len(self.read(start)) == number + 1

    def test_a_zombie_that_begins_anew_commits_nothing(self) -> None:
        """It may begin and produce; the commit fails."""
        start = self.settle()
        name = uuid.uuid4().hex
        older = self.new(name)
        self.new(name)
        with pytest.raises(KafkaException):  # noqa: PT012  (which of the calls is told first is the client's business)
            older.begin_transaction()
            self.put(older, b"lost")
            older.commit_transaction(10)
        assert self.read(start) == []

    def test_a_producer_goes_on_after_commit_and_abort(self) -> None:
        """One transaction after another, each decided for itself."""
        start = self.settle()
        producer = self.new(uuid.uuid4().hex)
        for value, end in ((b"a", producer.commit_transaction), (b"b", producer.abort_transaction)):
            producer.begin_transaction()
            self.put(producer, value)
            end(10)
        producer.begin_transaction()
        self.put(producer, b"c")
        producer.commit_transaction(10)
        self.expect(start, b"a", b"c")

    def test_outside_of_a_transaction_nothing_is_produced(self) -> None:
        """A transactional producer that has not begun is told so by the state error that the writer looks for."""
        producer = self.new(uuid.uuid4().hex)
        with pytest.raises(KafkaException) as caught:
            producer.produce(COMMANDS.name, b"a", b"key", self.partition)
        assert caught.value.args[0].code() == KafkaError._STATE

    def test_keys_values_and_headers_come_back(self) -> None:
        """As they were, null as empty; and there is nothing beyond the end."""
        start = self.settle()
        producer = self.new()
        producer.produce(COMMANDS.name, b"v", b"k", self.partition, headers=[("h", b"1"), ("h", b"2")])
        producer.produce(COMMANDS.name, None, None, self.partition)
        producer.flush(10)
        first, second = self.read(start)
        assert (first.key, first.value, first.headers) == (b"k", b"v", [("h", b"1"), ("h", b"2")])
        assert (second.key, second.value, second.headers) == (b"", b"", [])
        assert self.uncommitted()[-1][1:] == (None, None)
        assert self.read(start + 2) == []
