"""One contract for what verify reads from: a copy in memory and Kafka give the same records."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from analytics.verify_kafka import KafkaSource
from analytics.verify_source import MemorySource, RecordSource, StoredRecord
from broker.interface import Broker
from contractnet.errors import BrokerUnreachableError

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


@pytest.fixture(params=[in_memory, on_kafka])
def source(request: pytest.FixtureRequest, broker: Broker) -> RecordSource:
    """Each kind of source, with the same records."""
    make: Make = request.param
    return make(broker)


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
