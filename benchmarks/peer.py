"""The peer: a hand-written confluent-kafka loop that does the whole job with the same rules.

One transactional producer for all partitions, offsets in the transaction (KIP-447), state restored from the ledger at
every assignment, the same decide, evolve, codec, chain and notices, the same producer knobs, the same garbage
collection. What it lacks: Faust, a writer per partition, signature checks in a second process, a clock, health and
metrics.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from contractnet.chain import chain
from contractnet.codec import encode
from contractnet.envelope import open_record
from contractnet.sealing import values_of
from contractnet.topics import COMMANDS, LEDGER, NOTICES
from market import Shard, told
from streams.garbage import freeze_imports
from streams.restore import CHAIN_HEADER, restore
from streams.settings import Settings

BATCH = int(os.environ.get("PEER_BATCH", "4000"))
WAIT_S = 0.01


class Peer:
    """The loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shards: dict[int, Shard] = {}
        self._stopping = False
        servers = {"bootstrap.servers": settings.bootstrap}
        self._consumer = Consumer(
            servers
            | {"group.id": "peer", "group.instance.id": "peer-0", "enable.auto.commit": False}
            | {"auto.offset.reset": "earliest", "fetch.wait.max.ms": 20, "session.timeout.ms": 10_000}
        )
        self._producer = Producer(
            servers
            | {"transactional.id": "peer", "linger.ms": 0, "batch.num.messages": 10_000}
            | {"queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 1_000_000}
            | {"retry.backoff.ms": 5, "retry.backoff.max.ms": 20}
        )

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """End after this batch."""
        self._stopping = True

    def run(self) -> None:
        """Judge batches until stopped."""
        self._producer.init_transactions(30)
        self._consumer.subscribe([COMMANDS.name], on_assign=self._assigned)
        while not self._stopping:
            messages = [m for m in self._consumer.consume(BATCH, WAIT_S) if m.error() is None]
            if messages:
                self._judge(messages)
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        s = self._settings
        for here in partitions:
            self._shards[here.partition] = restore(s.bootstrap, here.partition, s.partitions, s.operator_key).shard
            here.offset = self._shards[here.partition].next_offset
        consumer.assign(partitions)

    def _judge(self, messages: list[Message]) -> None:
        producer = self._producer
        producer.begin_transaction()
        ends: dict[int, int] = {}
        for m in messages:
            partition, offset = m.partition(), m.offset()
            assert partition is not None
            assert offset is not None
            shard = self._shards[partition]
            headers = [(str(h[0]), h[1] if isinstance(h[1], bytes) else None) for h in m.headers() or []]
            submission = open_record(offset, m.timestamp()[1], m.key(), m.value(), headers)
            entries = shard.apply(submission)
            key = (submission.market or "").encode()
            for entry in entries:
                value, source = encode(entry), entry.source
                shard.head = chain(shard.head, partition, source.offset, source.index, submission.digest, value)
                self._send(LEDGER.name, key, value, partition, source.at_ms, shard.head)
            for value in values_of(told(shard, submission.market, entries)) if entries else ():
                self._send(NOTICES.name, key, value, partition, entries[-1].source.at_ms, None)
            ends[partition] = offset + 1
        offsets = [TopicPartition(COMMANDS.name, p, o) for p, o in ends.items()]
        producer.send_offsets_to_transaction(offsets, self._consumer.consumer_group_metadata(), 10)
        producer.commit_transaction(10)

    def _send(self, topic: str, key: bytes, value: bytes, partition: int, at_ms: int, head: bytes | None) -> None:
        headers: list[tuple[str, str | bytes | None]] = [] if head is None else [(CHAIN_HEADER, head)]
        self._producer.produce(topic, value, key=key, partition=partition, timestamp=at_ms, headers=headers)


if __name__ == "__main__":
    peer = Peer(Settings.from_environment())
    signal.signal(signal.SIGTERM, peer.stop)
    freeze_imports()
    peer.run()
    sys.exit(0)
