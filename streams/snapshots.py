"""Snapshots on their topic: a state in chunks, then a manifest. A cache: never trusted, only checked.

Keys are `<generation>/<chunk>` and `<generation>/manifest` with two generations, 0 and 1, written in turn, so that
compaction keeps two. A reader takes the newest manifest whose chunks give the promised hash; anything else is no
snapshot.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass

from confluent_kafka import KafkaError

from contractnet.topics import SNAPSHOTS
from market import Shard
from market.rules import RULES
from market.snapshot import dump
from streams.log import KAFKA, Log, Sender

CHUNK_BYTES_MAX = 512 * 1024
GENERATIONS = 2
FLUSH_S = 30.0
STATE_BYTES_MAX = 2**31
"""A few KB can unpack to anything. What is larger is passed over, and the ledger is folded instead."""


class SnapshotRefusedError(Exception):
    """The broker did not take all records of a snapshot. The one before it is of the other generation, and stays."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot claims. `ledger_offset` is that of the last entry folded; `chain` the head after it."""

    generation: int
    number: int
    chunks: int
    ledger_offset: int
    chain: str
    rules_version: int
    state_hash: str


def write_snapshot(producer: Sender, shard: Shard, number: int, ledger_offset: int) -> Manifest:
    """Write the state of a shard after `ledger_offset`; returns once the broker has it.

    Raises SnapshotRefusedError where the broker did not take a record: there is no new manifest then. Raises
    KafkaException for what librdkafka does not recover from.
    """
    state = dump(shard)
    packed = zlib.compress(state, level=1)
    chunks = [packed[i : i + CHUNK_BYTES_MAX] for i in range(0, len(packed), CHUNK_BYTES_MAX)]
    manifest = Manifest(
        generation=number % GENERATIONS,
        number=number,
        chunks=len(chunks),
        ledger_offset=ledger_offset,
        chain=shard.head.hex(),
        rules_version=max(RULES),
        state_hash=hashlib.sha256(state).hexdigest(),
    )
    # The manifest says that the chunks are there, so they have to be.
    _deliver(producer, shard.partition, {f"{manifest.generation}/{i}": chunk for i, chunk in enumerate(chunks)})
    value = json.dumps(asdict(manifest)).encode()
    _deliver(producer, shard.partition, {f"{manifest.generation}/manifest": value})
    return manifest


def _deliver(producer: Sender, partition: int, records: dict[str, bytes]) -> None:
    """Have the broker store records. That nothing waits any more is no proof of it: it may have refused them."""
    refused: list[KafkaError] = []

    def note(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            refused.append(error)

    for key, value in records.items():
        producer.produce(SNAPSHOTS.name, value, key=key, partition=partition, on_delivery=note)
    waiting = producer.flush(FLUSH_S)
    if refused or waiting:
        # What still waits may be stored later, but before the next attempt's, which are newer then.
        why = refused[0].str() if refused else f"no answer in {FLUSH_S:.0f} s"
        raise SnapshotRefusedError(f"the broker did not take all of {', '.join(records)}: {why}")


def read_snapshots(bootstrap: str, partition: int, log: Log = KAFKA) -> list[tuple[Manifest, bytes]]:
    """The sound snapshots of a partition with their canonical states, newest first."""
    records: dict[str, bytes] = {}
    for record in log.read(bootstrap, SNAPSHOTS.name, partition, 0):
        records[record.key.decode(errors="replace")] = record.value
    manifests = [_read_manifest(v) for k, v in records.items() if k.endswith("/manifest")]
    found = []
    for manifest in sorted((m for m in manifests if m is not None), key=lambda m: -m.number):
        state = _assemble(manifest, records)
        if state is not None and manifest.rules_version == max(RULES):
            found.append((manifest, state))
    return found


def _read_manifest(value: bytes) -> Manifest | None:
    """A manifest, or None for bytes that are none: a damaged cache must cost time, never a worker its life."""
    try:
        m = Manifest(**json.loads(value))
    except (ValueError, TypeError, RecursionError):
        return None
    numbers = (m.generation, m.number, m.chunks, m.ledger_offset, m.rules_version)
    return m if all(isinstance(n, int) for n in numbers) else None


def _assemble(manifest: Manifest, records: dict[str, bytes]) -> bytes | None:
    if not 0 < manifest.chunks < len(records):
        return None
    chunks = [records.get(f"{manifest.generation}/{i}") for i in range(manifest.chunks)]
    unpacker = zlib.decompressobj()
    try:
        state = unpacker.decompress(b"".join(c or b"" for c in chunks), STATE_BYTES_MAX)
    except zlib.error:
        return None
    if not unpacker.eof:
        return None
    return state if hashlib.sha256(state).hexdigest() == manifest.state_hash else None
