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

from contractnet.topics import SNAPSHOTS
from market import Shard
from market.rules import RULES
from market.snapshot import dump
from streams.log import KAFKA, Log, Sender

CHUNK_BYTES_MAX = 512 * 1024
GENERATIONS = 2
STATE_BYTES_MAX = 2**31
"""A few KB can unpack to anything. What is larger is passed over, and the ledger is folded instead."""


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
    """Write the state of a shard after `ledger_offset`; returns once the broker has it. Raises KafkaException."""
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
    for i, chunk in enumerate(chunks):
        producer.produce(SNAPSHOTS.name, chunk, key=f"{manifest.generation}/{i}", partition=shard.partition)
    # The manifest says that the chunks are there, so they have to be.
    assert producer.flush(30) == 0, "the broker did not take the chunks in 30 s"
    value = json.dumps(asdict(manifest))
    producer.produce(SNAPSHOTS.name, value, key=f"{manifest.generation}/manifest", partition=shard.partition)
    assert producer.flush(30) == 0, "the broker did not take the manifest in 30 s"
    return manifest


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
