"""SIGSTOP beyond the session timeout: another worker takes over, and then the first one wakes up and goes on."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass

from faults.arena import Arena
from streams.referee import EXIT_FAULT

SESSION_S = 6.0
WORKERS = 2
FENCED = "_FENCED"
"""librdkafka's word for a producer whose transactional id has a new owner."""


@dataclass(frozen=True, slots=True)
class Zombie:
    """A worker that slept, and the length of the processes' log when it woke up."""

    process: subprocess.Popen[bytes]
    woke_at: int

    def is_fenced(self, log: bytes) -> bool:
        """Whether it ended by itself, and a fence was met before: both are in the log that all processes share."""
        told, ended, _ = log[self.woke_at :].partition(b"[%d] [CRITICAL] worker ends" % self.process.pid)
        return self.process.poll() == EXIT_FAULT and bool(ended) and FENCED.encode() in told


def run(arena: Arena) -> None:
    """Stop one of two workers at a time, in the middle of its work, until the other has everything; then wake it."""
    stops = arena.plan.pick(2, 50)
    log = arena.world.data / "processes.log"
    zombies: list[Zombie] = []
    arena.start_service("streams.snapshotter")
    arena.start_projector()
    for slot in range(WORKERS):
        arena.start_worker(slot)
    arena.wait_for_split(range(WORKERS))
    for n in range(stops):
        slot = n % WORKERS
        time.sleep(arena.rng.uniform(0.2, 0.8))
        worker = arena.workers[slot]
        worker.send_signal(signal.SIGSTOP)
        time.sleep(SESSION_S)
        arena.wait_for_split([1 - slot])
        # Of its last sleep, the other one may learn only now that it was fenced.
        arena.wait_for_award(revive=True)
        zombies.append(Zombie(worker, log.stat().st_size))
        worker.send_signal(signal.SIGCONT)
        arena.tally.zombies += 1
        # It finds itself fenced and ends, or learns first that its session is over and joins again.
        arena.wait_for_split(range(WORKERS))
        fenced = _fenced(zombies, log.read_bytes())
        arena.plan.progress(n + 1, stops, f"stops, {fenced} zombies ended by the fence")
    arena.tally.notes["zombies_fenced"] = _fenced(zombies, log.read_bytes())
    if not arena.tally.notes["zombies_fenced"]:
        arena.tally.problems.append("the fault did not take effect: no zombie ended by the fence")


def _fenced(zombies: list[Zombie], log: bytes) -> int:
    """How many, each once: one that joined again may have slept twice."""
    return len({zombie.process.pid for zombie in zombies if zombie.is_fenced(log)})
