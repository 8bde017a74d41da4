"""One worker, three, one again, under load: workers join, leave in good order, and are killed."""

from __future__ import annotations

import signal
import time

from faults.arena import Arena

MORE = (1, 2)


def run(arena: Arena) -> None:
    """Rounds of 1 -> 3 -> 1, in which all three own partitions; in every other one the two leave by kill -9.

    A worker that owns nothing when it leaves moves nothing, and counts as no fault.
    """
    rounds = arena.plan.pick(2, 8)
    arena.start_service("streams.snapshotter")
    arena.start_worker(0)
    arena.wait_for_split([0])
    for n in range(rounds):
        killing = n % 2 == 1
        for slot in MORE:
            arena.start_worker(slot)
        arena.wait_for_split([0, *MORE])
        arena.tally.count("rebalances", len(MORE))
        arena.wait_for_award()
        for slot in MORE:
            time.sleep(arena.rng.uniform(0.0, 0.5))
            if arena.owned(slot):
                arena.tally.count("rebalances", with_kill=killing)
            elif not killing:
                arena.tally.notes["idle_leaves"] += 1
            if killing:
                arena.kill_worker(slot, "rebalance")
            else:
                _leave(arena, slot)
        arena.wait_for_split([0])
        arena.wait_for_award()
        arena.plan.progress(n + 1, rounds, "rounds of 1 -> 3 -> 1 workers")


def _leave(arena: Arena, slot: int) -> None:
    worker = arena.workers.pop(slot)
    worker.send_signal(signal.SIGTERM)
    code = worker.wait(30)
    if code != 0:
        arena.tally.problems.append(f"a worker that was told to leave ended with code {code}")
