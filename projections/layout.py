"""The files of a projection inside the data directory.

<data>/ledger.duckdb                   link to the newest generation: what readers open
<data>/projection/ledger-<n>.duckdb    generations, never changed after publication
<data>/projection/segments/            sealed rows as Parquet, named by the generations
<data>/projection/state.duckdb         the projector's own file; nobody else may open it
<data>/projection/projector.lock       one projector per data directory
"""

from __future__ import annotations

import re
from pathlib import Path

_GENERATION = re.compile(r"ledger-(\d+)\.duckdb")


class Layout:
    """Paths below one data directory, all absolute: views name segments by absolute path."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.directory = self.data_dir / "projection"
        self.segments = self.directory / "segments"
        self.merged = self.segments / "merged.draft"
        self.state = self.directory / "state.duckdb"
        self.rebuilding = self.directory / "rebuilding.duckdb"
        self.lock = self.directory / "projector.lock"
        self.published = self.data_dir / "ledger.duckdb"

    def create(self) -> None:
        """Make the directories; only their owner may look inside, since the ledger shows open bids."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.segments.mkdir(mode=0o700, exist_ok=True)

    def generation(self, number: int) -> Path:
        """Path of one generation."""
        return self.directory / f"ledger-{number}.duckdb"

    def generations(self) -> dict[int, Path]:
        """The generations that exist, by number."""
        found = ((_GENERATION.fullmatch(path.name), path) for path in self.directory.iterdir())
        return {int(match[1]): path for match, path in found if match}


def remove_database(path: Path) -> None:
    """Delete a DuckDB file and what belongs to it."""
    for name in (path, path.with_name(path.name + ".wal")):
        name.unlink(missing_ok=True)
