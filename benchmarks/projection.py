"""The projection: events a second when it is built anew, and how old the data is that readers find under load."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil

import analytics
from benchmarks.stage import ledger_end, load, open_markets, settle_all, stage, start_worker
from contractnet.errors import QueryError
from faults.load import Load
from faults.world import World
from projections.decode import LedgerRecord, decode
from projections.layout import Layout
from projections.reader import LedgerReader
from projections.rebuild import BATCH_EVENTS_MAX, rebuild
from projections.settings import ProjectionSettings
from projections.store import Store

EVENTS_PER_COMMAND = 5
"""Of faults/load.py, roughly: a call with four bids leaves 25 entries."""
KINDS = ("light", "light", "heavy")
PAUSE_S = 0.5
"""Readers read as a dashboard does. Without a pause, on a whole history, they measure how two cores are shared."""


@dataclass(frozen=True)
class Pass:
    """One pass over the ledger, or one part of the work on it: how long it took, and the CPU time of this process."""

    events: int
    wall_s: float
    cpu_s: float


def rebuilds(cfps: int, runs: int) -> dict[str, list[Pass]]:
    """Judge a log of so many CFPs once, then build its projection anew, several times: whole, and part by part."""
    with stage() as world:
        markets = open_markets(world, signed=False)
        load(markets, cfps)
        settle_all(markets)
        worker = start_worker(world)
        _settle(world)
        worker.terminate()
        worker.wait(30)
        found: dict[str, list[Pass]] = defaultdict(list)
        for _ in range(runs):
            with tempfile.TemporaryDirectory(prefix="contractnet-bench-") as folder:
                settings = ProjectionSettings(world.broker.bootstrap, Path(folder))
                clock = _Clock()
                events = rebuild(settings)
                found["rebuild from Kafka"].append(clock.lap(events))
            for part, one in _part_by_part(world).items():
                found[part].append(one)
        return found


class _Clock:
    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.monotonic(), time.process_time()

    def lap(self, events: int) -> Pass:
        """The time since the start."""
        return Pass(events, time.monotonic() - self._wall_s, time.process_time() - self._cpu_s)


def _settle(world: World) -> None:
    before = -1
    while (now := ledger_end(world)) != before or now == 0:
        before = now
        time.sleep(2)


def _part_by_part(world: World) -> dict[str, Pass]:
    """The same work, one part after the other with nothing beside it."""
    with tempfile.TemporaryDirectory(prefix="contractnet-bench-") as folder:
        settings = ProjectionSettings(
            world.broker.bootstrap, Path(folder), batch_events_max=BATCH_EVENTS_MAX, publish_interval_s=0.05
        )
        layout = Layout(settings.data_dir)
        layout.create()
        clock = _Clock()
        batches: list[list[LedgerRecord]] = []
        with contextlib.closing(LedgerReader(settings, {})) as reader:
            while not reader.at_end:
                if records := reader.poll():
                    batches.append(records)
        events = sum(map(len, batches))
        parts = {"reading alone": clock.lap(events)}
        clock = _Clock()
        decoded = [decode(records) for records in batches]
        parts["decoding alone"] = clock.lap(events)
        clock = _Clock()
        with contextlib.closing(Store(layout, settings)) as store:
            for records, tables in zip(batches, decoded, strict=True):
                store.apply_decoded(records, tables)
                store.seal_due()
        parts["DuckDB alone (fold, seal)"] = clock.lap(events)
    return parts


@dataclass(frozen=True)
class Lag:
    """Age of the newest event that a reader found, over all reads of all readers, at a real market under load."""

    events_per_s: float
    reads: int
    errors: int
    torn: int
    age_p50_ms: float
    age_p99_ms: float
    fifths_p99_ms: tuple[float, ...]
    """The same p99 for each fifth of the time: what grows with the history shows here."""
    kept_open_s: float
    kept_reads: int
    cores: str
    """The share of a core that each process took: where all cores are taken, the age is a queue for them."""


def lag(*, events_per_s: int, duration_s: float) -> Lag:
    """A worker, the projector and three readers that open the file again and again. One more connection stays open all
    the time, and its process opens the newest file beside it, again and again."""
    with stage() as world:
        markets = open_markets(world, signed=True)
        world.producer.flush(30)
        start_worker(world)
        world.start("projections.projector")
        world.wait_for("the market is open and published", lambda: _published(world.data) > 200)
        sending = Load(markets, events_per_s / EVENTS_PER_COMMAND, seed=7)
        time.sleep(5)
        before, started, cpu_s = _published(world.data), time.monotonic(), _cpu_s()
        readers = [_reader(world, duration_s, kind) for kind in KINDS]
        with kept_open(world.data) as kept:
            time.sleep(duration_s * 0.9)  # readers that have ended have no CPU time to ask for
            spent_s, during_s = _cpu_s(), time.monotonic() - started
            results = [json.loads(reader.communicate(timeout=duration_s + 120)[0]) for reader in readers]
            took_s = time.monotonic() - started
            rate = (_published(world.data) - before) / took_s
        sending.stop()
        for report in _reports(world)[:: max(1, int(duration_s / 30) // 5)]:
            print(f"the projector said: {report}")
    found = [result["ages_ms"] for result in results]
    ages = sorted(age for one in found for age in one)
    fifths = [
        sorted(age for one in found for age in one[len(one) * n // 5 : len(one) * (n + 1) // 5]) for n in range(5)
    ]
    return Lag(
        events_per_s=rate,
        reads=sum(result["reads"] for result in results),
        errors=sum(result["errors"] for result in results) + kept.errors,
        torn=sum(result["torn"] for result in results) + kept.torn,
        age_p50_ms=ages[len(ages) // 2],
        age_p99_ms=_p99(ages),
        fifths_p99_ms=tuple(_p99(sorted(fifth)) for fifth in fifths),
        kept_open_s=took_s,
        kept_reads=kept.reads,
        cores=", ".join(
            f"{name} {(spent_s[name] - cpu_s.get(name, 0.0)) / during_s:.0%}"
            for name in sorted(spent_s, key=spent_s.__getitem__, reverse=True)
        )
        + f", of {psutil.cpu_count()} cores",
    )


def _cpu_s() -> dict[str, float]:
    """CPU seconds so far of this process (load, an open connection) and of all that it started, by what they are."""
    names = {"kafka.Kafka": "broker", "faust": "worker", "projections.projector": "projector"}
    names |= {"benchmarks.reading": "readers", "streams.signer": "signatures"}
    found: dict[str, float] = defaultdict(float)
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            command, times = process.cmdline(), process.cpu_times()
            name = next((names[word] for word in command if word in names), "rest")
            found["load" if process == this else name] += times.user + times.system
    return found


def _reports(world: World) -> list[str]:
    """What the projector says of its work every 30 s: where its time went."""
    lines = (world.data / "processes.log").read_text(errors="replace").splitlines()
    return [line.partition(" INFO ")[2] for line in lines if " a second, generation " in line]


def _p99(ordered: list[float]) -> float:
    return ordered[int(len(ordered) * 0.99)]


def _reader(world: World, duration_s: float, kind: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.reading", str(world.data), str(duration_s), kind, str(PAUSE_S)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _published(data: Path) -> int:
    return _events(data) if (data / "ledger.duckdb").exists() else 0


def _events(data: Path) -> int:
    with analytics.open(data) as connection:
        row = connection.execute("SELECT coalesce(sum(events), 0)::BIGINT FROM meta").fetchone()
    return int(row[0]) if row else 0


@dataclass
class Kept:
    """What a connection that stays open saw: its own generation must stay the same to the last query.

    A second connection, to the newest file, counts among the `errors` too where it cannot be opened or read.
    """

    reads: int = 0
    errors: int = 0
    torn: int = 0


@contextlib.contextmanager
def kept_open(data: Path) -> Iterator[Kept]:
    """One connection open from entry to exit, and read once a second. Raises QueryError where none can be opened."""
    kept, done = Kept(), threading.Event()
    question = "SELECT count(*), coalesce(sum(credits), 0)::BIGINT FROM attribution, (SELECT count(*) FROM events)"

    with analytics.open(data) as old:
        first = old.execute(question).fetchone()

        def watch() -> None:
            while not done.wait(1.0):
                kept.reads += 1
                try:
                    kept.torn += old.execute(question).fetchone() != first
                    _events(data)  # a second connection in this process, to a newer file
                except (duckdb.Error, QueryError):
                    kept.errors += 1

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield kept
        finally:
            done.set()
            thread.join()
