"""The link between the broker and everything that a market runs: cut for seconds, and slow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from broker.external import ExternalBroker
from broker.jars import ensure_jars
from broker.java import find_java
from broker.node import KafkaNode
from broker.ports import find_free
from broker.ready import wait_until_ready
from broker.settings import Listener, Node, node_settings
from broker.storage import ensure_formatted
from faults.arena import Arena
from faults.plan import Plan
from faults.proxy import Proxy
from faults.world import World, world_on

CUT_S_MAX = 3.0
DELAY_S = 0.15
DELAYED_S = 4.0
READY_S = 60.0
STOP_S = 20.0


class LinkedBroker(ExternalBroker):
    """A broker as we see it, and the proxy through which the services see it."""

    def __init__(self, bootstrap: str, proxy: Proxy) -> None:
        super().__init__(bootstrap)
        self.proxy = proxy


@contextmanager
def build(plan: Plan) -> Iterator[World]:
    """A broker with two addresses: ours, and one that it tells the services, at which the proxy listens."""
    ports: list[int] = []
    while len(ports) < 4:
        ports += {find_free()} - set(ports)
    direct, behind, controller, front = (f"127.0.0.1:{port}" for port in ports)
    node = KafkaNode(plan.data / "broker")
    listeners = (Listener("PLAINTEXT", direct, direct), Listener("SERVICES", behind, front))
    cluster_id = ensure_formatted(node.data_dir, 1)
    place = Node(1, listeners, controller, (f"1@{controller}",), str(node.data_dir))
    node.launch(find_java(), ensure_jars(), node_settings(place))
    try:
        wait_until_ready(direct, READY_S, cluster_id=cluster_id, gone=lambda: not node.is_running())
        with Proxy(ports[3], ports[1]) as proxy, world_on(LinkedBroker(direct, proxy), plan.data) as world:
            world.services_at = front
            yield world
    finally:
        node.stop(STOP_S)


def run(arena: Arena) -> None:
    """In turn: cut, and slow. No process of the market dies of it."""
    faults = arena.plan.pick(4, 30)
    broker = arena.world.broker
    assert isinstance(broker, LinkedBroker)
    proxy = broker.proxy
    arena.start_market(2)
    for n in range(faults):
        if n % 2:
            _slow(arena, proxy)
        else:
            _cut(arena, proxy, CUT_S_MAX if n % 4 == 0 else arena.rng.uniform(0.1, CUT_S_MAX))
        arena.wait_for_award(everywhere=True)
        arena.demand_alive(f"link fault {n + 1}")
        arena.plan.progress(n + 1, faults, "faults of the link")


def _cut(arena: Arena, proxy: Proxy, away_s: float) -> None:
    """A cut counts where it dropped connections."""
    before = proxy.dropped
    proxy.cut()
    dropped = proxy.dropped - before
    time.sleep(away_s)
    proxy.mend()
    _count(arena, "links_cut", dropped, "connections_dropped")


def _slow(arena: Arena, proxy: Proxy) -> None:
    """A delay counts where bytes passed late."""
    before = proxy.delayed_bytes
    proxy.delay_s = DELAY_S
    time.sleep(DELAYED_S)
    proxy.delay_s = 0.0
    _count(arena, "links_delayed", proxy.delayed_bytes - before, "bytes_delayed")


def _count(arena: Arena, fault: str, effect: int, what: str) -> None:
    if effect:
        arena.tally.count(fault)
        arena.tally.notes[what] += effect
    else:
        arena.tally.problems.append(f"the fault did not take effect: {fault}, but {what}=0")
