"""Where a partition begins and ends, also one that was created or has lost its leader a moment ago."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

_ANSWER_S = 5.0
TIMEOUT_S = 60.0
_PASSING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
    }
)


def watermarks(consumer: Consumer, place: TopicPartition, timeout_s: float = TIMEOUT_S) -> tuple[int, int]:
    """First offset and end of a partition, as the consumer's isolation level shows them.

    A partition that was created or has lost its leader a moment ago, and a broker that is away, are asked again; raises
    KafkaException after `timeout_s`.
    """
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            # Not for the whole time: what a call has found out about a topic, it believes to its end.
            return consumer.get_watermark_offsets(place, timeout=min(_ANSWER_S, timeout_s))
        except KafkaException as exception:
            if exception.args[0].code() not in _PASSING or time.monotonic() > give_up_at:
                raise
            time.sleep(0.1)
