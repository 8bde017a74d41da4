"""A ledger topic of a test's own, written as the referee writes it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contractnet.chain import CHAIN_START, chain
from contractnet.codec import encode
from contractnet.messages import Entry
from contractnet.topics import LEDGER
from contractnet.watermarks import watermarks
from streams.reading import new_consumer

_TIMEOUT_S = 30.0
_LEVELS = ("uncommitted", "committed")


class Ledger:
    """A topic with `partitions` partitions and one transactional producer."""

    def __init__(self, bootstrap: str, partitions: int = 2, topic: str = "") -> None:
        self.bootstrap = bootstrap
        self.topic = topic or f"ledger-{uuid.uuid4().hex[:12]}"
        self.partitions = partitions
        self.written = 0
        self._chains = [CHAIN_START] * partitions
        admin = AdminClient({"bootstrap.servers": bootstrap})
        created = admin.create_topics([NewTopic(self.topic, partitions, 1, config=LEDGER.config)])
        created[self.topic].result(_TIMEOUT_S)
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "transactional.id": self.topic, "retry.backoff.ms": 5, "linger.ms": 2}
        )
        self._producer.init_transactions(_TIMEOUT_S)

    def write(self, partition: int, market: str, entries: Sequence[Entry], *, commit: bool = True) -> None:
        """Write entries in one transaction, which is aborted without `commit`."""
        self.write_values(partition, market.encode(), [encode(entry) for entry in entries], entries, commit=commit)

    def write_values(
        self,
        partition: int,
        key: bytes | None,
        values: Sequence[bytes],
        entries: Sequence[Entry] = (),
        *,
        commit: bool = True,
    ) -> None:
        """Write raw values in one transaction; `entries` give the chain their identity."""
        head = self._chains[partition]
        self._producer.begin_transaction()
        for index, value in enumerate(values):
            source = entries[index].source if entries else None
            place = (source.offset, source.index) if source else (self.written, index)
            head = chain(head, partition, *place, bytes(32), value)
            stamp = source.at_ms if source else 0
            self._produce(partition, key, value, head, stamp)
        self._producer.flush(_TIMEOUT_S)
        if commit:
            self._producer.commit_transaction(_TIMEOUT_S)
            self._chains[partition] = head
            self.written += len(values)
        else:
            self._producer.abort_transaction(_TIMEOUT_S)

    def wait_visible(self, partition: int) -> None:
        """Return when the end is visible at read_committed: Kafka acknowledges a commit a moment earlier."""
        give_up_at = time.monotonic() + _TIMEOUT_S
        place = TopicPartition(self.topic, partition)
        ends = [-1, -2]
        readers = [new_consumer(self.bootstrap, **{"isolation.level": f"read_{kind}"}) for kind in _LEVELS]
        try:
            while len(set(ends)) > 1:
                assert time.monotonic() < give_up_at, f"after {_TIMEOUT_S} s the committed end is not visible: {ends}"
                ends = [watermarks(reader, place)[1] for reader in readers]
        finally:
            for reader in readers:
                reader.close()

    def _produce(self, partition: int, key: bytes | None, value: bytes, head: bytes, stamp: int) -> None:
        while True:
            try:
                self._producer.produce(
                    self.topic, value, key, partition, headers=[("chain", head)], timestamp=max(stamp, 1)
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def delete_until(self, partition: int, offset: int) -> None:
        """Delete the records before an offset, as a wrong retention setting would."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        place = TopicPartition(self.topic, partition, offset)
        [deleted] = admin.delete_records([place]).values()
        deleted.result(_TIMEOUT_S)
