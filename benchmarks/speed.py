"""Commands a second, and CPU an award: the real worker against the hand-written loop, in alternating runs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stage import Starter, cpu_s, ledger_end, load, open_markets, settle_all, stage
from contractnet.codec import decode_entry
from contractnet.messages import events as e
from contractnet.topics import COMMANDS, LEDGER, NOTICES
from faults.world import PARTITIONS, World
from streams.reading import read_partition

WARM_SHARE = 0.1
QUIET_S = 6.0
"""A machine that is busy with other work can hold a process up for some seconds in the middle."""
LIMIT_S = 240


@dataclass(frozen=True)
class Speed:
    """One run. The rate is taken from WARM_SHARE of the ledger to its end."""

    commands_per_s: float
    cpu_s_per_10k_awards: float | None
    """None without awards."""
    bytes_per_award: float | None
    """Of commands, ledger and notices on the broker's disk, all commands of the run included."""
    awards: int
    commands: int


def run(start: Starter, *, signed: bool, cfps: int, judges: bool = True) -> Speed:
    """Answer a log that is there already, as fast as it goes. `judges`: the answers are ledger entries."""
    with stage() as world:
        markets = open_markets(world, signed=signed)
        commands = load(markets, cfps)
        settle_all(markets)
        process = start(world)
        points = _watch(world, process)
        awards = _awards(world) if judges else 0
        assert not judges or awards == cfps, f"{awards} awards of {cfps}: it was not at the end yet, or bids came late"
        stored_bytes = sum(path.stat().st_size for path in _segments(world))
    end = points[-1][1]
    first = next(p for p in points if p[1] >= WARM_SHARE * end)
    last = next(p for p in points if p[1] == end)
    share = (last[1] - first[1]) / end
    return Speed(
        commands_per_s=commands * share / (last[0] - first[0]),
        cpu_s_per_10k_awards=(last[2] - first[2]) / (awards * share) * 10_000 if awards else None,
        bytes_per_award=stored_bytes / awards if awards else None,
        awards=awards,
        commands=commands,
    )


def _watch(world: World, process: subprocess.Popen[bytes]) -> list[tuple[float, int, float]]:
    """(time, ledger end, CPU seconds) until nothing has moved for a while."""
    points: list[tuple[float, int, float]] = []
    started = moved = time.monotonic()
    while time.monotonic() - started < LIMIT_S:
        assert process.poll() is None, (
            "it ended: " + (world.data / "processes.log").read_text("utf-8", "replace")[-2000:]
        )
        end = ledger_end(world)
        now = time.monotonic()
        if not points or end != points[-1][1]:
            moved = now
            points.append((now, end, cpu_s(process.pid)))
        elif end and now - moved > QUIET_S:
            return points
        time.sleep(0.05)
    raise TimeoutError(f"the ledger still grows after {LIMIT_S} s")


def _awards(world: World) -> int:
    values = (r.value for p in range(PARTITIONS) for r in read_partition(world.broker.bootstrap, LEDGER.name, p, 0))
    return sum(isinstance(decode_entry(value).event, e.AwardMade) for value in values)


def _segments(world: World) -> Iterator[Path]:
    for topic in (COMMANDS, LEDGER, NOTICES):
        yield from (world.data / "broker").glob(f"**/{topic.name}-[0-9]*/*.log")
