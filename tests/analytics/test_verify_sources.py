"""One contract for what verify reads from: a copy in memory, Kafka and an export give the same records."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from analytics.verify.export import ExportSource
from analytics.verify.kafka import KafkaSource
from analytics.verify.source import MemorySource, RecordSource, StoredRecord
from broker.interface import Broker
from broker.jvm import JvmBroker
from contractnet.errors import BrokerUnreachableError
from contractnet.exports.container import KeptRecord
from contractnet.exports.manifest import Manifest
from contractnet.exports.reading import Export
from contractnet.topics import COMMANDS, LEDGER
from tests.contractnet.exported import written

pytestmark = pytest.mark.broker

TOPIC = "verify-contract"
RECORDS = [
    StoredRecord(0, 1_000, b"k", b"v", [("a", b"1"), ("a", None), ("b", b"")]),
    StoredRecord(1, 2_000, None, b"", []),
    StoredRecord(2, 1_500, b"", None, []),
]
Make = Callable[[Broker], RecordSource]


def in_memory(_: Broker) -> RecordSource:
    """The records as a list."""
    return MemorySource({TOPIC: [[], RECORDS]})


def on_kafka(broker: Broker) -> RecordSource:
    """The records on a topic of their own, made once."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    if TOPIC not in admin.list_topics(timeout=10).topics:
        admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(10)
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        for r in RECORDS:
            headers: list[tuple[str, str | bytes | None]] = [*r.headers]
            producer.produce(TOPIC, r.value, key=r.key, partition=1, timestamp=r.timestamp, headers=headers)
        assert producer.flush(10) == 0
    return KafkaSource(broker.bootstrap)


def in_an_export(_: Broker) -> RecordSource:
    """The records in files."""
    directory = Path(tempfile.mkdtemp())
    kept = [KeptRecord(r.offset, r.timestamp, "CREATE_TIME", *r[2:]) for r in RECORDS]
    parts = tuple(written(directory, TOPIC, p, found, 40) for p, found in enumerate(([], kept)))
    return ExportSource(Export(directory, Manifest("a test", 1, 0, (), {TOPIC: parts})))


@pytest.fixture(params=[in_memory, on_kafka, in_an_export])
def source(request: pytest.FixtureRequest, broker: Broker) -> Iterator[RecordSource]:
    """Each kind of source, with the same records."""
    make: Make = request.param
    made = make(broker)
    yield made
    if isinstance(made, ExportSource):
        shutil.rmtree(made.export.directory)


def test_records_come_as_stored(source: RecordSource) -> None:
    """Nulls, empty bytes, doubled headers and timestamps are as they were written."""
    assert list(source.read(TOPIC, 1, 0)) == RECORDS


def test_reading_starts_where_asked(source: RecordSource) -> None:
    """An offset to start from; at or beyond the end there is nothing, and an empty partition has nothing."""
    assert list(source.read(TOPIC, 1, 2)) == RECORDS[2:]
    assert list(source.read(TOPIC, 1, 3)) == []
    assert list(source.read(TOPIC, 1, 9)) == []
    assert list(source.read(TOPIC, 0, 0)) == []


def test_bounds(source: RecordSource) -> None:
    """Partitions, and the offsets that they hold."""
    assert source.partitions(TOPIC) == 2
    assert source.bounds(TOPIC, 1) == (0, 3)
    assert source.bounds(TOPIC, 0) == (0, 0)


def test_no_such_topic(broker: Broker) -> None:
    """A broker without a market's topics is no market."""
    with pytest.raises(BrokerUnreachableError, match="no topic"):
        KafkaSource(broker.bootstrap).partitions("verify-missing")


def stalling(broker: JvmBroker) -> KafkaSource:
    """A source whose broker stands still as soon as it has told where a partition ends."""

    class Stalling(KafkaSource):
        def bounds(self, topic: str, partition: int) -> tuple[int, int]:
            found = KafkaSource.bounds(self, topic, partition)
            assert broker.pid is not None
            os.kill(broker.pid, signal.SIGSTOP)
            return found

    return Stalling(broker.bootstrap, quiet_s=1.0)


def test_a_broker_that_falls_silent(tmp_path: Path) -> None:
    """What lies below an end that was told has to come: silence is an error, not the end, uncommitted or committed."""
    with JvmBroker(tmp_path, port=0, notify=print) as broker:
        admin, names = AdminClient({"bootstrap.servers": broker.bootstrap}), (COMMANDS.name, LEDGER.name)
        for made in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
            made.result(30)
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        for name in names:
            producer.produce(name, b"v", partition=0)
        assert producer.flush(10) == 0
        assert broker.pid is not None
        for name in names:
            try:
                with pytest.raises(BrokerUnreachableError, match=rf"{name}\[0\] for 1 s at offset 0, .* ends at 1"):
                    list(stalling(broker).read(name, 0, 0))
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            assert [r.value for r in KafkaSource(broker.bootstrap).read(name, 0, 0)] == [b"v"]


def test_a_transaction_that_is_open(broker: Broker) -> None:
    """It lies beyond the end at read_committed, also behind one that was aborted: reading ends at once."""
    topic = "verify-open-transaction"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)
    for value, end in ((b"kept", producer.commit_transaction), (b"left", producer.abort_transaction), (b"open", None)):
        producer.begin_transaction()
        producer.produce(topic, value)
        assert producer.flush(10) == 0
        if end is not None:
            end(30)
    source, begun = KafkaSource(broker.bootstrap), time.monotonic()
    assert [r.value for r in source.read(topic, 0, 0)] == [b"kept"]
    assert list(source.read(topic, 0, source.bounds(topic, 0)[1])) == []
    assert time.monotonic() - begun < source.quiet_s / 2
    producer.abort_transaction(30)
