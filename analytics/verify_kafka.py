"""The topics of a market on Kafka, as verify reads them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from analytics.verify_source import Headers, StoredRecord
from contractnet.access import client_settings
from contractnet.envelope import readable_headers
from contractnet.errors import BrokerUnreachableError
from contractnet.refusals import Refusals, list_topics, topic_metadata
from contractnet.rights import VERIFY_GROUPS
from contractnet.topics import COMMANDS

_CALL_TIMEOUT_S = 30.0
# A partition whose end is an open transaction gives nothing more until that ends: then this is the end, for now.
_QUIET_S = 5.0
_BATCH = 5_000
# How long a batch is waited for; the end of a partition does not cut it short.
_WAIT_S = 0.05


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """Reads without joining a group and without committing anything. Small enough to be sent to another process."""

    bootstrap: str
    patience_s: float = 10.0

    def partitions(self, topic: str) -> int:
        """Number of partitions. Raises BrokerUnreachableError where there is no broker or no such topic,
        AccessRefusedError where it refuses the credentials, or them the topic."""
        refusals = Refusals()
        consumer = self._consumer(topic, error_cb=refusals)
        try:
            list_topics(consumer, refusals, self.bootstrap, _CALL_TIMEOUT_S)
            found = topic_metadata(consumer, topic, self.bootstrap)
        except KafkaException as error:
            raise self._unreachable(str(error.args[0].str())) from error
        finally:
            consumer.close()
        if found.error is not None or not found.partitions:
            raise self._unreachable(f"there is no topic {topic}")
        return len(found.partitions)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset that is kept, and the offset after the last record. Raises KafkaException."""
        consumer = self._consumer(topic)
        try:
            found = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_CALL_TIMEOUT_S)
        finally:
            consumer.close()
        assert found is not None, "a call with a timeout raises instead"
        return found

    def read(self, topic: str, partition: int, start: int) -> Iterator[StoredRecord]:
        """The records from offset `start` to the present end. Raises KafkaException."""
        low, end = self.bounds(topic, partition)
        if max(start, low) >= end:
            return
        consumer = self._consumer(topic)
        try:
            consumer.assign([TopicPartition(topic, partition, max(start, low))])
            quiet_since = time.monotonic()
            while time.monotonic() - quiet_since < _QUIET_S:
                messages = consumer.consume(_BATCH, _WAIT_S)
                for message in messages:
                    error = message.error()
                    if error is None:
                        record = _record(message)
                        if record.offset < end:
                            yield record
                        if record.offset >= end - 1:
                            return  # a partition that never rests does not tell where its end is
                    elif error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    elif (message.offset() or 0) >= end:
                        return
                if messages:
                    quiet_since = time.monotonic()
        finally:
            consumer.close()

    def _consumer(self, topic: str, **more: object) -> Consumer:
        isolation = "read_uncommitted" if topic == COMMANDS.name else "read_committed"
        return Consumer(
            {
                **client_settings(self.bootstrap),
                "group.id": f"{VERIFY_GROUPS}{uuid.uuid4().hex}",
                "isolation.level": isolation,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 20,
                "check.crcs": True,
                "log_level": 2,
                **more,
            }
        )

    def _unreachable(self, why: str) -> BrokerUnreachableError:
        return BrokerUnreachableError(
            f"Cannot read the market at {self.bootstrap}: {why}. Start it with `contractnet up`, or give the address "
            f"of its broker (--bootstrap)."
        )


def _record(message: Message) -> StoredRecord:
    offset = message.offset()
    assert offset is not None
    headers: Headers = readable_headers(message.headers)
    return StoredRecord(offset, message.timestamp()[1], _bytes(message.key()), _bytes(message.value()), headers)


def _bytes(value: object) -> bytes | None:
    assert value is None or isinstance(value, bytes)
    return value
