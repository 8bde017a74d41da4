"""Merging: many small segments become one, beside the projector's own work.

Every query opens every segment that its view names, so a market that is old would be slow to ask. Merging in levels
writes each row twice more at most, whatever the market's age (O'Neil et al., The log-structured merge-tree, 1996).
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import duckdb

from projections.settings import ProjectionSettings
from projections.store import Store, quoted

log = logging.getLogger(__name__)

LEVELS = 2
"""A segment that came out of so many merges stays as it is."""
_AGAIN_S = 60.0
"""After a merge that failed, a full disk for instance."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as the manifest has it."""

    table: str
    file: str
    rows: int


class Merger:
    """At most one merge at a time, in a thread and a database of its own. Use from the store's thread; `close` it."""

    def __init__(self, store: Store, settings: ProjectionSettings) -> None:
        self._store = store
        self._settings = settings
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="merging")
        self._merging: tuple[list[Segment], Future[None]] | None = None
        self._not_before_s = 0.0

    def step(self) -> None:
        """Name what a merge has written in the place of its parts, and begin another where there is something to merge.

        Never waits. A merge that fails changes nothing: it is told to the log and tried again a minute later.
        """
        if self._merging is not None:
            parts, future = self._merging
            if not future.done():
                return
            self._merging = None
            try:
                future.result()
            except (duckdb.Error, OSError) as error:
                log.warning("%d segments of %s were not merged: %s", len(parts), parts[0].table, error)
                self._not_before_s = time.monotonic() + _AGAIN_S
            else:
                self._store.replace_segments(parts[0].table, [part.file for part in parts])
        if time.monotonic() >= self._not_before_s and (parts := self._due()):
            self._merging = parts, self._thread.submit(self._merge, parts)

    def close(self) -> None:
        """Wait for a merge under way and leave its result: the parts stay what they are."""
        self._thread.shutdown(wait=True)

    def _due(self) -> list[Segment]:
        """The oldest segments of a table that are of one level and enough for a merge."""
        found: dict[tuple[str, int], list[Segment]] = defaultdict(list)
        for row in self._store.manifest():
            segment = Segment(*row)
            alike = found[segment.table, self._level(segment)]
            alike.append(segment)
            if len(alike) == self._settings.merge_files and self._level(segment) < LEVELS:
                return alike
        return []

    def _level(self, segment: Segment) -> int:
        bounds = (self._settings.seal_rows * self._settings.merge_files**n for n in range(1, LEVELS + 1))
        return sum(segment.rows >= bound for bound in bounds)

    def _merge(self, parts: Sequence[Segment]) -> None:
        folder = self._store.layout.segments
        files = ", ".join(quoted(folder / part.file) for part in parts)
        with duckdb.connect(config={"memory_limit": "512MB", "threads": 1}) as connection:
            connection.execute(
                f"COPY (FROM read_parquet([{files}])) TO {quoted(self._store.layout.merged)} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
