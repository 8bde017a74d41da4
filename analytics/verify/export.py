"""An export as verify reads it, and what verify says of its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from analytics.checkpoint import Checkpoint
from analytics.verify.report import DivergenceError
from analytics.verify.source import StoredRecord
from contractnet.errors import ExportError
from contractnet.exports.manifest import FILE_NAME, MarketEntry
from contractnet.exports.reading import Export, open_export


@dataclass(frozen=True, slots=True)
class ExportSource:
    """The topics in an export. Small enough to be sent to another process."""

    export: Export
    patience_s: float = 0.0

    def partitions(self, topic: str) -> int:
        """Number of partitions of a topic."""
        return len(self.export.manifest.topics[topic])

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset that was kept when it was made, and the offset at which it ends."""
        part = self.export.part(topic, partition)
        return part.low, part.end

    def read(self, topic: str, partition: int, start: int) -> Iterator[StoredRecord]:
        """The records from offset `start` on. Raises DivergenceError where the files are not as an export has them."""
        try:
            for r in self.export.records(topic, partition, start):
                yield StoredRecord(r.offset, r.timestamp, r.key, r.value, r.headers or [])
        except ExportError as error:
            raise DivergenceError(topic, partition, None, str(error)) from error

    def misnamed(self, made: Checkpoint) -> DivergenceError | None:
        """What the manifest says of markets that is not so, once all else is sound and gave this checkpoint."""
        states = [(part.partition, state) for part in made.parts for state in json.loads(part.state)["markets"]]
        there = {MarketEntry(state["name"], partition, state["genesis_hash"]) for partition, state in states}
        named = set(self.export.manifest.markets)
        for market in sorted(there ^ named, key=lambda found: found.name):
            what = f"market {market.name!r} with genesis {market.genesis_hash} on partition {market.partition}"
            where = "only the ledger has it" if market in there else "the ledger does not open it"
            return DivergenceError(FILE_NAME, None, None, f"{what}: {where}")
        return None


def opened(directory: Path, trusted: frozenset[bytes], out: TextIO | None) -> tuple[ExportSource, str]:
    """The export in a directory, its files compared with its manifest; and who has signed that, for the report.

    Raises ExportError, also for a signature by a key (32 bytes) that is not `trusted`.
    """
    export = open_export(directory, out)
    signer = export.manifest.signer
    if signer is not None and signer not in trusted:
        raise ExportError(
            f"{directory} is signed by {signer.hex()}, which is not trusted. If you trust it, name it with --trust-key."
        )
    files = len(export.manifest.files)
    who = "signed by nobody" if signer is None else f"signed by {signer.hex()}"
    return ExportSource(export), f"{directory}: {files} files are those of the manifest, which is {who}"
