"""Reading an export: its files are what the manifest says before anything is read from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from contractnet.exports import manifest as manifests
from contractnet.exports.container import KeptRecord, read_file
from contractnet.exports.manifest import Manifest, Part


@dataclass(frozen=True, slots=True)
class Export:
    """An export whose files were compared with its manifest. Small enough to be sent to another process."""

    directory: Path
    manifest: Manifest

    def part(self, topic: str, partition: int) -> Part:
        """What it holds of a partition."""
        return self.manifest.topics[topic][partition]

    def records(self, topic: str, partition: int, start: int = 0) -> Iterator[KeptRecord]:
        """The records of a partition from offset `start` on. Raises ExportError."""
        for file in self.part(topic, partition).files:
            if file.last >= start:
                for record in read_file(self.directory / file.name, file):
                    if record.offset >= start:
                        yield record


def open_export(directory: Path, out: TextIO | None = None) -> Export:
    """The export in a directory, once all its files are those of its manifest.

    Progress goes to `out`. Raises ExportError, which says what is wrong with it.
    """
    manifest = manifests.read(directory)
    manifests.check_files(manifest, directory, out)
    return Export(directory, manifest)
