"""The state of a partition from its ledger: newest sound snapshot, then the rest of the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from contractnet.chain import CHAIN_START
from contractnet.codec import decode_entry
from contractnet.envelope import is_proven
from contractnet.topics import LEDGER
from market import Shard
from market.snapshot import load
from streams.log import KAFKA, Log
from streams.reading import Record
from streams.snapshots import read_snapshots

logger = logging.getLogger(__name__)
CHAIN_HEADER = "chain"
UNLOADABLE = (AssertionError, KeyError, TypeError, ValueError, IndexError, RecursionError)
"""What `load` raises for bytes that are no state of this partition; a hash says only that they are what was written."""


@dataclass(slots=True)
class Restored:
    """A shard with all of its ledger folded. `ledger_next` is the ledger offset to read on from."""

    shard: Shard
    ledger_next: int
    snapshot: int | None
    entries: int


def empty_shard(partition: int, partitions: int, operator_key: bytes) -> Shard:
    """A shard before its first record."""
    return Shard(partition, partitions, operator_key, is_proven, head=CHAIN_START)


def fold_record(shard: Shard, record: Record) -> None:
    """Fold one record of the ledger. Raises UnreadableValueError for bytes that no referee wrote."""
    shard.fold(record.key.decode(), decode_entry(record.value))
    shard.head = next(value for name, value in record.headers if name == CHAIN_HEADER)


def restore(bootstrap: str, partition: int, partitions: int, operator_key: bytes, log: Log = KAFKA) -> Restored:
    """Rebuild the shard of a partition. The ledger alone decides; a snapshot that does not fit it, or does
    not load, is passed over with a warning.

    Raises KafkaException or TimeoutError where the broker does not answer.
    """
    started = log.monotonic()
    restored = _from_snapshot(bootstrap, partition, partitions, operator_key, log)
    if restored is None:
        restored = Restored(empty_shard(partition, partitions, operator_key), 0, None, 0)
    for record in log.read(bootstrap, LEDGER.name, partition, restored.ledger_next):
        fold_record(restored.shard, record)
        restored.ledger_next = record.offset + 1
        restored.entries += 1
    logger.info(
        "partition %d: next command %d, %d entries folded after %s, %.2f s",
        partition,
        restored.shard.next_offset,
        restored.entries,
        "no snapshot" if restored.snapshot is None else f"snapshot {restored.snapshot}",
        log.monotonic() - started,
    )
    return restored


def _from_snapshot(bootstrap: str, partition: int, partitions: int, operator_key: bytes, log: Log) -> Restored | None:
    for manifest, state in read_snapshots(bootstrap, partition, log):
        at = next(log.read(bootstrap, LEDGER.name, partition, manifest.ledger_offset), None)
        chain = b"" if at is None else dict(at.headers).get(CHAIN_HEADER, b"")
        if at is None or at.offset != manifest.ledger_offset or chain.hex() != manifest.chain:
            logger.warning("partition %d: snapshot %d is not of this ledger", partition, manifest.number)
            continue
        shard = empty_shard(partition, partitions, operator_key)
        try:
            load(shard, state)
        except UNLOADABLE as error:
            logger.warning("partition %d: snapshot %d does not load: %r", partition, manifest.number, error)
            continue
        if shard.head.hex() != manifest.chain:
            logger.warning("partition %d: snapshot %d holds another chain than it claims", partition, manifest.number)
            continue
        return Restored(shard, manifest.ledger_offset + 1, manifest.number, 0)
    return None
