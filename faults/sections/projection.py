"""kill -9 of the projector at random and while it publishes, and of the snapshotter, alone and with the worker."""

from __future__ import annotations

import time

from contractnet.topics import SNAPSHOTS
from faults.arena import Arena

TURNS = ("projector", "publishing", "snapshotter", "both")
# Often enough that kills of the snapshotter fall into the writing of a snapshot.
SNAPSHOT_ENTRIES = "2000"
PUBLISHES_S = 10.0
PUBLISHING_S_MAX = 0.02
"""A publication of a short form takes a few hundredths of a second, and longer the more there is."""
PUBLISHING = "projector_publishing_kills"


def run(arena: Arena) -> None:
    """Kill one after the other and start it again; the rows are compared with the ledger at the end."""
    kills = arena.plan.pick(8, 60)
    arena.start_service("streams.snapshotter", CONTRACTNET_SNAPSHOT_ENTRIES=SNAPSHOT_ENTRIES)
    arena.start_projector()
    arena.start_worker(0)
    arena.wait_for_award()
    for n in range(kills):
        what = TURNS[n % len(TURNS)]
        if what in ("snapshotter", "both"):
            _kill_snapshotter(arena, with_worker=what == "both")
        else:
            _kill_projector(arena, publishing=what == "publishing")
        arena.plan.progress(n + 1, kills, "kills of projector and snapshotter")
    if not arena.tally.other[PUBLISHING]:
        arena.tally.problems.append("the fault did not take effect: no kill fell into a publication")


def _kill_projector(arena: Arena, *, publishing: bool) -> None:
    """What a kill fell into is told by what is left: a draft that nobody has renamed."""
    before = _generation(arena)
    arena.world.wait_for("the projector publishes", lambda: _generation(arena) > before)
    if publishing:
        give_up_at = time.monotonic() + PUBLISHES_S
        while not _has_draft(arena) and time.monotonic() < give_up_at:
            time.sleep(0.001)
        time.sleep(arena.rng.uniform(0.0, PUBLISHING_S_MAX))
    else:
        time.sleep(arena.rng.uniform(0.0, 1.0))
    arena.kill_service("projections.projector")
    arena.tally.count(PUBLISHING if _has_draft(arena) else "projector_kills")
    arena.start_projector()


def _has_draft(arena: Arena) -> bool:
    return any((arena.world.data / "projection").glob("ledger-*.draft"))


def _generation(arena: Arena) -> int:
    names = (path.stem for path in (arena.world.data / "projection").glob("ledger-*.duckdb"))
    return max((int(name.removeprefix("ledger-")) for name in names), default=0)


def _kill_snapshotter(arena: Arena, *, with_worker: bool) -> None:
    """Alone, it has to go on; with the worker, that has to restore from what was written half."""
    time.sleep(arena.rng.uniform(0.5, 3.0))
    arena.kill_service("streams.snapshotter")
    arena.tally.count("snapshotter_kills", with_kill=with_worker)
    if with_worker:
        arena.kill_worker(0, "with snapshotter")
    ends = _ends(arena)
    arena.start_service("streams.snapshotter", CONTRACTNET_SNAPSHOT_ENTRIES=SNAPSHOT_ENTRIES)
    if with_worker:
        arena.start_worker(0)
        arena.wait_for_award()
    arena.world.wait_for("the snapshotter writes again", lambda: _ends(arena) != ends)


def _ends(arena: Arena) -> list[int]:
    return [arena.watch.end_of(SNAPSHOTS.name, market.partition) for market in arena.markets]
