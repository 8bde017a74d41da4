"""SIGSTOP beyond the session timeout: another worker takes over, and then the first one wakes up and goes on."""

from __future__ import annotations

import signal
import time

from faults.arena import Arena

SESSION_S = 6.0
WORKERS = 2


def run(arena: Arena) -> None:
    """Stop one of two workers at a time, in the middle of its work, until the other has everything; then wake it."""
    stops = arena.plan.pick(2, 50)
    arena.start_service("streams.snapshotter")
    for slot in range(WORKERS):
        arena.start_worker(slot)
    arena.wait_for_split(range(WORKERS))
    for n in range(stops):
        slot = n % WORKERS
        time.sleep(arena.rng.uniform(0.2, 0.8))
        zombie = arena.workers[slot]
        zombie.send_signal(signal.SIGSTOP)
        time.sleep(SESSION_S)
        arena.wait_for_split([1 - slot])
        # Of its last sleep, the other one may learn only now that it was fenced.
        arena.wait_for_award(revive=True)
        zombie.send_signal(signal.SIGCONT)
        arena.tally.zombies += 1
        # It finds itself fenced and ends, or learns first that its session is over and joins again.
        arena.wait_for_split(range(WORKERS))
        arena.plan.progress(n + 1, stops, f"stops, {arena.tally.notes['workers_ended']} zombies ended by the fence")
