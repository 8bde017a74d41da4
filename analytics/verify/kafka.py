"""The topics of a market on Kafka, as verify reads them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from analytics.verify.source import Headers, StoredRecord
from contractnet.access import client_settings
from contractnet.envelope import readable_headers
from contractnet.errors import BrokerUnreachableError
from contractnet.refusals import Refusals, list_topics, topic_metadata
from contractnet.rights import VERIFY_GROUPS
from contractnet.topics import COMMANDS

_CALL_TIMEOUT_S = 30.0
_BATCH = 5_000
# How long a batch is waited for; the end of a partition does not cut it short.
_WAIT_S = 0.05


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """Reads without joining a group and without committing anything. Small enough to be sent to another process."""

    bootstrap: str
    patience_s: float = 10.0
    quiet_s: float = 30.0
    """Below an end that it has told, a broker that gives nothing for so long is away."""

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
        """The records from offset `start` to the present end, which an open transaction is beyond at read_committed.

        Raises KafkaException, and BrokerUnreachableError where the broker falls silent before the end: what was read
        would look like all there is.
        """
        low, end = self.bounds(topic, partition)
        messages = self.messages(topic, partition, max(start, low), end, self.quiet_s)
        reached = max(start, low)
        while True:
            try:
                record = _record(next(messages))
            except StopIteration as ended:
                if not ended.value:
                    raise self._silent(topic, partition, reached, end) from None
                return
            yield record
            reached = record.offset + 1

    def messages(
        self, topic: str, partition: int, start: int, end: int, quiet_s: float
    ) -> Generator[Message, None, bool]:
        """What lies from offset `start` on below `end`. Raises KafkaException.

        Returns whether the end was reached, and not just nothing more given for `quiet_s`.
        """
        if start >= end:
            return True
        consumer = self._consumer(topic)
        try:
            consumer.assign([TopicPartition(topic, partition, start)])
            quiet_since = time.monotonic()
            while time.monotonic() - quiet_since < quiet_s:
                found = consumer.consume(_BATCH, _WAIT_S)
                for message in found:
                    error, offset = message.error(), message.offset() or 0
                    if error is None:
                        if offset < end:
                            yield message
                        if offset >= end - 1:
                            return True  # a partition that never rests does not tell where its end is
                    elif error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    elif offset >= end:
                        return True
                if found:
                    quiet_since = time.monotonic()
            return False
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

    def _silent(self, topic: str, partition: int, reached: int, end: int) -> BrokerUnreachableError:
        return BrokerUnreachableError(
            f"The broker at {self.bootstrap} gave nothing of {topic}[{partition}] for {self.quiet_s:.0f} s at offset "
            f"{reached}, and the topic ends at {end}: of what was not read, nothing can be said. Look whether the "
            f"broker is up and not overloaded (`contractnet status`), and try again."
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
