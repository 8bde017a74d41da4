"""The broker's settings: one table for the embedded broker, the container and the compose file.

Names and meanings are Kafka's own (https://kafka.apache.org/documentation/#brokerconfigs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.security import Security

KAFKA_VERSION = "4.3.1"
IMAGE = f"apache/kafka:{KAFKA_VERSION}"
DEFAULT_PORT = 9092
CONTAINER_PORT = 9092
CONTAINER_HOST = "kafka"
_CONTROLLER = "CONTROLLER"
_CLIENTS = "CLIENTS"

# Of a single broker. Four partitions each: one internal partition per market partition is enough,
# and the default of 50 costs a second at the first start.
SETTINGS: Mapping[str, str] = {
    # A topic that a typo creates would have the wrong partition count, and a market would split over it.
    "auto.create.topics.enable": "false",
    "num.partitions": "4",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    # The default waits 3 s for more members before the first assignment.
    "group.initial.rebalance.delay.ms": "0",
    # After a kill the controller lets the same broker register again only when its old session is over (default 9 s).
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",
    # The default of 128 MiB is half of our heap; the compacted topic is small.
    "log.cleaner.dedupe.buffer.size": "16777216",
}

# Of a cluster: several JVMs on few cores need a little longer between signs of life.
CLUSTER_SETTINGS: Mapping[str, str] = {
    "broker.session.timeout.ms": "3000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
}


@dataclass(frozen=True, slots=True)
class Listener:
    """One address for clients: bound on `bind`, told to clients as `advertised` (both `host:port`)."""

    name: str
    bind: str
    advertised: str


@dataclass(frozen=True, slots=True)
class Node:
    """One broker that is also a controller (KRaft combined mode).

    `voters` are the controllers of the cluster as `id@host:port`; `controller` is this node's own `host:port`.
    `log_dir` is the directory of its data as the broker sees it.
    """

    node_id: int
    listeners: tuple[Listener, ...]
    controller: str
    voters: tuple[str, ...]
    log_dir: str


def node_settings(node: Node, security: Security | None = None) -> dict[str, str]:
    """Every setting of one node, by Kafka's names: the shared table plus what only this node has.

    `security` None: anybody who reaches it may do anything, for development.
    """
    protocol = "PLAINTEXT" if security is None else "SASL_PLAINTEXT"
    names = [listener.name for listener in node.listeners]
    addresses = {listener.name: listener.bind for listener in node.listeners} | {_CONTROLLER: node.controller}
    return {
        **SETTINGS,
        **_replication(len(node.voters)),
        "process.roles": "broker,controller",
        "node.id": str(node.node_id),
        "controller.quorum.voters": ",".join(node.voters),
        "listeners": ",".join(f"{name}://{address}" for name, address in addresses.items()),
        "advertised.listeners": ",".join(f"{each.name}://{each.advertised}" for each in node.listeners),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name in addresses),
        "inter.broker.listener.name": names[0],
        "controller.listener.names": _CONTROLLER,
        "log.dirs": node.log_dir,
        **({} if security is None else security.settings(names, _CONTROLLER)),
    }


def as_properties(settings: Mapping[str, str]) -> str:
    """The settings as the text of a Java properties file: in ASCII, with what Java escapes escaped."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in settings.items())


def _escaped(value: str) -> str:
    doubled = value.replace("\\", "\\\\").encode("utf-16-be")
    units = (int.from_bytes(doubled[at : at + 2]) for at in range(0, len(doubled), 2))
    return "".join(chr(unit) if unit < 0x80 else f"\\u{unit:04x}" for unit in units)


def as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings as the environment of the official image: `log.dirs` is `KAFKA_LOG_DIRS`, and `-` is `___`."""
    return {"KAFKA_" + name.upper().replace("-", "___").replace(".", "_"): text for name, text in settings.items()}


def loopback(node_id: int, port: int, controller_port: int, voters: Iterable[str], log_dir: str) -> Node:
    """A node that only this machine can reach."""
    address = f"127.0.0.1:{port}"
    listener = Listener(_CLIENTS, address, address)
    return Node(node_id, (listener,), f"127.0.0.1:{controller_port}", tuple(voters), log_dir)


def container(host_port: int) -> Node:
    """The node inside the official image: `kafka:19092` for other containers, `127.0.0.1:host_port` for this machine.

    Its controller listens on the container's own loopback only. `host_port` has to be published on 127.0.0.1, from
    the container's port 9092.
    """
    listeners = (
        Listener(_CLIENTS, "0.0.0.0:19092", f"{CONTAINER_HOST}:19092"),
        Listener("HOST", f"0.0.0.0:{CONTAINER_PORT}", f"127.0.0.1:{host_port}"),
    )
    return Node(1, listeners, "127.0.0.1:9093", ("1@127.0.0.1:9093",), "/var/lib/kafka/data")


def _replication(brokers: int) -> dict[str, str]:
    """Three copies and two acknowledgements where three brokers exist, else one of each."""
    copies = min(brokers, 3)
    acknowledgements = str(max(copies - 1, 1))
    return {
        "default.replication.factor": str(copies),
        "min.insync.replicas": acknowledgements,
        "offsets.topic.replication.factor": str(copies),
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": acknowledgements,
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": acknowledgements,
        **(CLUSTER_SETTINGS if brokers > 1 else {}),
    }
