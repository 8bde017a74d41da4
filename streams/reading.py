"""Reading a partition up to its present end, at read_committed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from contractnet.access import client_settings
from contractnet.rights import READER_GROUPS
from contractnet.stall import LONG_LIVED
from contractnet.watermarks import watermarks

READ_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Record:
    """One record; key and value are empty where Kafka has null."""

    offset: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def new_consumer(bootstrap: str, **more: object) -> Consumer:
    """A read_committed consumer without a group's offsets: its position is ours to keep."""
    return Consumer(
        {
            **client_settings(bootstrap),
            "group.id": f"{READER_GROUPS}{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 20,
            # A client that is closed while it signs in would tell of it as of a failure.
            "log_level": 2,
            **LONG_LIVED,
            **more,
        }
    )


def read_partition(bootstrap: str, topic: str, partition: int, start: int) -> Iterator[Record]:
    """The committed records of a partition from offset `start` to the end as it is now.

    Raises KafkaException for Kafka's errors, among them an offset that the topic does not have, and TimeoutError where
    nothing comes for READ_TIMEOUT_S.
    """
    consumer = new_consumer(bootstrap)
    try:
        here = TopicPartition(topic, partition, start)
        low, end = watermarks(consumer, here)
        here.offset = max(start, low)
        if here.offset >= end:
            return
        consumer.assign([here])
        quiet_since = time.monotonic()
        while True:
            for message in _arrived(consumer):
                quiet_since = time.monotonic()
                error = message.error()
                offset = message.offset()
                assert offset is not None, "a consumed message has an offset"
                if error is None:
                    if offset < end:
                        yield record_of(offset, message.key(), message.value(), message.headers())
                    if offset >= end - 1:
                        return  # a partition that never rests does not tell where its end is
                elif error.code() == KafkaError._PARTITION_EOF:
                    if offset >= end:
                        return
                else:
                    raise KafkaException(error)
            if time.monotonic() - quiet_since > READ_TIMEOUT_S:
                raise TimeoutError(f"{topic}[{partition}] gave nothing for {READ_TIMEOUT_S:.0f} s")
    finally:
        consumer.close()


def _arrived(consumer: Consumer) -> list[Message]:
    """What has come, as soon as something has. `consume` alone waits for all that it is asked for, or its whole time:
    at the end of a partition too, and a restart reads the ends of three for each that it owns."""
    first = consumer.poll(0.2)
    return [] if first is None else [first, *consumer.consume(5000, 0)]


def record_of(offset: int, key: object, value: object, headers: object) -> Record:
    """A record from what confluent-kafka returns, whose type hints leave the types open."""
    listed = headers if isinstance(headers, list) else []
    return Record(offset, _bytes(key), _bytes(value), [(n, _bytes(v)) for n, v in listed])


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b"" if value is None else str(value).encode()
