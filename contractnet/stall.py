"""Noticing that a Kafka consumer reads no more although there is more to read.

librdkafka can lose a partition for good when its broker goes away again just after it came back: it then waits for an
answer that never comes, reports nothing, and reads on only in a new consumer (github.com/confluentinc/librdkafka issue
4492 describes the same; our own case: two consumers of a market whose broker went away 50 times, docs/faults.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

LOOK_S = 10.0
"""How long a partition may be silent before the broker is asked whether there is more, and again after each answer."""
_ANSWER_S = 5.0

LONG_LIVED = {
    "metadata.max.age.ms": 30_000,
    "topic.metadata.refresh.interval.ms": 10_000,
    "metadata.recovery.strategy": "none",
}
"""Settings of long-lived clients. What a broker that was just starting said about a topic is not believed for long
(librdkafka's own: 15 and 5 minutes). And the brokers are not forgotten when all of them are away: since 2.11 librdkafka
does so by default (KIP-899), several times a second, moves its queues each time, and has open issues about what is lost
on the way (5511, 5600; docs/decisions/0008). Who has to find brokers at new addresses starts anew, as our processes
do."""


class StallDetector:
    """Where each assigned partition of a topic goes on, and since when nothing came from it.

    The consumer needs `enable.partition.eof`: after the last record, only the end tells where the next one would be.
    """

    def __init__(self, topic: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._clock_s = clock_s
        self._next: dict[int, int] = {}
        self._heard_s: dict[int, float] = {}

    def assigned(self, starts: list[TopicPartition]) -> None:
        """The partitions are now read from these offsets on."""
        self._next = {start.partition: start.offset for start in starts}
        self._heard_s = dict.fromkeys(self._next, self._clock_s())

    def heard(self, message: Message) -> None:
        """Something came: a record, or the end of a partition."""
        partition, offset = message.partition(), message.offset()
        if partition is None or offset is None:
            return
        self._heard_s[partition] = self._clock_s()
        if offset >= 0:
            self._next[partition] = offset + (message.error() is None)

    def starts(self) -> list[TopicPartition]:
        """Where to go on in a new consumer."""
        return [TopicPartition(self._topic, partition, offset) for partition, offset in self._next.items()]

    def stalled(self, consumer: Consumer) -> bool:
        """Whether a silent partition has more, or does not even say so: then only a new consumer helps.

        Cheap while records come. Blocks for some seconds at most while the broker is away, which looks the same.
        """
        now_s = self._clock_s()
        for partition, heard_s in self._heard_s.items():
            if now_s - heard_s < LOOK_S:
                continue
            self._heard_s[partition] = now_s
            try:
                _, end = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), _ANSWER_S)
            except KafkaException:
                return True
            if end > self._next[partition]:
                return True
        return False
