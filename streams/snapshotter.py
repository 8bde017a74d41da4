"""Folds the ledger beside the referee and writes snapshots, so that a restart need not fold everything.

`python -m streams.snapshotter`. It has no part in any award: killing it, or losing every snapshot, costs start-up
time only.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import dataclass
from types import FrameType

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from contractnet.access import client_settings
from contractnet.errors import ContractnetError
from contractnet.refusals import check_access
from contractnet.stall import StallDetector
from contractnet.topics import LEDGER
from market import Shard
from streams.log import KAFKA, Log
from streams.reading import Record, new_consumer, record_of
from streams.restore import fold_record, restore
from streams.settings import Settings
from streams.snapshots import SnapshotRefusedError, read_snapshots, write_snapshot

logger = logging.getLogger(__name__)

# A worker folds about 60,000 entries a second, one partition after the other: with four of them a restart then folds
# for a fifth of a second at most. With 20,000 it would be up to a second, half of the time from a kill to an award.
ENTRIES_PER_SNAPSHOT = int(os.environ.get("CONTRACTNET_SNAPSHOT_ENTRIES", "4000"))
# A state that is large, or a ledger that grows fast, is written less often: for at most a twentieth of the time.
PAUSES_PER_SNAPSHOT = 20.0
# A market that is quiet gets a snapshot of what came since, so that a long history of small batches stays cheap too.
IDLE_S = 30.0
IDLE_ENTRIES_MIN = 1_000


@dataclass(slots=True)
class Follower:
    """One partition's shard as the snapshotter folds it."""

    shard: Shard
    ledger_offset: int
    number: int
    since: int
    last_at: float
    took_s: float = 0.0
    """How long it took to write the last snapshot, or to fail."""
    refused: bool = False
    """Whether the broker did not take the last one."""

    def is_due(self, now_s: float, entries: int) -> bool:
        """Whether enough has happened since the last snapshot: `entries`, or a little and then silence.

        What the broker did not take is tried again after IDLE_S, with what came since.
        """
        passed_s = now_s - self.last_at
        if self.refused and passed_s <= IDLE_S:
            return False
        if self.since >= entries:
            return passed_s >= PAUSES_PER_SNAPSHOT * self.took_s
        return passed_s > IDLE_S and self.since >= IDLE_ENTRIES_MIN


class Snapshotter:
    """Follows all partitions of the ledger."""

    def __init__(self, settings: Settings, log: Log = KAFKA, entries: int = ENTRIES_PER_SNAPSHOT) -> None:
        self._log = log
        self._entries = entries
        self._settings = settings
        self._followers: dict[int, Follower] = {}
        self._producer = log.producer(
            client_settings(settings.bootstrap) | {"enable.idempotence": True, "message.max.bytes": 1_500_000}
        )
        self._stopping = False
        self._stall = StallDetector(LEDGER.name)

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Have `run` return after the batch at hand."""
        self._stopping = True

    def run(self) -> None:
        """Follow the ledger until `stop`. Raises KafkaException for what librdkafka does not recover from."""
        self.restore()
        consumer = self._consumer()
        try:
            while not self._stopping:
                for message in consumer.consume(5000, 0.5):
                    self._stall.heard(message)
                    self._take(message)
                self.snapshot_due()
                if self._stall.stalled(consumer):
                    logger.warning("nothing came from a partition that has more: going on with a new connection")
                    consumer.close()
                    consumer = self._consumer()
        finally:
            consumer.close()

    def restore(self) -> None:
        """Begin where the newest snapshots, or the ledger, end."""
        s = self._settings
        for partition in range(s.partitions):
            restored = restore(s.bootstrap, partition, s.partitions, s.operator_key, self._log)
            written = read_snapshots(s.bootstrap, partition, self._log)
            number = written[0][0].number + 1 if written else 0
            follower = Follower(
                restored.shard, restored.ledger_next - 1, number, restored.entries, self._log.monotonic()
            )
            self._followers[partition] = follower

    def next_offset(self, partition: int) -> int:
        """The ledger offset to read on from."""
        return self._followers[partition].ledger_offset + 1

    def _consumer(self) -> Consumer:
        consumer = new_consumer(self._settings.bootstrap)
        starts = [TopicPartition(LEDGER.name, p, self.next_offset(p)) for p in self._followers]
        consumer.assign(starts)
        self._stall.assigned(starts)
        logger.info("following the ledger, %d partitions", len(starts))
        return consumer

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF or error.retriable():
                return
            raise KafkaException(error)
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        self.take(partition, record_of(offset, message.key(), message.value(), message.headers()))

    def take(self, partition: int, record: Record) -> None:
        """Fold the next record of a ledger partition."""
        follower = self._followers[partition]
        fold_record(follower.shard, record)
        follower.ledger_offset = record.offset
        follower.since += 1

    def snapshot_due(self) -> None:
        """Write a snapshot of each partition of which enough has happened since its last one."""
        for partition, follower in self._followers.items():
            if follower.is_due(self._log.monotonic(), self._entries):
                self._snapshot(partition, follower)

    def _snapshot(self, partition: int, follower: Follower) -> None:
        started = self._log.monotonic()
        try:
            manifest = write_snapshot(self._producer, follower.shard, follower.number, follower.ledger_offset)
        except SnapshotRefusedError as error:
            logger.warning("partition %d: snapshot %d is not written: %s", partition, follower.number, error)
            manifest = None
        follower.last_at = self._log.monotonic()
        follower.took_s = follower.last_at - started
        follower.refused = manifest is None
        if manifest is None:
            return
        logger.info(
            "partition %d: snapshot %d at ledger offset %d, %d chunks, %.2f s",
            partition,
            manifest.number,
            manifest.ledger_offset,
            manifest.chunks,
            follower.took_s,
        )
        follower.number += 1
        follower.since = 0


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        settings = Settings.from_environment()
        check_access(settings.bootstrap)
        snapshotter = Snapshotter(settings)
        signal.signal(signal.SIGTERM, snapshotter.stop)
        signal.signal(signal.SIGINT, snapshotter.stop)
        snapshotter.run()
    except ContractnetError as error:
        logger.error("%s", error)
        return 1
    logger.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
