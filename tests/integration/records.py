"""Reads the commands topic as it is stored: uncommitted, as the referee does."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from contractnet.topics import COMMANDS
from streams.reading import new_consumer


@dataclass(frozen=True)
class Stored:
    """A record of the commands topic, with the names that aiokafka gives its parts."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def stored(bootstrap: str, partition: int) -> list[Stored]:
    """All records of a commands partition."""
    consumer = new_consumer(bootstrap, **{"isolation.level": "read_uncommitted"})
    found = []
    try:
        consumer.assign([TopicPartition(COMMANDS.name, partition, 0)])
        while True:
            for message in consumer.consume(5000, 1.0):
                error, offset = message.error(), message.offset()
                if error is None and offset is not None:
                    listed = [(str(h[0]), h[1]) for h in message.headers() or []]
                    headers = [(name, value if isinstance(value, bytes) else None) for name, value in listed]
                    found.append(Stored(offset, message.timestamp()[1], message.key(), message.value(), headers))
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                    return found
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
