"""One worker, three, one again, under load: workers join, leave in good order, and are killed."""

from __future__ import annotations

import signal
import time

from faults.arena import Arena

MORE = (1, 2)


def run(arena: Arena) -> None:
    """Rounds of 1 -> 3 -> 1; in every other one the two leave by kill -9."""
    rounds = arena.plan.pick(2, 8)
    arena.start_service("streams.snapshotter")
    arena.start_worker(0)
    arena.wait_for_split([0])
    for n in range(rounds):
        for slot in MORE:
            arena.start_worker(slot)
        arena.wait_for_split([0, *MORE], standby=True)
        arena.wait_for_award()
        for slot in MORE:
            time.sleep(arena.rng.uniform(0.0, 0.5))
            if n % 2:
                arena.kill_worker(slot, "rebalance")
            else:
                _leave(arena, slot)
        arena.wait_for_split([0])
        arena.wait_for_award()
        arena.tally.count("rebalances", len(MORE))
        arena.tally.count("rebalances", len(MORE), with_kill=n % 2 == 1)
        arena.plan.progress(n + 1, rounds, "rounds of 1 -> 3 -> 1 workers")


def _leave(arena: Arena, slot: int) -> None:
    worker = arena.workers.pop(slot)
    worker.send_signal(signal.SIGTERM)
    code = worker.wait(30)
    if code != 0:
        arena.tally.problems.append(f"a worker that was told to leave ended with code {code}")
