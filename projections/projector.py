"""The projector: follows the ledger and keeps `ledger.duckdb` at most two seconds behind it.

    python -m projections.projector [--bootstrap HOST:PORT] [--data DIR]

reader.py reads committed records, decode.py makes Arrow tables of them, store.py folds each batch in one transaction
with the position, publish.py writes what readers open. Exit codes: 0 after SIGTERM or SIGINT, 70 after a fault (start
it again), 78 where starting again can't help.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import logging
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

import duckdb
from confluent_kafka import KafkaException

from contractnet.access import act_as
from contractnet.errors import ContractnetError, SettingsError
from contractnet.settings import bootstrap
from projections.layout import Layout, remove_database
from projections.lock import ProjectorLock
from projections.merge import Merger
from projections.publish import Publisher
from projections.reader import LedgerReader
from projections.settings import ProjectionSettings
from projections.store import Store

log = logging.getLogger("projections.projector")

EXIT_FAULT = 70
EXIT_TERMINAL = 78
_REPORT_INTERVAL_S = 30.0


class Projector:
    """One projection while it runs. `run` returns after `stop`, which a signal handler or another thread may call."""

    def __init__(self, settings: ProjectionSettings) -> None:
        self._settings = settings
        self._stopping = False
        self._news = True  # a first publication, so that the file exists and names segments where they are now
        self._rest_until_s = 0.0
        self._reported_s = time.monotonic()
        self._reported_events = 0
        self._times_s: defaultdict[str, list[float]] = defaultdict(list)

    def stop(self) -> None:
        """Ask `run` to publish once more and return."""
        self._stopping = True

    def run(self) -> None:
        """Follow the ledger until `stop`.

        Raises DataDirectoryError (in use, other version), LedgerChangedError, BrokerUnreachableError (at the start
        only).
        """
        layout = Layout(self._settings.data_dir)
        layout.create()
        with ProjectorLock(layout.lock):
            remove_database(layout.rebuilding)  # of a rebuild that was killed
            store = Store(layout, self._settings)
            try:
                self._follow(store)
            finally:
                store.close()

    def _follow(self, store: Store) -> None:
        publisher, merger = Publisher(store, self._settings), Merger(store, self._settings)
        reader = LedgerReader(self._settings, store.positions())
        self._reported_events = store.event_count()
        log.info(
            "projecting %d partitions of %s at %s into %s; %d events so far",
            len(reader.partitions),
            self._settings.topic,
            self._settings.bootstrap,
            store.layout.published,
            self._reported_events,
        )
        try:
            while not self._stopping:
                self._step(reader, store, publisher)
                with self._timed("merging"):
                    merger.step()
            self._publish(publisher)
            publisher.close()
        finally:
            reader.close()
            merger.close()
        log.info("stopped at %d events, generation %d", store.event_count(), publisher.generation)

    def _step(self, reader: LedgerReader, store: Store, publisher: Publisher) -> None:
        with self._timed("reading"):
            records = reader.poll()
        if records:
            with self._timed("folding"):
                store.apply(records)
            self._news = True
            # Writing several segments at once would delay readers; while catching up there is no way around it.
            with self._timed("sealing"):
                store.seal_due(None if len(records) == self._settings.batch_events_max else 1)
        if time.monotonic() >= self._rest_until_s:
            self._publish(publisher)
            self._report(store, publisher)

    def _publish(self, publisher: Publisher) -> None:
        if not self._news:
            return
        started_s = time.monotonic()
        with self._timed("publishing"):
            publisher.publish()
        self._news = False
        ended_s = time.monotonic()
        # While catching up, batches are full at once: at least as much time goes into them as into publications.
        self._rest_until_s = ended_s + max(self._settings.publish_interval_s / 2, ended_s - started_s)

    def _report(self, store: Store, publisher: Publisher) -> None:
        now_s = time.monotonic()
        if now_s - self._reported_s < _REPORT_INTERVAL_S:
            return
        events = store.event_count()
        if events != self._reported_events:
            took_s = now_s - self._reported_s
            rate = (events - self._reported_events) / took_s
            parts = "; ".join(
                f"{part} {sum(times_s) / took_s:.0%}, at most {max(times_s):.2f} s"
                for part, times_s in self._times_s.items()
            )
            log.info("%d events, %.0f a second, generation %d; %s", events, rate, publisher.generation, parts)
        self._reported_s, self._reported_events = now_s, events
        self._times_s.clear()

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        """Count the time of one part of the work, for the report."""
        started_s = time.monotonic()
        yield
        self._times_s[part].append(time.monotonic() - started_s)


def settings_from(arguments: Sequence[str] | None, program: str, purpose: str) -> ProjectionSettings:
    """Settings from flags, else from CONTRACTNET_BOOTSTRAP and CONTRACTNET_DATA, else those of the data directory,
    whose access for projectors this process then uses."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=purpose)
    parser.add_argument("--bootstrap", help="address of the broker (CONTRACTNET_BOOTSTRAP; the data directory's)")
    data = Path(os.environ.get("CONTRACTNET_DATA", ".contractnet"))
    parser.add_argument("--data", type=Path, default=data, help="the data directory (CONTRACTNET_DATA)")
    parser.add_argument("--topic", default=ProjectionSettings.__dataclass_fields__["topic"].default)
    options = parser.parse_args(arguments)
    try:
        address = bootstrap(options.bootstrap, data=options.data)
    except SettingsError as error:
        parser.error(str(error))
    act_as("projector", options.data)
    return ProjectionSettings(bootstrap=address, data_dir=options.data, topic=options.topic)


def guarded(action: str, run: object) -> int:
    """Exit code of `run()`: faults and terminal errors are told in one line each, bugs are not caught."""
    assert callable(run)
    try:
        run()
    except ContractnetError as error:
        print(f"{action}: {error}", file=sys.stderr)
        return EXIT_FAULT if error.transient else EXIT_TERMINAL
    except (KafkaException, duckdb.Error, OSError) as error:
        log.exception("%s ended by a fault", action)
        print(f"{action}: {_in_words(error)}", file=sys.stderr)
        return EXIT_FAULT
    return 0


def _in_words(error: Exception) -> str:
    full = os.strerror(errno.ENOSPC)
    if full not in str(error):
        return str(error)
    # DuckDB's own words come from the middle of it, such as that a database should be reattached.
    return (
        f"the disk is full ({str(error).partition(chr(10))[0]}). Make room: nothing is lost, the topics have "
        f"everything, and the next start goes on where this one ended."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the projector in this process until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    os.umask(0o077)  # the ledger shows open bids: no file of ours may be readable by others, not for a moment
    projector = Projector(settings_from(arguments, "projections.projector", "Project the ledger into DuckDB tables."))

    def on_signal(_: int, __: FrameType | None) -> None:
        projector.stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return guarded("projector", projector.run)


if __name__ == "__main__":
    sys.exit(main())
