"""Reads a topic as it is stored: read_uncommitted, so also what a transaction left behind that did not commit."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from contractnet.envelope import readable_headers
from contractnet.topics import COMMANDS
from contractnet.watermarks import watermarks
from streams.reading import new_consumer


@dataclass(frozen=True, slots=True)
class Stored:
    """A record, with the names that aiokafka gives its parts."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def stored(bootstrap: str, partition: int, topic: str = COMMANDS.name) -> list[Stored]:
    """All records of a partition; the referee reads `commands` like this."""
    consumer = new_consumer(bootstrap, **{"isolation.level": "read_uncommitted", "log_level": 2})
    found = []
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        while True:
            for message in consumer.consume(5000, 1.0):
                error, offset = message.error(), message.offset()
                if error is None and offset is not None:
                    headers = readable_headers(message.headers)
                    found.append(Stored(offset, message.timestamp()[1], message.key(), message.value(), headers))
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                    return found
                elif error is None or error.code() not in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}:
                    raise KafkaException(error)
    finally:
        consumer.close()


def newest_stamp_ms(bootstrap: str, partition: int) -> int | None:
    """The broker's stamp on the last command of a partition; None where there is none, or none to be had just now."""
    consumer = new_consumer(bootstrap, **{"isolation.level": "read_uncommitted", "log_level": 0})
    try:
        place = TopicPartition(COMMANDS.name, partition)
        _, end = watermarks(consumer, place)
        if not end:
            return None
        place.offset = end - 1
        consumer.assign([place])
        message = consumer.poll(1.0)
        return None if message is None or message.error() is not None else message.timestamp()[1]
    finally:
        consumer.close()
