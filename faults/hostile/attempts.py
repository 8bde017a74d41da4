"""What a client can try on a broker, each answered with None or with Kafka's name for the refusal.

A client that is not let in hears so from librdkafka, which calls back and tries again: `_AUTHENTICATION` for
credentials that the broker does not take, `_ALL_BROKERS_DOWN` where it hangs up on a client that shows none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
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
NOT_LET_IN = "_AUTHENTICATION"
HUNG_UP = "_ALL_BROKERS_DOWN"
TIMED_OUT = "_TIMED_OUT"
_SHUT = (KafkaError._AUTHENTICATION, KafkaError._ALL_BROKERS_DOWN)
_LOOK_S = 0.05
_TRY_S = 0.3

Asked = Future[Any] | Mapping[Any, Future[Any]]


class Door:
    """An error callback of librdkafka that remembers the first reason why its client is not let in."""

    def __init__(self) -> None:
        self.shut: str | None = None

    def __call__(self, error: KafkaError) -> None:
        if self.shut is None and error.code() in _SHUT:
            self.shut = error.name()


def knock(bootstrap: str, access: Access) -> str | None:
    """Connect, and ask for nothing."""
    door = Door()
    producer = Producer(_settings(bootstrap, access, door))
    give_up_at = time.monotonic() + PATIENCE_S
    while door.shut is None and time.monotonic() < give_up_at:
        try:
            producer.list_topics(timeout=_TRY_S)
        except KafkaException:
            producer.poll(0)
        else:
            return None
    return door.shut or TIMED_OUT


def write(bootstrap: str, access: Access, topic: str, **more: Any) -> str | None:
    """Produce one record."""
    door = Door()
    return write_with(Producer(_settings(bootstrap, access, door) | more), topic, door)


def write_with(producer: Producer, topic: str, door: Door, partition: int = 0) -> str | None:
    """Produce one record with a client that may be connected already."""
    told: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        told.append(error)

    try:
        producer.produce(topic, b"value", partition=partition, on_delivery=delivered)
    except KafkaException as error:
        # A client that knows the topic may have been told in the meantime that it has no right to it.
        refused: KafkaError = error.args[0]
        return refused.name()
    shut = _wait(producer.poll, door, lambda: bool(told))
    if shut is not None:
        producer.purge()
        return shut
    return None if told[0] is None else told[0].name()


def read(bootstrap: str, access: Access, topic: str, group: str) -> str | None:
    """Fetch the first record of a topic."""
    door = Door()
    consumer = _consumer(bootstrap, access, group, door)
    try:
        # librdkafka fetches nothing, and says nothing, where it is not told who leads a partition.
        problem = _described(consumer, topic, door)
        if problem is not None:
            return problem
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        return answer(consumer, topic, door)
    finally:
        consumer.close()


def join(bootstrap: str, access: Access, topic: str, group: str, **more: Any) -> str | None:
    """Become a member of a group that reads a topic."""
    door = Door()
    consumer = _consumer(bootstrap, access, group, door, **more)
    try:
        consumer.subscribe([topic])
        return answer(consumer, topic, door)
    finally:
        consumer.close()


def commit(bootstrap: str, access: Access, topic: str, group: str) -> str | None:
    """Commit an offset for a group."""
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
    return ask(bootstrap, access, lambda admin: admin.alter_consumer_group_offsets([wanted]))


def transact(bootstrap: str, access: Access, transactional_id: str) -> str | None:
    """Take over a transactional id, as a referee does at its start, which fences the one before."""
    door = Door()
    settings = _settings(bootstrap, access, door) | {"transactional.id": transactional_id}
    producer = Producer(settings | {"logger": _Silent()})
    give_up_at = time.monotonic() + PATIENCE_S
    while door.shut is None:
        try:
            producer.poll(0)  # which raises what was refused between two calls
            producer.init_transactions(_TRY_S)
        except KafkaException as error:
            # A call that has run out of its time goes on with the next one.
            if not error.args[0].retriable() or time.monotonic() > give_up_at:
                return str(error.args[0].name())
        else:
            return None
    return door.shut


def ask(bootstrap: str, access: Access, step: Callable[[AdminClient], Asked]) -> str | None:
    """Ask for one step of administration."""
    door = Door()
    admin = AdminClient(_settings(bootstrap, access, door))
    asked = step(admin)
    (future,) = asked.values() if isinstance(asked, Mapping) else (asked,)
    shut = _wait(admin.poll, door, future.done)
    if shut is not None:
        return shut
    try:
        found = future.result()
    except KafkaException as error:
        return str(error.args[0].name())
    problems = [place.error for place in getattr(found, "topic_partitions", ()) if place.error is not None]
    return str(problems[0].name()) if problems else None


def answer(consumer: Consumer, topic: str, door: Door) -> str | None:
    """Wait for a record of a topic, or for the reason why none comes."""
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at and door.shut is None:
        message = consumer.poll(_LOOK_S)
        if message is None:
            continue
        error = message.error()
        if error is None:
            assert message.topic() == topic
            return None
        if error.code() not in _SHUT:
            return str(error.name())
        door(error)
    return door.shut or TIMED_OUT


class _Silent:
    """librdkafka writes fatal errors to stderr whatever its level."""

    def log(self, level: int, message: str, *arguments: object) -> None: ...


def _settings(bootstrap: str, access: Access, door: Door) -> dict[str, Any]:
    return client_settings(bootstrap, access) | {"log_level": 0, "error_cb": door}


def _consumer(bootstrap: str, access: Access, group: str, door: Door, **more: Any) -> Consumer:
    settings = {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest", **more}
    return Consumer(_settings(bootstrap, access, door) | settings)


def _described(consumer: Consumer, topic: str, door: Door) -> str | None:
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            error = consumer.list_topics(topic, _TRY_S).topics[topic].error
            return None if error is None else str(error.name())
        except KafkaException as exception:
            # Without an assignment there is nothing to poll for but the callback.
            consumer.poll(0)
            if door.shut is not None or time.monotonic() > give_up_at:
                return door.shut or str(exception.args[0].name())


def _wait(poll: Callable[[float], object], door: Door, answered: Callable[[], bool]) -> str | None:
    """Wait for an answer; why there will be none, else None."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not answered():
        if door.shut is not None:
            return door.shut
        if time.monotonic() > give_up_at:
            return TIMED_OUT
        poll(_LOOK_S)
    return None
