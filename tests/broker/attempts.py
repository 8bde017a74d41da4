"""What a client can try on a broker, each answered with None or with Kafka's name for the refusal."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from contractnet.access import Access, client_settings

PATIENCE_S = 10.0


def write(bootstrap: str, access: Access, topic: str, **more: Any) -> str | None:
    """Produce one record."""
    told: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        told.append(error)

    producer = Producer(client_settings(bootstrap, access) | {"log_level": 0} | more)
    producer.produce(topic, b"value", partition=0, on_delivery=delivered)
    producer.flush(PATIENCE_S)
    assert told, "the broker said nothing"
    return None if told[0] is None else told[0].name()


def read(bootstrap: str, access: Access, topic: str, group: str) -> str | None:
    """Fetch the first record of a topic."""
    consumer = _consumer(bootstrap, access, group)
    try:
        # librdkafka fetches nothing, and says nothing, where it is not told who leads a partition.
        problem = consumer.list_topics(topic, PATIENCE_S).topics[topic].error
        if problem is not None:
            return str(problem.name())
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        return _answer(consumer, topic)
    finally:
        consumer.close()


def join(bootstrap: str, access: Access, topic: str, group: str) -> str | None:
    """Become a member of a group that reads a topic."""
    consumer = _consumer(bootstrap, access, group)
    try:
        consumer.subscribe([topic])
        return _answer(consumer, topic)
    finally:
        consumer.close()


def commit(bootstrap: str, access: Access, topic: str, group: str) -> str | None:
    """Commit an offset for a group."""
    admin = AdminClient(client_settings(bootstrap, access) | {"log_level": 0})
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
    try:
        committed = admin.alter_consumer_group_offsets([wanted])[group].result(PATIENCE_S)
    except KafkaException as error:
        return str(error.args[0].name())
    problem = committed.topic_partitions[0].error
    return None if problem is None else str(problem.name())


def transact(bootstrap: str, access: Access, transactional_id: str) -> str | None:
    """Take over a transactional id, as a referee does at its start, which fences the one before."""
    settings = client_settings(bootstrap, access) | {"transactional.id": transactional_id, "log_level": 0}
    producer = Producer(settings | {"logger": _Silent()})
    try:
        producer.init_transactions(PATIENCE_S)
    except KafkaException as error:
        return str(error.args[0].name())
    return None


class _Silent:
    """librdkafka writes fatal errors to stderr whatever its level."""

    def log(self, level: int, message: str, *arguments: object) -> None: ...


def _consumer(bootstrap: str, access: Access, group: str) -> Consumer:
    settings = {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 0}
    return Consumer(client_settings(bootstrap, access) | settings)


def _answer(consumer: Consumer, topic: str) -> str | None:
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        message = consumer.poll(0.2)
        if message is None:
            continue
        error = message.error()
        if error is None:
            assert message.topic() == topic
            return None
        return str(error.name())
    return "_TIMED_OUT"
