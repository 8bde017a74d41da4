"""kill -9 and clean restart of the only broker, away for up to three seconds: no process of the market dies of it.

The next outage comes when every market has gone on after the last one. What is claimed is an outage of three
seconds, not fifty with nothing in between, which on a busy machine can be longer than any patience.
"""

from __future__ import annotations

import time

from faults.arena import Arena

OUTAGE_S_MAX = 3.0
AWAY_S_MAX = 15.0
"""With the time that the broker takes to stop and to start; a worker's patience is 20 s."""
WORKERS = 2


def run(arena: Arena) -> None:
    """Every other fault is a kill; every third outage is the longest."""
    faults = arena.plan.pick(4, 50)
    arena.start_market(WORKERS)
    for n in range(faults):
        time.sleep(arena.rng.uniform(0.2, 1.0))
        broker = arena.world.broker
        began_at = time.monotonic()
        if n % 2:
            broker.stop()
        else:
            broker.kill()
        time.sleep(OUTAGE_S_MAX if n % 3 == 0 else arena.rng.uniform(0.0, OUTAGE_S_MAX))
        broker.start()
        away_s = time.monotonic() - began_at
        arena.tally.broker += 1
        if away_s < AWAY_S_MAX:
            arena.wait_for_award(everywhere=True)
            arena.demand_alive(f"broker fault {n + 1}, {away_s:.1f} s")
        else:
            # A clean stop waits for what is under way, on a busy machine for long; then workers may have given up.
            arena.tally.notes["outages_too_long"] += 1
            arena.restart_ended()
            arena.wait_for_award(everywhere=True)
        arena.plan.progress(n + 1, faults, "broker faults")
