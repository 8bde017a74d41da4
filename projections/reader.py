"""Reading the ledger topic from stored positions, committed transactions only, without a consumer group."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from contractnet.access import client_settings
from contractnet.errors import BrokerUnreachableError, LedgerChangedError
from contractnet.refusals import is_refusal, refused
from contractnet.rights import PROJECTOR_GROUP
from contractnet.stall import LONG_LIVED, StallDetector
from projections.decode import LedgerRecord
from projections.settings import ProjectionSettings
from projections.store import Position

log = logging.getLogger(__name__)

_METADATA_TIMEOUT_S = 5.0
_RETRY_PAUSE_S = 0.5
# librdkafka reconnects by itself after these; they reach the application for information only.
_PASSING = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
}
_OUT_OF_RANGE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}


class LedgerReader:
    """All partitions of the ledger, each from its position on."""

    def __init__(self, settings: ProjectionSettings, positions: Mapping[int, Position]) -> None:
        """Connect, and check that the ledger reaches as far as `positions`.

        Raises BrokerUnreachableError when broker or topic do not appear in time, LedgerChangedError for another ledger.
        """
        self._settings = settings
        self._unverified = dict(positions)
        self._ends: dict[int, int] = {}
        self._away = False
        self._refusal: KafkaError | None = None
        self._stall = StallDetector(settings.topic)
        self._consumer = self._new_consumer()
        self.partitions = self._find_partitions()
        for partition in self.partitions:
            self._check_reach(partition)
        self.ends = dict(self._ends)
        """By partition: the end of what was committed when the reader was made."""
        # From the last record applied, not the next: its chain tells whether this is still the same ledger.
        self._assign([TopicPartition(settings.topic, p, self._start(p)) for p in self.partitions])

    def _new_consumer(self) -> Consumer:
        return Consumer(
            {
                **client_settings(self._settings.bootstrap),
                "group.id": PROJECTOR_GROUP,  # required by the client; no group is joined, nothing is committed
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                # By default a reader that has 100,000 messages ahead looks a second later whether there is room again.
                "fetch.queue.backoff.ms": 20,
                # A broker that is away is told once by `_on_broker_error`, not in 20 lines a second.
                "reconnect.backoff.ms": 200,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 2,
                "error_cb": self._on_broker_error,
                **LONG_LIVED,
            }
        )

    def _assign(self, starts: list[TopicPartition]) -> None:
        self._consumer.assign(starts)
        self._stall.assigned(starts)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    @property
    def at_end(self) -> bool:
        """Whether `poll` has returned everything that was committed when the reader was made."""
        return not self._ends

    def poll(self) -> list[LedgerRecord]:
        """The next records: a batch, or fewer when no more came within the publish interval. Raises
        LedgerChangedError."""
        records: list[LedgerRecord] = []
        messages = self._consumer.consume(self._settings.batch_events_max, self._settings.publish_interval_s)
        for message in messages:
            self._stall.heard(message)
            if message.error() is not None:
                self._on_error(message)
                continue
            self._away = False
            record = _record(message)
            if record.offset >= self._ends.get(record.partition, 0) - 1:
                self._ends.pop(record.partition, None)  # a partition that never rests does not tell where its end is
            if record.partition in self._unverified:
                self._verify(record)
            else:
                records.append(record)
        if self._stall.stalled(self._consumer):
            log.warning("nothing came from a partition that has more: reading goes on with a new connection")
            self._consumer.close()
            self._consumer = self._new_consumer()
            self._assign(self._stall.starts())
        return records

    def _start(self, partition: int) -> int:
        position = self._unverified.get(partition)
        return 0 if position is None else position.last_offset

    def _find_partitions(self) -> list[int]:
        deadline_s = time.monotonic() + self._settings.connect_timeout_s
        timeout_s = min(_METADATA_TIMEOUT_S, self._settings.connect_timeout_s)
        while True:
            problem = "the broker does not answer"
            try:
                metadata = self._consumer.list_topics(self._settings.topic, timeout_s)
                topic = metadata.topics[self._settings.topic]
                if topic.error is None and topic.partitions:
                    return sorted(topic.partitions)
                if topic.error is not None and is_refusal(topic.error):
                    raise refused(self._settings.bootstrap, topic.error)
                problem = f"there is no topic {self._settings.topic}"
            except KafkaException as error:
                if error.args[0].code() not in _PASSING:
                    raise
                self._consumer.poll(0)
                if self._refusal is not None:
                    raise refused(self._settings.bootstrap, self._refusal) from None
            if time.monotonic() > deadline_s:
                raise BrokerUnreachableError(
                    f"Cannot read the ledger at {self._settings.bootstrap}: {problem}. Start the market with "
                    f"`contractnet up`, or give the address of its broker (--bootstrap)."
                )
            time.sleep(_RETRY_PAUSE_S)

    def _check_reach(self, partition: int) -> None:
        position = self._unverified.get(partition)
        place = TopicPartition(self._settings.topic, partition)
        watermarks = self._consumer.get_watermark_offsets(place, self._settings.connect_timeout_s)
        if watermarks is None:
            raise BrokerUnreachableError(f"The broker at {self._settings.bootstrap} does not tell how long {place} is.")
        low, high = watermarks
        self._ends[partition] = high
        if low > self._start(partition):
            raise self._changed(partition, f"begins at offset {low}: records were deleted that are still needed")
        if position is not None and high < position.next_offset:
            raise self._changed(partition, f"ends at offset {high}, but {position.next_offset} was reached before")

    def _verify(self, record: LedgerRecord) -> None:
        position = self._unverified.pop(record.partition)
        if (record.offset, record.chain) != (position.last_offset, position.chain):
            raise self._changed(record.partition, f"holds another record at offset {position.last_offset} than before")

    def _on_error(self, message: Message) -> None:
        error, partition = message.error(), message.partition()
        assert error is not None
        if error.code() == KafkaError._PARTITION_EOF:
            assert partition is not None
            self._ends.pop(partition, None)
        elif error.code() in _OUT_OF_RANGE:
            raise self._changed(partition, f"has no record where reading was to go on ({error.str()})")
        elif error.code() in _PASSING:
            self._on_broker_error(error)
        else:
            raise KafkaException(error)

    def _on_broker_error(self, error: KafkaError) -> None:
        if is_refusal(error):
            self._refusal = error
        if not self._away:
            self._away = True
            log.warning("the broker does not answer, reading goes on when it does: %s", error.str())

    def _changed(self, partition: int | None, how: str) -> LedgerChangedError:
        return LedgerChangedError(
            f"Partition {partition} of topic {self._settings.topic} at {self._settings.bootstrap} {how}. This is not "
            f"the ledger that {self._settings.data_dir} was built from. Give the right broker (--bootstrap) or data "
            f"directory (--data), or build the tables anew: `python -m projections.rebuild`."
        )


def _record(message: Message) -> LedgerRecord:
    partition, offset, key, value = message.partition(), message.offset(), message.key(), message.value()
    assert partition is not None
    assert offset is not None
    assert not isinstance(key, str)
    assert not isinstance(value, str)
    return LedgerRecord(partition, offset, key, value, _chain(message))


def _chain(message: Message) -> bytes | None:
    headers = message.headers() or []
    assert isinstance(headers, list), "a consumed message has its headers in order"
    for name, value in headers:
        if name == "chain" and isinstance(value, bytes):
            return value
    return None
