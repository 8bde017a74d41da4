"""Three brokers, three copies, two acknowledgements: leaders and the controller are killed and come back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka.admin import AdminClient

from broker.cluster import JvmCluster
from contractnet.topics import LEDGER
from faults.arena import Arena
from faults.plan import Plan
from faults.world import World, world_on

BROKERS = 3
DOWN_S = 3.0
TIMEOUT_S = 20.0


@contextmanager
def build(plan: Plan) -> Iterator[World]:
    """A cluster of its own."""
    with JvmCluster(plan.data, BROKERS) as cluster, world_on(cluster, plan.data, BROKERS) as world:
        yield world


def run(arena: Arena) -> None:
    """Kill the leader of a busy partition, then the controller, in turn; each comes back before the next."""
    faults = arena.plan.pick(2, 12)
    cluster = arena.world.broker
    assert isinstance(cluster, JvmCluster)
    arena.start_market(2)
    for n in range(faults):
        what = "controller" if n % 2 else "leader"
        number = _controller(arena) if n % 2 else _leader(arena)
        cluster.kill_node(number)
        arena.tally.broker += 1
        arena.tally.notes[f"{what}s_killed"] += 1
        arena.wait_for_award(TIMEOUT_S, everywhere=True)
        time.sleep(arena.rng.uniform(0.0, DOWN_S))
        cluster.start()
        arena.wait_for_award(TIMEOUT_S, everywhere=True)
        arena.demand_alive(f"broker fault {n + 1} ({what})")
        arena.plan.progress(n + 1, faults, "leaders and controllers killed")


def _leader(arena: Arena) -> int:
    metadata = AdminClient({"bootstrap.servers": arena.world.broker.bootstrap}).list_topics(LEDGER.name, TIMEOUT_S)
    return int(metadata.topics[LEDGER.name].partitions[arena.rng.choice(arena.markets).partition].leader)


def _controller(arena: Arena) -> int:
    """The quorum's leader by its own files: a KRaft broker tells clients any broker as the controller."""
    pattern = "broker/node-*/data/__cluster_metadata-0/quorum-state"
    states = [json.loads(path.read_text("utf-8")) for path in arena.world.data.glob(pattern)]
    return int(max(states, key=lambda state: int(state["leaderEpoch"]))["leaderId"])
