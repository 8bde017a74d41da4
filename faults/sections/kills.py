"""kill -9 of the worker: at random instants, and at named points of its work."""

from __future__ import annotations

import subprocess
import time

from faults.arena import READY_S, Arena
from faults.points import VARIABLE

# Random kills come in between, so that a point that is reached at once can't keep the workers from making progress.
PHASES = (
    "random",
    "after_produce",
    "random",
    "after_decide",
    "committing",
    "random",
    "after_produce",
    "after_poll",
    "after_decide",
    "random",
    "after_commit",
    "after_produce",
    "after_acknowledge",
)
# How likely a worker dies each time that it passes the point: a few tenths of a second under the load.
PROBABILITIES = {
    "after_poll": 0.02,
    "after_decide": 0.001,
    "after_produce": 0.02,
    "committing": 0.02,
    "after_commit": 0.02,
    "after_acknowledge": 0.7,
}
PAUSES_MS = range(10, 40)
COMMIT_MS_MAX = 4
"""A commit takes 3 to 6 ms: a kill that waits for less falls into it."""
PATIENCE_S = 15.0


def run(arena: Arena) -> None:
    """Kill, start again, and measure the time to the next award.

    Where the next worker dies as well before one appears, it is measured from the first death on: to leave such times
    out, or to begin anew, would leave the long ones out.
    """
    kills = arena.plan.pick(len(PHASES), 300)
    arena.start_service("streams.snapshotter")
    arena.start_projector()
    died_at: float | None = None
    for n in range(kills):
        phase = PHASES[n % len(PHASES)]
        worker = _start(arena, phase, n)
        if died_at is None:
            arena.watch.wait_for_award()
        _wait_for_award_or_death(arena, worker)
        appeared = arena.watch.award_after
        if appeared is not None and died_at is not None:
            arena.tally.recovery_s.append(appeared - died_at)
            died_at = None
        again_at = _wait_for_death(arena, worker, phase)
        died_at = again_at if died_at is None else died_at
        arena.plan.progress(n + 1, kills, "kills")
    _wait_for_award_or_death(arena, arena.start_worker(0))
    appeared = arena.watch.award_after
    assert appeared is not None, "the last worker ended before it made an award"
    assert died_at is not None, "nothing was killed"
    arena.tally.recovery_s.append(appeared - died_at)


def _start(arena: Arena, phase: str, n: int) -> subprocess.Popen[bytes]:
    if phase == "random":
        return arena.start_worker(0)
    pause_ms = arena.rng.choice(range(COMMIT_MS_MAX) if phase == "committing" else PAUSES_MS)
    text = f"{phase}:{PROBABILITIES[phase]}:{arena.plan.seed + n}:{pause_ms}"
    return arena.start_worker(0, "faults.worker", **{VARIABLE: text})


def _wait_for_award_or_death(arena: Arena, worker: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + READY_S
    while arena.watch.award_after is None and worker.poll() is None:
        assert time.monotonic() < give_up_at, "a restarted worker makes no award"
        time.sleep(0.005)


def _wait_for_death(arena: Arena, worker: subprocess.Popen[bytes], phase: str) -> float:
    """The worker kills itself, or we kill it: at a random instant, or when its point was not reached in time."""
    if phase == "random":
        time.sleep(arena.rng.uniform(0.0, 0.7))
        return arena.kill_worker(0, phase)
    give_up_at = time.monotonic() + PATIENCE_S
    while worker.poll() is None:
        if time.monotonic() > give_up_at:
            return arena.kill_worker(0, "random")
        time.sleep(0.005)
    return arena.worker_died(0, phase)
