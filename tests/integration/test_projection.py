"""The projector under load: killed, and read from all the time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import analytics
from benchmarks.reading import WHOLE
from broker.interface import Broker
from contractnet.errors import QueryError
from contractnet.messages import Entry
from tests.projections.folded import Folded, fold, read_back
from tests.projections.generator import History
from tests.projections.ledger import Ledger

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TIMEOUT_S = 60.0
AGED_MAX = 3.0
"""The oldest data that readers find at 2,000 events/s, against that at 100 events/s: 1.4 on a quiet machine."""
SLOWED_MAX = 2.0
"""How much fewer reads they get done."""
ROOT = Path(__file__).resolve().parents[2]
# The projector's process with small segments: sealing, too, has to be hit by kills.
PROGRAM = """
import sys, pathlib
from projections.projector import Projector
from projections.settings import ProjectionSettings
bootstrap, data_dir, topic, seal_rows, interval_s = sys.argv[1:]
settings = ProjectionSettings(bootstrap, pathlib.Path(data_dir), topic, seal_rows=int(seal_rows),
    seal_grace_offsets=100, publish_interval_s=float(interval_s), batch_events_max=3000)
Projector(settings).run()
"""


def start(ledger: Ledger, data_dir: Path, seal_rows: int, interval_s: float) -> subprocess.Popen[bytes]:
    """A projector in a process of its own."""
    arguments = [ledger.bootstrap, str(data_dir), ledger.topic, str(seal_rows), str(interval_s)]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT)


class Load(threading.Thread):
    """Writes transactions of both partitions until `finish`; `expected` is what they fold to. The rate may be changed
    on the way."""

    def __init__(
        self, ledger: Ledger, events_per_s: int, stamp: Callable[[Entry], Entry] = lambda entry: entry
    ) -> None:
        super().__init__()
        self.expected = Folded()
        self._ledger = ledger
        self.events_per_s = events_per_s
        self._stamp = stamp
        self._done = threading.Event()

    def run(self) -> None:
        """Write 20 transactions a second."""
        histories = [History(f"load-{p}", p, accounts=50) for p in range(self._ledger.partitions)]
        due_s = time.monotonic()
        number = 0
        while not self._done.is_set():
            partition = number % len(histories)
            entries = [self._stamp(entry) for entry in histories[partition].take(self.events_per_s // 20)]
            self._ledger.write(partition, histories[partition].market, entries)
            fold(histories[partition].market, entries, self.expected)
            number += 1
            due_s += 0.05
            time.sleep(max(0.0, due_s - time.monotonic()))

    def finish(self) -> None:
        """Stop writing."""
        self._done.set()
        self.join(TIMEOUT_S)


def published(data_dir: Path, sql: str) -> tuple[int | bool | None, ...]:
    """One row from the newest generation; empty before the first."""
    try:
        with analytics.open(data_dir) as connection:
            return connection.execute(sql).fetchone() or ()
    except QueryError:
        return ()


def wait_for(data_dir: Path, events: int, process: subprocess.Popen[bytes]) -> None:
    """Return when so many events are published."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while published(data_dir, "SELECT sum(events)::BIGINT FROM meta") != (events,):
        assert process.poll() is None, "the projector ended"
        assert time.monotonic() < deadline_s, "the events did not arrive"
        time.sleep(0.1)


def test_kills_lose_and_double_nothing(broker: Broker, tmp_path: Path) -> None:
    """Killed again and again under load, wherever it is, the projector goes on with every event once.

    Before every second kill it has published something; the others may come while it starts.
    """
    ledger = Ledger(broker.bootstrap)
    rng = random.Random(7)
    load = Load(ledger, events_per_s=4000)
    load.start()
    kills = 0
    found_between = []
    try:
        while kills < 12:
            events_before = published_events(tmp_path)
            process = start(ledger, tmp_path, seal_rows=400, interval_s=0.05)
            if kills % 2 == 0:
                wait_until_some(tmp_path, events_before + 1)
            # Start-up takes 0.5 s; from then on it is nearly always within a transaction, a sealing or a publication.
            time.sleep(rng.uniform(0.4, 1.6))
            assert process.poll() is None, "the projector ended by itself"
            os.kill(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT_S)
            kills += 1
            found_between.append(published(tmp_path, WHOLE))
    finally:
        load.finish()
    assert found_between == [(True,)] * kills
    process = start(ledger, tmp_path, seal_rows=400, interval_s=0.1)
    try:
        wait_for(tmp_path, ledger.written, process)
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
    with analytics.open(tmp_path) as connection:
        rows = connection.execute(
            "SELECT count(*), count(DISTINCT (partition, ledger_offset)), "
            "count(DISTINCT (partition, command_offset, index)) FROM events"
        ).fetchone()
        assert connection.execute("SELECT bool_and(ok) FROM balances_check").fetchone() == (True,)
    assert rows == (ledger.written,) * 3
    assert read_back(tmp_path) == load.expected
    print(f"\n{kills} kills, {ledger.written} events: 0 lost, 0 doubled")


def test_readers_always_find_fresh_and_whole_data(broker: Broker, tmp_path: Path) -> None:
    """At 2,000 events/s, readers that open the file all the time see no error and nothing torn, and data nearly as
    fresh as at 100 events/s: what the machine is slow at, it is slow at in both. Two seconds on a quiet machine."""
    ledger = Ledger(broker.bootstrap)
    process = start(ledger, tmp_path, seal_rows=5000, interval_s=0.5)

    def stamp(entry: Entry) -> Entry:
        return replace(entry, source=replace(entry.source, at_ms=int(time.time() * 1000)))

    load = Load(ledger, 100, stamp)
    load.start()
    try:
        wait_until_some(tmp_path, 100)
        calm = read_for(tmp_path, 6)
        load.events_per_s = 2000
        wait_until_some(tmp_path, 4000)
        loaded = read_for(tmp_path, 12)
    finally:
        load.finish()
        process.terminate()
        process.wait(TIMEOUT_S)
    print(f"\n{ledger.written} events; at 100/s {calm}; at 2,000/s {loaded}")
    assert loaded.oldest_ms <= AGED_MAX * calm.oldest_ms
    assert loaded.reads_per_s >= calm.reads_per_s / SLOWED_MAX


@dataclass(frozen=True)
class Reads:
    """What three readers saw: reads a second by all of them, and the age of the data."""

    reads_per_s: float
    median_ms: int
    oldest_ms: int


def read_for(data_dir: Path, duration_s: float) -> Reads:
    """Two light readers and a heavy one at once; each must see no error and nothing torn."""
    command = [sys.executable, "-m", "benchmarks.reading", str(data_dir), str(duration_s)]
    readers = [
        subprocess.Popen([*command, kind, "0.3"], stdout=subprocess.PIPE, cwd=ROOT)
        for kind in ("light", "light", "heavy")
    ]
    results = [json.loads(reader.communicate(timeout=TIMEOUT_S)[0]) for reader in readers]
    assert [(result["errors"], result["torn"]) for result in results] == [(0, 0)] * 3, results
    ages_ms = sorted(round(age_ms) for result in results for age_ms in result["ages_ms"])
    return Reads(sum(result["reads"] for result in results) / duration_s, ages_ms[len(ages_ms) // 2], ages_ms[-1])


def published_events(data_dir: Path) -> int:
    """How many events are published; 0 before the first generation."""
    row = published(data_dir, "SELECT sum(events)::BIGINT FROM meta")
    return (row[0] or 0) if row else 0


def wait_until_some(data_dir: Path, events: int) -> None:
    """Return when at least so many events are published."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while published_events(data_dir) < events:
        assert time.monotonic() < deadline_s, f"no {events} events after {TIMEOUT_S} s"
        time.sleep(0.1)
