"""A referee for tests of the client: the market's own rules on a real broker, in a thread, without Faust.

It writes notices as the real one does (one transaction per batch), and keeps its state in memory only.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contractnet import codec, topics
from contractnet.envelope import is_proven, open_record, seal_tick
from contractnet.messages import Entry
from market.notices import notices_of
from market.shard import Shard

TICK_S = 0.05


def create_topics(bootstrap: str, partitions: int = topics.PARTITIONS_DEFAULT) -> None:
    """The market's topics, as the table has them."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    new = [NewTopic(t.name, partitions, 1, config=t.config) for t in topics.TOPICS]
    for created in admin.create_topics(new).values():
        created.result(20)


class Referee:
    """Judges all partitions of the commands topic from the beginning, for an operator's public key."""

    def __init__(self, bootstrap: str, operator_key: bytes, partitions: int = topics.PARTITIONS_DEFAULT) -> None:
        self._shards = [Shard(p, partitions, operator_key, is_proven) for p in range(partitions)]
        common = {"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 500}
        self._consumer = Consumer(
            common | {"group.id": "test-referee", "enable.auto.commit": False, "fetch.wait.max.ms": 20}
        )
        self._writer = Producer(common | {"transactional.id": "test-referee", "retry.backoff.ms": 5})
        self._clock = Producer(common | {"enable.idempotence": True})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="test-referee")

    def __enter__(self) -> Self:
        self._writer.init_transactions(30)
        self._consumer.assign([TopicPartition(topics.COMMANDS.name, s.partition, 0) for s in self._shards])
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            first = self._consumer.poll(TICK_S)
            records = [] if first is None else [first, *self._consumer.consume(500, 0)]
            judged = [(m, self._judge(m)) for m in records if m.error() is None]
            if judged:
                self._write(judged)
            self._tick()
        self._consumer.close()

    def _judge(self, message: Message) -> list[Entry]:
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        key = message.key()
        headers = message.headers() or []
        assert key is None or isinstance(key, bytes)
        submission = open_record(offset, message.timestamp()[1], key, message.value(), headers)  # type: ignore[arg-type]  # the stubs are loose
        return self._shards[partition].apply(submission)

    def _write(self, judged: list[tuple[Message, list[Entry]]]) -> None:
        self._writer.begin_transaction()
        for message, entries in judged:
            for notice in notices_of(entries):
                self._writer.produce(
                    topics.NOTICES.name,
                    value=codec.encode(notice),
                    key=message.key(),
                    partition=message.partition() or 0,
                    timestamp=entries[-1].source.at_ms,
                )
        while True:
            try:
                self._writer.commit_transaction(10)
                return
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise

    def _tick(self) -> None:
        for shard in self._shards:
            for market, state in shard.markets.items():
                if state.due_at_ms is not None:
                    value = seal_tick(market).value
                    self._clock.produce(topics.COMMANDS.name, value=value, key=market, partition=shard.partition)
        self._clock.poll(0)
