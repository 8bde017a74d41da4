"""kill -9 of the projector at random instants and while it publishes, and of snapshotter and worker together."""

from __future__ import annotations

import time

from faults.arena import Arena

TURNS = ("projector", "projector_publishing", "snapshotter")
# Often enough that kills of the snapshotter fall into the writing of a snapshot.
SNAPSHOT_ENTRIES = "2000"
PUBLISHES_S = 10.0


def run(arena: Arena) -> None:
    """Kill one after the other and start it again; the rows are compared with the ledger at the end."""
    kills = arena.plan.pick(6, 60)
    arena.start_service("streams.snapshotter", CONTRACTNET_SNAPSHOT_ENTRIES=SNAPSHOT_ENTRIES)
    arena.start_projector()
    arena.start_worker(0)
    arena.wait_for_award()
    for n in range(kills):
        what = TURNS[n % len(TURNS)]
        if what == "snapshotter":
            _kill_snapshotter(arena)
        else:
            _kill_projector(arena, publishing=what == "projector_publishing")
        arena.tally.other[f"{what}_kills"] += 1
        arena.plan.progress(n + 1, kills, "kills of projector and snapshotter")


def _kill_projector(arena: Arena, *, publishing: bool) -> None:
    before = _generation(arena)
    arena.world.wait_for("the projector publishes", lambda: _generation(arena) > before)
    if publishing:
        drafts = arena.world.data / "projection"
        give_up_at = time.monotonic() + PUBLISHES_S
        while not any(drafts.glob("ledger-*.draft")) and time.monotonic() < give_up_at:
            time.sleep(0.001)
        time.sleep(arena.rng.uniform(0.0, 0.05))
    else:
        time.sleep(arena.rng.uniform(0.0, 1.0))
    arena.kill_service("projections.projector")
    arena.start_projector()


def _generation(arena: Arena) -> int:
    names = (path.stem for path in (arena.world.data / "projection").glob("ledger-*.duckdb"))
    return max((int(name.removeprefix("ledger-")) for name in names), default=0)


def _kill_snapshotter(arena: Arena) -> None:
    """With the worker, which then has to restore from what was written half."""
    time.sleep(arena.rng.uniform(0.5, 3.0))
    arena.kill_service("streams.snapshotter")
    arena.kill_worker(0, "with snapshotter")
    arena.start_service("streams.snapshotter", CONTRACTNET_SNAPSHOT_ENTRIES=SNAPSHOT_ENTRIES)
    arena.start_worker(0)
    arena.wait_for_award()
