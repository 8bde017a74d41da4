"""Exports for tests: made of records in memory, and changed by somebody who fixes the manifest up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from contractnet.exports import manifest as manifests
from contractnet.exports.container import FileEntry, KeptRecord, PartitionWriter, read_file
from contractnet.exports.manifest import Manifest, Part
from contractnet.signing import KeyPair
from contractnet.topics import TOPICS

Records = Mapping[str, Sequence[Sequence[KeptRecord]]]


def write_export(
    directory: Path, records: Records, keys: KeyPair | None = None, *, file_bytes_max: int = 4_000, made_at_ms: int = 0
) -> Manifest:
    """An export of these records; topics that are not named have as many empty partitions."""
    directory.mkdir(mode=0o700)
    count = len(next(iter(records.values())))
    topics: dict[str, tuple[Part, ...]] = {}
    for topic in (found.name for found in TOPICS):
        partitions = records.get(topic, [[]] * count)
        topics[topic] = tuple(written(directory, topic, p, kept, file_bytes_max) for p, kept in enumerate(partitions))
    manifest = Manifest("a test", 1, made_at_ms, (), topics)
    manifests.write(manifest, directory, keys)
    return manifest


def written(directory: Path, topic: str, partition: int, records: Sequence[KeptRecord], file_bytes_max: int) -> Part:
    """The files of one partition, and what a manifest says of it."""
    writer = PartitionWriter(directory, topic, partition, file_bytes_max)
    for record in records:
        writer.write(record)
    writer.finish()
    end = records[-1].offset + 1 if records else 0
    return Part(partition, 0, end, len(records), tuple(writer.files))


def forge(directory: Path, topic: str, change: Callable[[list[list[KeptRecord]]], None]) -> None:
    """Change the records of a topic and write its files again, with a manifest that says so; nobody signs it."""
    manifest = manifests.read(directory)
    parts = manifest.topics[topic]
    records = [[r for f in part.files for r in read_file(directory / f.name, f)] for part in parts]
    for part in parts:
        for file in part.files:
            (directory / file.name).unlink()
    change(records)
    made = [written(directory, topic, p, kept, 4_000) for p, kept in enumerate(records)]
    ends = [max(part.end, old.end) for part, old in zip(made, parts, strict=True)]
    fixed = tuple(replace(part, end=end, low=old.low) for part, end, old in zip(made, ends, parts, strict=True))
    rewrite(directory, replace(manifest, topics={**manifest.topics, topic: fixed}, signer=None))


def rewrite(directory: Path, manifest: Manifest, keys: KeyPair | None = None) -> None:
    """Put another manifest in the place of the one that is there."""
    (directory / manifests.FILE_NAME).unlink()
    manifests.write(manifest, directory, keys)


def fix_up(directory: Path, name: str) -> None:
    """Give the manifest size and hash of a file as it is now."""
    manifest = manifests.read(directory)
    data = (directory / name).read_bytes()
    right = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def fixed(file: FileEntry) -> FileEntry:
        return file._replace(**right) if file.name == name else file  # type: ignore[arg-type]

    topics = {
        topic: tuple(replace(part, files=tuple(map(fixed, part.files))) for part in parts)
        for topic, parts in manifest.topics.items()
    }
    rewrite(directory, replace(manifest, topics=topics, signer=None))


def edit_manifest(directory: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change the manifest as a document, canonical again."""
    path = directory / manifests.FILE_NAME
    document = json.loads(path.read_bytes())
    change(document)
    path.write_bytes(json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
