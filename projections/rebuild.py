"""Build the projection anew from the ledger: after a change of its format, or to check the live one.

    python -m projections.rebuild [--bootstrap HOST:PORT] [--data DIR]

Readers keep the last generation until the new state is complete. The projector must not run meanwhile.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence

from projections.layout import Layout, remove_database
from projections.lock import ProjectorLock
from projections.projector import guarded, settings_from
from projections.publish import Publisher
from projections.reader import LedgerReader
from projections.settings import ProjectionSettings
from projections.store import Store

log = logging.getLogger("projections.rebuild")


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
    store = Store(layout, settings, layout.rebuilding)
    try:
        reader = LedgerReader(settings, {})
        try:
            while not reader.at_end:
                if records := reader.poll():
                    store.apply(records)
                    store.seal_due()
        finally:
            reader.close()
        return store.event_count()
    finally:
        store.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild the projection of a data directory."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    os.umask(0o077)
    settings = settings_from(arguments, "projections.rebuild", "Build the DuckDB tables anew from the ledger.")
    return guarded("rebuild", lambda: rebuild(settings))


if __name__ == "__main__":
    sys.exit(main())
