"""The clocks of broker and worker are wrong by five minutes, each on its own: the broker's by libfaketime, the worker's
in Python (under libfaketime its threads do not wake up)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.arena import Arena
from faults.plan import Plan
from faults.records import newest_stamp_ms
from faults.world import World, new_world

LIBRARY = "FAKETIME_LIBRARY"
"""Environment variable: path of libfaketime.so.1, where no `faketime` command is installed."""
OFF_S = 300
# Ends with the furthest: market time never runs back, so after a broker that was ahead it stands until it is overtaken.
BROKER_S = (-OFF_S, 0, -OFF_S, OFF_S, 0, OFF_S)
WORKER_S = (-OFF_S, -OFF_S, 0, 0, OFF_S, OFF_S)
"""In an order of chance."""
RAN_S = 3.0
SEEN_S = 20.0
CLOSE_S = 60.0
"""Nearer to the clock as it is set than to any other that it is set to, on a machine that does much else."""


def library() -> str:
    """Path of libfaketime, or nothing."""
    found = shutil.which("faketime")
    places = [] if found is None else Path(found).parents[1].glob("lib/**/libfaketime.so.1")
    return next(map(str, places), os.environ.get(LIBRARY, ""))


def obstacle() -> str:
    """What keeps the section from running."""
    return "" if library() else f"`faketime` is not installed (and {LIBRARY} names no libfaketime.so.1)"


def fake(offset_s: int) -> dict[str, str]:
    """Environment of a process whose wall clock is off; its monotonic clock is left alone, or Java never wakes up."""
    alone = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
    return {"LD_PRELOAD": library(), "FAKETIME": f"{offset_s:+d}s", **alone}


@contextmanager
def broker_clock(offset_s: int) -> Iterator[None]:
    """A broker that is started inside has this clock: it takes our environment."""
    before = dict(os.environ)
    os.environ.update(fake(offset_s))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def build(plan: Plan) -> Iterator[World]:
    """A world whose broker begins five minutes late."""
    with broker_clock(BROKER_S[0]):
        world = new_world(plan.data)
        inside = world.__enter__()
    try:
        yield inside
    finally:
        world.__exit__(None, None, None)


def run(arena: Arena) -> None:
    """Each change of the broker's clock comes with a restart of it; the worker gets a clock of its own each time.

    A change has to show in the log; a wrong clock counts, and one that is put right does not. What the worker's is set
    to shows nowhere, and is told only. Commands are answered whatever the clock says; calls close as well, unless
    market time has to wait for a clock that was further ahead.
    """
    rounds = arena.plan.pick(1, 3)
    furthest_s = BROKER_S[0]
    arena.start_service("streams.snapshotter")
    for n in range(rounds):
        off_s = arena.rng.sample(WORKER_S, len(WORKER_S))
        for i, (offset_s, worker_s) in enumerate(zip(BROKER_S, off_s, strict=True)):
            began = n + i > 0
            if began:
                arena.kill_worker(0, "clock changed")
                arena.world.broker.stop()
                with broker_clock(offset_s):
                    arena.world.broker.start()
            if not _stamps(arena, offset_s):
                what = f"no command has a stamp {offset_s:+d} s off"
                arena.tally.problems.append(f"the fault did not take effect: {what}")
            elif offset_s:
                arena.tally.count("clocks_wrong", with_kill=began)
            arena.tally.notes["worker_clocks_wrong"] += worker_s != 0
            arena.start_worker(0, "faults.worker", CONTRACTNET_FAULT_CLOCK_S=str(worker_s))
            furthest_s = max(furthest_s, offset_s)
            if offset_s == furthest_s:
                arena.wait_for_award()
            arena.wait_for_split([0])
            time.sleep(RAN_S)
        arena.plan.progress(n + 1, rounds, "rounds of wrong clocks")


def _stamps(arena: Arena, offset_s: int) -> bool:
    """Whether the broker comes to stamp commands of the load with the time of a clock that is off by so much."""
    bootstrap = arena.world.broker.bootstrap
    give_up_at = time.monotonic() + SEEN_S
    while time.monotonic() < give_up_at:
        stamps_ms = [newest_stamp_ms(bootstrap, market.partition) for market in arena.markets]
        due_s = time.time() + offset_s
        if any(ms is not None and abs(ms / 1000 - due_s) < CLOSE_S for ms in stamps_ms):
            return True
    return False
