"""Several embedded brokers as one cluster, for tests of what happens when one of them dies."""

from __future__ import annotations

from pathlib import Path

from broker.aot import aot_flags
from broker.interface import Broker
from broker.jars import ensure_jars
from broker.java import find_java
from broker.node import KafkaNode
from broker.ports import find_free
from broker.progress import Notify, ProgressCallback, silent
from broker.ready import wait_until_ready
from broker.settings import loopback, node_settings
from broker.storage import ensure_formatted, new_id
from contractnet.errors import BrokerUnreachableError

_START_TIMEOUT_S = 60.0
# A node takes 5 s, or never ends where its controller went first; what it had acknowledged is on disk by then.
_STOP_TIMEOUT_S = 8.0


class JvmCluster(Broker):
    """A cluster on loopback: with three brokers three copies of everything, of which two have to acknowledge.

    Nodes are numbered from 1 and keep their files in `<data_dir>/broker/node-<id>`. The ports are chosen when the
    object is made and stay the same over its restarts.
    """

    def __init__(
        self,
        data_dir: Path,
        brokers: int = 3,
        *,
        progress: ProgressCallback | None = None,
        notify: Notify = silent,
    ) -> None:
        self._nodes = {number: KafkaNode(data_dir / "broker" / f"node-{number}") for number in range(1, brokers + 1)}
        ports: set[int] = set()
        while len(ports) < 2 * brokers:
            ports.add(find_free())
        self._ports = dict(zip(self._nodes, ports, strict=False))
        self._controllers = dict(zip(self._nodes, ports - set(self._ports.values()), strict=True))
        self._progress = progress
        self._notify = notify

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    def start(self) -> None:
        """Start the nodes that do not run, and return when all have registered."""
        absent = [number for number, node in self._nodes.items() if not node.is_running()]
        ready = False
        try:
            self._launch(absent)
            ready = True
        finally:
            # Also after Ctrl-C: what nobody waited for must not stay behind.
            if not ready:
                self.stop()

    def stop(self) -> None:
        # All at once: a node waits for its cluster to take over its partitions, and the last ones would in vain.
        for node in self._nodes.values():
            node.terminate()
        for node in self._nodes.values():
            node.stop(_STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Kill every node that runs."""
        for number, node in self._nodes.items():
            if node.is_running():
                self.kill_node(number)

    def kill_node(self, number: int) -> None:
        """Kill one node; `start` brings it back. Errors: `BrokerNotRunningError`."""
        self._nodes[number].kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _launch(self, numbers: list[int]) -> None:
        java, jars = find_java(), ensure_jars(self._progress)
        flags = aot_flags(java, jars, self._notify)
        voters = [f"{number}@127.0.0.1:{port}" for number, port in self._controllers.items()]
        cluster_id = new_id()
        for number, node in self._nodes.items():
            # An existing node's id wins over the new one, and the others follow it.
            cluster_id = ensure_formatted(node.data_dir, number, cluster_id)
        for number in numbers:
            node = self._nodes[number]
            place = loopback(number, self._ports[number], self._controllers[number], voters, str(node.data_dir))
            node.launch(java, jars, node_settings(place), flags)
        try:
            wait_until_ready(
                self.bootstrap,
                _START_TIMEOUT_S,
                brokers=len(self._nodes),
                cluster_id=cluster_id,
                gone=lambda: not all(node.is_running() for node in self._nodes.values()),
            )
        except BrokerUnreachableError as error:
            suspects = [self._nodes[number] for number in numbers]
            first = next((node for node in suspects if not node.is_running()), suspects[0])
            raise first.start_failure(_START_TIMEOUT_S) from error
