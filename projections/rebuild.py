"""Build the projection anew from the ledger: after a change of its format, or to check the live one.

    python -m projections.rebuild [--bootstrap HOST:PORT] [--data DIR]

Readers keep the last generation until the new state is complete. The projector must not run meanwhile.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

from projections.decode import Decoded, LedgerRecord, decode
from projections.layout import Layout, remove_database
from projections.lock import ProjectorLock
from projections.projector import guarded, settings_from
from projections.publish import Publisher
from projections.reader import LedgerReader
from projections.settings import ProjectionSettings
from projections.store import Store

log = logging.getLogger("projections.rebuild")
BATCH_EVENTS_MAX = 60_000
"""Nobody waits for the first rows: larger batches cost less an event."""
_REPORT_INTERVAL_S = 5.0
_WAIT_S = 0.05

Batch = tuple[list[LedgerRecord], Decoded]
"""Records in the order of each partition, and what they hold."""


def rebuild(settings: ProjectionSettings) -> int:
    """Fold the whole ledger, up to what is committed now, into a new state, and publish it. Returns the events folded.

    Raises DataDirectoryError while a projector runs there, BrokerUnreachableError without broker or topic.
    """
    layout = Layout(settings.data_dir)
    layout.create()
    with ProjectorLock(layout.lock):
        remove_database(layout.rebuilding)
        started_s = time.monotonic()
        events = _fold_all(layout, settings)
        log.info("folded %d events in %.1f s", events, time.monotonic() - started_s)
        # First what belongs to the old file: DuckDB must never find its log beside the new one. Killed in between, the
        # old state is as of its last checkpoint, position included, and the projector goes on from there.
        layout.state.with_name(layout.state.name + ".wal").unlink(missing_ok=True)
        layout.rebuilding.rename(layout.state)
        store = Store(layout, settings)
        try:
            Publisher(store, settings).publish()
        finally:
            store.close()
    return events


def _fold_all(layout: Layout, settings: ProjectionSettings) -> int:
    told_s = time.monotonic()

    def tell() -> None:
        nonlocal told_s
        if time.monotonic() - told_s > _REPORT_INTERVAL_S:
            told_s = time.monotonic()
            log.info("%d events so far", store.event_count())

    with (
        closing(Store(layout, settings, layout.rebuilding)) as store,
        closing(LedgerReader(large_batches(settings), {})) as reader,
    ):
        fold_batches(store, lambda: _read(reader), tell)
        return store.event_count()


def large_batches(settings: ProjectionSettings) -> ProjectionSettings:
    """Settings for a reader that nobody waits for."""
    return replace(settings, batch_events_max=BATCH_EVENTS_MAX, publish_interval_s=_WAIT_S)


def fold_batches(store: Store, read: Callable[[], Batch | None], tell: Callable[[], None]) -> None:
    """Fold what `read` gives until that is None, and `tell` after each batch.

    Reads and decodes a batch while DuckDB folds the one before: they take about as long as each other.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading") as ahead:
        batch = ahead.submit(read)
        while (found := batch.result()) is not None:
            batch = ahead.submit(read)
            store.apply_decoded(*found)
            store.seal_due()
            tell()


def _read(reader: LedgerReader) -> Batch | None:
    while not reader.at_end:
        if records := reader.poll():
            return records, decode(records)
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild the projection of a data directory."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    os.umask(0o077)
    settings = settings_from(arguments, "projections.rebuild", "Build the DuckDB tables anew from the ledger.")
    return guarded("rebuild", lambda: rebuild(settings))


if __name__ == "__main__":
    sys.exit(main())
