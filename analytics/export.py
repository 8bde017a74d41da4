"""`contractnet export`: the topics of a market as Avro container files with a manifest (docs/export.md)."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol, TextIO

from analytics.export_kafka import Bounds, KafkaTopics
from analytics.verify.kafka import KafkaSource
from contractnet.codec import decode_entry
from contractnet.credentials import load
from contractnet.errors import ExportError, UnreadableValueError
from contractnet.exports import manifest as manifests
from contractnet.exports.container import FILE_BYTES_MAX, KeptRecord, PartitionWriter
from contractnet.exports.manifest import Manifest, MarketEntry, Part
from contractnet.messages.events import MarketOpened
from contractnet.progress import Progress
from contractnet.signing import KeyPair
from contractnet.topics import LEDGER
from market.rules import RULES


class Topics(Protocol):
    """What an export is made from: Kafka, or a copy in memory."""

    def capture(self) -> Bounds:
        """Where each partition begins and ends, as one consistent cut."""
        ...

    def records(self, topic: str, partition: int, start: int, end: int) -> Iterator[KeptRecord]:
        """The records from offset `start` on below `end`, in order."""
        ...


def export(
    topics: Topics,
    directory: Path,
    keys: KeyPair | None = None,
    out: TextIO | None = None,
    file_bytes_max: int = FILE_BYTES_MAX,
) -> Manifest:
    """Write everything up to the present ends into a new directory, which appears complete or not at all.

    Raises ExportError where it exists already or can't be written, and what the topics raise.
    """
    with _appearing(directory) as draft:
        made_at_ms = int(time.time() * 1000)
        bounds = topics.capture()
        progress, markets = Progress(out), _Markets()
        parts = {
            topic: tuple(
                _write(topics, draft, topic, partition, ends, progress, markets, file_bytes_max)
                for partition, ends in enumerate(partitions)
            )
            for topic, partitions in bounds.items()
        }
        made = Manifest(_tool(), max(RULES), made_at_ms, tuple(markets.found), parts)
        manifests.write(made, draft, keys)
    return made


def _write(
    topics: Topics,
    draft: Path,
    topic: str,
    partition: int,
    bounds: tuple[int, int],
    progress: Progress,
    markets: _Markets,
    file_bytes_max: int,
) -> Part:
    low, end = bounds
    with closing(PartitionWriter(draft, topic, partition, file_bytes_max)) as writer:
        for record in topics.records(topic, partition, low, end):
            writer.write(record)
            if topic == LEDGER.name:
                markets.look(partition, record)
            progress.tell(partial(_line, topic, partition, record.offset, end))
        writer.finish()
    return Part(partition, low, end, sum(file.records for file in writer.files), tuple(writer.files))


def _line(topic: str, partition: int, offset: int, end: int, _: float) -> str:
    return f"{topic}[{partition}]: offset {offset:,} of {end:,}"


@dataclass(slots=True)
class _Markets:
    """The markets that a ledger opens, in their order."""

    found: list[MarketEntry] = field(default_factory=list)
    _keys: set[bytes] = field(default_factory=set)

    def look(self, partition: int, record: KeptRecord) -> None:
        # A market's first entry opens it; nobody wants all the others decoded.
        if record.key is None or record.key in self._keys:
            return
        try:
            event = decode_entry(record.value).event
            name = record.key.decode()
        except (UnreadableValueError, UnicodeDecodeError):
            return
        if isinstance(event, MarketOpened):
            self._keys.add(record.key)
            self.found.append(MarketEntry(name, partition, event.genesis_hash.hex()))


def _tool() -> str:
    try:
        return f"contractnet {version('contractnet')}"
    except PackageNotFoundError:
        return "contractnet (a checkout that is not installed)"


@contextmanager
def _appearing(directory: Path) -> Iterator[Path]:
    """A directory to write into that gets its name at the end; it goes away where that is not reached."""
    try:
        if os.path.lexists(directory):
            raise ExportError(f"{directory} exists already, and an export overwrites nothing: choose another name.")
        # mkdtemp makes it for its owner alone. Beside its later place: a rename does not cross file systems.
        draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".partial", dir=directory.parent))
    except OSError as error:
        raise ExportError(f"cannot write {directory}: {error.strerror}") from error
    try:
        yield draft
        _sync(draft)
        os.rename(draft, directory)
        _sync(directory.parent)
    except OSError as error:
        raise ExportError(f"cannot write {directory}: {error.strerror}") from error
    finally:
        # After an interrupt as well, and in vain once it has its name.
        shutil.rmtree(draft, ignore_errors=True)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def run(
    bootstrap: str, directory: Path, *, operator: Path, sign_with: Path | None, market: str, out: TextIO | None
) -> list[str]:
    """Export the topics at `bootstrap`, and tell what was written.

    Signed with the credential `sign_with`, else with that of the `operator` where its file is at hand. `market` is the
    one that is told of. Raises ContractnetError, KafkaException.
    """
    credential = sign_with or (operator if operator.exists() else None)
    keys = None if credential is None else load(credential).keys
    made = export(KafkaTopics(KafkaSource(bootstrap)), directory, keys, out)
    return [*summary(made, directory, None if keys is None else keys.public), *_about(made, market)]


def summary(made: Manifest, directory: Path, signer: bytes | None) -> list[str]:
    """What an export holds, for people."""
    lines = [f"exported to {directory}"]
    for name, parts in made.topics.items():
        files = [file for part in parts for file in part.files]
        size_mb = sum(file.size_bytes for file in files) / 1e6
        records = sum(part.records for part in parts)
        lines.append(f"  {name:<10} {records:>12,} records in {len(files)} files, {size_mb:,.1f} MB")
    who = "nobody: a later change of all of it, manifest included, shows by the chain alone"
    lines.append(f"manifest SHA-256 {_digest(directory)}, signed by {who if signer is None else signer.hex()}")
    return lines


def _about(made: Manifest, market: str) -> list[str]:
    for found in made.markets:
        if found.name == market:
            return [f"market {market!r} on partition {found.partition}, genesis {found.genesis_hash}"]
    return [f"note: there is no market {market!r} in it, but {len(made.markets)} of other names"]


def _digest(directory: Path) -> str:
    return hashlib.sha256((directory / manifests.FILE_NAME).read_bytes()).hexdigest()
