"""What every broker has to do, whoever runs it. Test modules inherit `BrokerContract` and say which broker."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from types import TracebackType
from typing import Self

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from broker.interface import Broker

TIMEOUT_S = 20.0


def create_topic(bootstrap: str, partitions: int = 1) -> str:
    """A new topic with a name of its own."""
    name = f"contract-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for created in admin.create_topics([NewTopic(name, partitions)]).values():
        created.result(TIMEOUT_S)
    return name


class Writer:
    """Writes numbers with an idempotent producer, in a thread, from entry to exit; then all it sent is acknowledged."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1, "log_level": 0}
        )
        self._topic = topic
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[bytes] = []

    def _run(self) -> None:
        numbers = itertools.count()
        while not self._done.wait(0.005):
            # While the broker is away, the producer's queue (100,000 records) is not filled to its end.
            room = 100 if len(self._producer) < 50_000 else 0
            for number in itertools.islice(numbers, room):
                self._producer.produce(self._topic, str(number).encode(), on_delivery=self._delivered)
            self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, record: Message) -> None:
        assert error is None, error
        self.acknowledged.append(record.value() or b"")

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.acknowledged) < count:
            assert time.monotonic() < deadline, f"{len(self.acknowledged)} of {count} records acknowledged"
            time.sleep(0.01)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        assert self._producer.flush(TIMEOUT_S) == 0, "records were left without an answer"


def produce(bootstrap: str, topic: str, values: list[bytes], codec: str = "none") -> None:
    """Send, and return when all is acknowledged."""
    failures: list[KafkaError] = []
    producer = Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 1, "compression.type": codec, "log_level": 0}
    )
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error) if error else None)
    assert producer.flush(TIMEOUT_S) == 0
    assert failures == []


def read_all(bootstrap: str, topic: str, isolation: str = "read_committed") -> list[bytes]:
    """Every record of a one-partition topic, from its first to its end as the isolation level sees it."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": uuid.uuid4().hex,
            "isolation.level": isolation,
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes] = []
    while (record := consumer.poll(TIMEOUT_S)) is not None and record.error() is None:
        values.append(record.value() or b"")
    assert record is not None, "the end of the partition was not reached in time"
    consumer.close()
    return values


def read_as_member(bootstrap: str, topic: str, group: str) -> bytes | None:
    """The next record for a member of the group, which is committed; the member then leaves."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    record = consumer.poll(TIMEOUT_S)
    assert record is not None, "the group delivered nothing in time"
    assert record.error() is None
    consumer.commit(message=record, asynchronous=False)
    consumer.close()
    return record.value()


class BrokerContract:
    """Inherit, and define a module fixture `subject` that yields a started broker."""

    def test_records_are_read_as_they_were_written(self, subject: Broker) -> None:
        """What is acknowledged is read back, complete and in order, as soon as `start` has returned."""
        topic = create_topic(subject.bootstrap)
        values = [str(number).encode() for number in range(500)]
        produce(subject.bootstrap, topic, values)
        assert read_all(subject.bootstrap, topic) == values

    @pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
    def test_every_compression_is_understood(self, subject: Broker, codec: str) -> None:
        """The broker takes batches of every codec of Kafka's: it unpacks them to validate them."""
        topic = create_topic(subject.bootstrap)
        values = [codec.encode() * 100] * 50
        produce(subject.bootstrap, topic, values, codec)
        assert read_all(subject.bootstrap, topic) == values

    def test_a_group_goes_on_where_it_was(self, subject: Broker) -> None:
        """A consumer group's committed position is kept, and its next member is given only what follows."""
        topic = create_topic(subject.bootstrap)
        produce(subject.bootstrap, topic, [b"first"])
        assert read_as_member(subject.bootstrap, topic, group=topic) == b"first"
        produce(subject.bootstrap, topic, [b"second"])
        assert read_as_member(subject.bootstrap, topic, group=topic) == b"second"

    def test_transactions_commit_and_abort(self, subject: Broker) -> None:
        """A reader at read_committed sees a committed transaction and nothing of an aborted one."""
        topic = create_topic(subject.bootstrap)
        producer = Producer({"bootstrap.servers": subject.bootstrap, "transactional.id": topic, "log_level": 0})
        producer.init_transactions(TIMEOUT_S)
        for value, commit in ((b"first", True), (b"never", False), (b"second", True)):
            producer.begin_transaction()
            producer.produce(topic, value)
            producer.flush(TIMEOUT_S)
            if commit:
                producer.commit_transaction(TIMEOUT_S)
            else:
                producer.abort_transaction(TIMEOUT_S)
        assert read_all(subject.bootstrap, topic) == [b"first", b"second"]
        assert read_all(subject.bootstrap, topic, "read_uncommitted") == [b"first", b"never", b"second"]

    def test_a_newer_transactional_producer_fences_the_older(self, subject: Broker) -> None:
        """After a second producer took over a transactional id, the first can't commit any more."""
        topic = create_topic(subject.bootstrap)
        configuration = {"bootstrap.servers": subject.bootstrap, "transactional.id": topic, "log_level": 0}
        older, newer = Producer(dict(configuration)), Producer(dict(configuration))
        older.init_transactions(TIMEOUT_S)
        older.begin_transaction()
        older.produce(topic, b"zombie")
        older.flush(TIMEOUT_S)
        newer.init_transactions(TIMEOUT_S)
        with pytest.raises(KafkaException):
            older.commit_transaction(TIMEOUT_S)
        assert read_all(subject.bootstrap, topic) == []

    def test_a_topic_is_not_created_by_writing_to_it(self, subject: Broker) -> None:
        """Writing to a topic that nobody created fails instead of creating it."""
        topic = f"typo-{uuid.uuid4().hex[:12]}"
        failures: list[object] = []
        producer = Producer({"bootstrap.servers": subject.bootstrap, "message.timeout.ms": 1000, "log_level": 0})
        producer.produce(topic, b"lost", on_delivery=lambda error, _: failures.append(error))
        producer.flush(TIMEOUT_S)
        admin = AdminClient({"bootstrap.servers": subject.bootstrap, "log_level": 0})
        assert failures[0] is not None
        assert topic not in admin.list_topics(timeout=TIMEOUT_S).topics

    def test_the_address_names_hosts_and_ports(self, subject: Broker) -> None:
        """`bootstrap` is what clients take: a list of hosts, each followed by a port."""
        assert all(address.rpartition(":")[2].isdigit() for address in subject.bootstrap.split(","))


class OwnedBrokerContract(BrokerContract):
    """What is asked in addition of a broker that contractnet runs itself."""

    def test_a_restart_keeps_data_and_address(self, subject: Broker) -> None:
        """After a restart the same address serves the same records."""
        topic, address = create_topic(subject.bootstrap), subject.bootstrap
        produce(address, topic, [b"before"])
        subject.restart()
        assert subject.bootstrap == address
        assert read_all(address, topic) == [b"before"]

    def test_a_kill_loses_nothing_acknowledged(self, subject: Broker) -> None:
        """Killed amid the work of an idempotent producer and started again, it has every acknowledged record once."""
        topic, address = create_topic(subject.bootstrap), subject.bootstrap
        with Writer(address, topic) as writer:
            writer.wait_for(1000)
            subject.kill()
            at_kill = len(writer.acknowledged)
            subject.start()
            writer.wait_for(at_kill + 1000)
        assert subject.bootstrap == address
        assert read_all(address, topic) == writer.acknowledged

    def test_stopping_twice_is_no_error(self, subject: Broker) -> None:
        """`stop` on a stopped broker does nothing, and it can be started again."""
        subject.stop()
        subject.stop()
        subject.start()
        create_topic(subject.bootstrap)
