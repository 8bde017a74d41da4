"""How long a worker needs for the state of a long partition: from its snapshots, and without any.

The ledger is what a real worker wrote, the snapshots are those of the real snapshotter, which ran beside it. Each
restore is a process of its own, as a worker that was started again is.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256

from benchmarks.stage import MARKETS, load, settle_all, stage, start_worker, wait_until_judged
from contractnet.topics import SNAPSHOTS
from faults.world import Market, World
from market.snapshot import dump
from streams.garbage import freeze_imports
from streams.log import KAFKA, Log
from streams.reading import Record
from streams.restore import restore
from streams.settings import Settings

AGENTS = 50
CFPS_PER_CHUNK, EVENTS_PER_CFP = 500, 31
LIMIT_S = 1_800
KINDS = ("with snapshots", "without snapshots")


@dataclass(frozen=True, slots=True)
class Restore:
    """One restore. `entries` were folded, after `snapshot` if there was one; `state` is a hash of what came of it."""

    took_s: float
    entries: int
    snapshot: int | None
    state: str
    state_kib: int


@dataclass(frozen=True, slots=True)
class Restores:
    """All restores of one partition, by kind; they came to equal states. `events` are the records of its ledger."""

    events: int
    by_kind: dict[str, list[Restore]]


def restores(events: int, runs: int) -> Restores:
    """Fill a partition with this many ledger events or a few more, then restore it, in turn with and without."""
    with stage() as world:
        market = world.market(MARKETS[-1])
        market.open(AGENTS, units=1_000_000)
        world.producer.flush(30)
        _fill(world, market, events)
        by_kind: dict[str, list[Restore]] = {kind: [] for kind in KINDS}
        for _ in range(runs):
            for kind in KINDS:
                by_kind[kind].append(_in_a_process(world, market.partition, kind))
    made = [one for found in by_kind.values() for one in found]
    assert len({one.state for one in made}) == 1, "the states differ"
    assert all((one.snapshot is None) == (kind == KINDS[1]) for kind in KINDS for one in by_kind[kind])
    found = max(one.entries for one in made)
    assert found >= events, f"the ledger has {found} events only"
    return Restores(found, by_kind)


def _fill(world: World, market: Market, events: int) -> None:
    """Have a worker and a snapshotter beside it make the ledger; both have ended when this returns."""
    worker, snapshotter = start_worker(world), world.start("streams.snapshotter")
    for seed in range(math.ceil(events / EVENTS_PER_CFP / CFPS_PER_CHUNK)):
        load([market], CFPS_PER_CHUNK, seed)
        world.producer.flush(60)
    settle_all([market])
    wait_until_judged(world, LIMIT_S)
    for process in (worker, snapshotter):
        process.terminate()
        process.wait(60)


def _in_a_process(world: World, partition: int, kind: str) -> Restore:
    command = [sys.executable, "-m", "benchmarks.restoring", str(partition), kind]
    done = subprocess.run(command, env=world.environment(), stdout=subprocess.PIPE, check=True)
    return Restore(**json.loads(done.stdout))


def _nothing_of_snapshots(bootstrap: str, topic: str, partition: int, start: int) -> Iterator[Record]:
    return iter(()) if topic == SNAPSHOTS.name else KAFKA.read(bootstrap, topic, partition, start)


def main(partition: int, kind: str) -> None:
    """Restore, as a worker does it, and print what it took."""
    settings = Settings.from_environment()
    log: Log = KAFKA if kind == KINDS[0] else replace(KAFKA, read=_nothing_of_snapshots)
    freeze_imports()
    started = log.monotonic()
    found = restore(settings.bootstrap, partition, settings.partitions, settings.operator_key, log)
    took_s = log.monotonic() - started
    state = dump(found.shard)
    whole = sha256(state + found.shard.head + found.ledger_next.to_bytes(8, "big")).hexdigest()
    print(json.dumps(asdict(Restore(took_s, found.entries, found.snapshot, whole, len(state) // 1024))))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
