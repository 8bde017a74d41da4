"""Several workers share the partitions; a worker that leaves hands over cleanly; a slot has one holder."""

from __future__ import annotations

import json
import signal
import time
from functools import partial
from pathlib import Path

from contractnet.messages import events as e
from tests.integration.checker import check
from tests.integration.world import PARTITIONS, World, new_world

NAMES = ("default", "tenant-42", "Ω-market", "tenant-1")


def owned(world: World, slot: int) -> set[int]:
    """Partitions that a worker says it owns."""
    text = world.health(slot)
    return {int(p) for p in json.loads(text)["next_offset"]} if text else set()


def test_workers_share_partitions_and_hand_over_when_one_leaves(tmp_path: Path) -> None:
    """Two workers split four partitions; after SIGTERM to one, the other owns all within the session timeout, and the
    log stays sound. A third process for a held slot refuses to start."""
    with new_world(tmp_path) as world:
        session_s = 30
        session = {"CONTRACTNET_SESSION_TIMEOUT_S": str(session_s)}
        world.start_worker(0, **session)
        leaving = world.start_worker(1, **session)
        everything = set(range(PARTITIONS))

        def split() -> bool:
            first, second = owned(world, 0), owned(world, 1)
            return bool(first) and bool(second) and first | second == everything and not first & second

        world.wait_for("two workers split the partitions", split)
        markets = [world.market(name) for name in NAMES]
        for market in markets:
            market.open(agents=3)
        duplicate = world.start_worker(0)
        assert duplicate.wait(30) != 0
        assert "is held by process" in (world.data / "processes.log").read_text()
        cfps = [market.call(open_ms=300) for market in markets for _ in range(5)]
        world.producer.flush(10)

        leaving.send_signal(signal.SIGTERM)
        started = time.monotonic()
        world.wait_for("the other owns all", lambda: owned(world, 0) == everything, session_s)
        handover_s = time.monotonic() - started
        assert leaving.wait(20) == 0
        print(f"\nscale-in: the other worker owned all partitions after {handover_s:.2f} s")
        assert handover_s < session_s / 2, "a leaving worker must not be waited for until its session ends"

        cfps += [market.call(open_ms=300) for market in markets for _ in range(5)]

        def ended() -> int:
            entries = [x.event for p in range(PARTITIONS) for x in world.entries_of(p)]
            return len({event.cfp for event in entries if isinstance(event, e.CfpClosed)} & set(cfps))

        world.wait_for("every CFP ended", lambda: ended() == len(cfps))
        metrics = world.page(0, "metrics")
        assert "contractnet_commands_total{partition=" in metrics
        assert "contractnet_commit_seconds_bucket" in metrics
        world.stop_all()
        for partition in range(PARTITIONS):
            verdict = check(world.broker.bootstrap, partition, PARTITIONS, world.operator.public)
            assert verdict.sound, verdict


def test_a_third_worker_takes_its_share(tmp_path: Path) -> None:
    """Workers that join one after the other own four partitions as 4, 2 and 2, and 2, 1 and 1."""
    with new_world(tmp_path) as world:

        def share(wanted: list[int]) -> bool:
            sets = [owned(world, slot) for slot in range(len(wanted))]
            return sorted(map(len, sets)) == wanted and set().union(*sets) == set(range(PARTITIONS))

        for wanted in ([4], [2, 2], [1, 1, 2]):
            world.start_worker(len(wanted) - 1)
            world.wait_for(f"workers own {wanted}", partial(share, wanted))
