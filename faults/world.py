"""A market on a broker of its own, with real workers as processes: what the campaign and the tests run."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from broker.interface import Broker
from broker.jvm import JvmBroker
from broker.ports import find_free
from contractnet.access import ACCESS_ENV, Access, client_settings, role_file
from contractnet.cli.directory import DataDirectory
from contractnet.codec import decode_entry
from contractnet.envelope import Sealed, seal
from contractnet.messages import Command, Direction, Entry, Pricing
from contractnet.messages import commands as c
from contractnet.messages.partition import partition_of
from contractnet.signing import NO_GENESIS, KeyPair
from contractnet.topics import COMMANDS, LEDGER
from contractnet.watermarks import watermarks
from faults.acknowledged import Acknowledged
from market.rules import RULES
from services.access import environment_of
from services.brokers import embedded
from streams.reading import Record, new_consumer, read_partition
from streams.topics import create_topics

PARTITIONS = 4
CREDITS = 10**12
ROLES = {"faust": "referee", "streams.snapshotter": "snapshotter", "projections.projector": "projector"}
"""The role of each module that runs as a process of the market; others have the access of this process."""


@dataclass
class Market:
    """One market: its keys, and how to send to it. `agents` maps names to keys."""

    name: str
    producer: Producer
    operator: KeyPair
    bank: KeyPair = field(default_factory=KeyPair.generate)
    manager: KeyPair = field(default_factory=KeyPair.generate)
    agents: list[KeyPair] = field(default_factory=list)
    genesis: bytes = NO_GENESIS
    accounts: dict[bytes, bytes] = field(default_factory=dict)
    acknowledged: Acknowledged = field(default_factory=Acknowledged)
    _sequences: dict[bytes, int] = field(default_factory=dict)

    @property
    def partition(self) -> int:
        return partition_of(self.name, PARTITIONS)

    def seal(self, command: Command, keys: KeyPair) -> Sealed:
        """Sign a command with the next sequence of its key."""
        self._sequences[keys.public] = sequence = self._sequences.get(keys.public, 0) + 1
        genesis = NO_GENESIS if isinstance(command, c.OpenMarket) else self.genesis
        return seal(command, market=self.name, genesis=genesis, keys=keys, sequence=sequence)

    def send(self, command: Command, keys: KeyPair) -> bytes:
        """Sign and send; returns the command's id."""
        return self.send_sealed(self.seal(command, keys))

    def send_sealed(self, sealed: Sealed) -> bytes:
        """Send what was signed before, and remember that the broker acknowledged it; returns the command's id."""
        self.producer.produce(
            COMMANDS.name,
            sealed.value,
            key=self.name.encode(),
            headers=list(sealed.headers),
            partition=self.partition,
            on_delivery=self.acknowledged.noting(sealed.command_id),
        )
        self.producer.poll(0)
        return sealed.command_id

    def send_raw(
        self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], partition: int | None = None
    ) -> None:
        """Send any bytes at all."""
        self.producer.produce(
            COMMANDS.name,
            value,
            key=key,
            headers=list(headers),
            partition=self.partition if partition is None else partition,
        )
        self.producer.poll(0)

    def open(self, agents: int, units: int = 1000, *, signed: bool = True, pairs: int = 0) -> None:
        """Genesis, a manager with a pool, and agents with credits, each of a budget root of its own, but for so many
        pairs from the third agent on, who share one."""
        genesis = self.seal(c.OpenMarket(self.bank.public, PARTITIONS, max(RULES), signed), self.operator)
        self.genesis = hashlib.sha256(genesis.value).digest()
        self.send_sealed(genesis)
        self.accounts[self.manager.public] = self.open_account("manager", self.manager)
        for i in range(agents):
            keys = KeyPair.generate()
            self.agents.append(keys)
            root = f"project-{i - i % 2}" if 2 <= i < 2 + 2 * pairs else f"project-{i}"
            account = self.open_account(f"agent-{i}", keys, f"project-{i}", root)
            self.accounts[keys.public] = account
            self.send(c.IssueCredits(account, CREDITS, "start"), self.bank)
        self.send(c.CreatePool("gpu", self.accounts[self.manager.public], units), self.bank)

    def set_budgets(self) -> None:
        """One of a project, which gives and takes each minute, and one of the first agent, which is soon spent."""
        self.send(c.SetBudget(None, "project-1", None, 1_000, 60_000, None, 1, 0, 800), self.bank)
        first = self.accounts[self.agents[0].public]
        self.send(c.SetBudget(first, "", 5 * 10**6, 0, 60_000, None, 0, 0, 800), self.bank)

    def open_account(self, name: str, keys: KeyPair, project: str = "project", root: str = "") -> bytes:
        """Have the bank open an account of a project, which is its budget root unless one is named; returns its id."""
        return self.send(c.OpenAccount(name, project, root or project, keys.public, bytes(32)), self.bank)

    def call(self, *, open_ms: int = 200, duration_ms: int = 1000, units: int = 1) -> bytes:
        """The manager calls for proposals; returns the CFP's id."""
        terms = c.CallForProposals(Direction.SELL, "gpu", units, duration_ms, 1, open_ms, 10, Pricing.SECOND)
        return self.send(terms, self.manager)

    def bid(self, cfp: bytes, keys: KeyPair, price_ucr: int) -> bytes:
        """An agent bids; returns the bid's id."""
        return self.send(c.PlaceBid(cfp, price_ucr, 0, "task", bytes(32), None), keys)


@dataclass
class World:
    """A broker, its topics, and the processes that were started on it. `services_at` is where they find the broker,
    if not where we do."""

    broker: Broker
    data: Path
    operator: KeyPair
    producer: Producer
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    replication: int = 1
    services_at: str = ""
    acknowledged: Acknowledged = field(default_factory=Acknowledged)

    def market(self, name: str) -> Market:
        return Market(name, self.producer, self.operator, acknowledged=self.acknowledged)

    def environment(self, **more: str) -> dict[str, str]:
        return os.environ | {
            "CONTRACTNET_BOOTSTRAP": self.services_at or self.broker.bootstrap,
            "CONTRACTNET_REPLICATION": str(self.replication),
            "CONTRACTNET_DATA": str(self.data),
            "CONTRACTNET_OPERATOR_KEY": self.operator.public.hex(),
            "CONTRACTNET_SESSION_TIMEOUT_S": "6",
            **more,
        }

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a Python module as a process of this world, with its role's access where there is one."""
        log = (self.data / "processes.log").open("ab")
        own = os.environ.get(ACCESS_ENV)
        environment[ACCESS_ENV] = environment_of(DataDirectory(self.data), ROLES.get(command[0], ""), own)
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=self.environment(**environment), stdout=log, stderr=log
        )
        self.processes.append(process)
        return process

    def start_worker(self, slot: int, app: str = "streams.app", **environment: str) -> subprocess.Popen[bytes]:
        """Start a Faust worker of the referee."""
        more = {"CONTRACTNET_SLOT": str(slot), "CONTRACTNET_WEB_PORT": str(self.web_port + slot), **environment}
        return self.start("faust", "-A", app, "worker", "-l", "info", **more)

    web_port: int = field(default_factory=find_free)

    def health(self, slot: int) -> str:
        """What a worker's /health answers; empty while it does not."""
        return self.page(slot, "health")

    def page(self, slot: int, path: str) -> str:
        url = f"http://127.0.0.1:{self.web_port + slot}/{path}"
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    def ledger(self, partition: int) -> list[Record]:
        """All committed records of a ledger partition."""
        return list(read_partition(self.broker.bootstrap, LEDGER.name, partition, 0))

    def entries(self, market: Market) -> list[Entry]:
        """All entries of a market's partition."""
        return self.entries_of(market.partition)

    def entries_of(self, partition: int) -> list[Entry]:
        """All entries of a partition."""
        return [decode_entry(r.value) for r in self.ledger(partition)]

    def end_of(self, topic: str, partition: int) -> int:
        """Offset after the last record of a partition."""
        if self._watcher is None:
            self._watcher = new_consumer(self.broker.bootstrap, log_level=2)
        return watermarks(self._watcher, TopicPartition(topic, partition))[1]

    _watcher: Consumer | None = None

    def wait_for(self, what: str, condition: Callable[[], bool], timeout_s: float = 60) -> None:
        """Wait until `condition` holds; fails with the end of the processes' log."""
        give_up_at = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > give_up_at:
                tail = (self.data / "processes.log").read_text("utf-8", "replace")[-4000:]
                raise AssertionError(f"not within {timeout_s:.0f} s: {what}\n{tail}")
            time.sleep(0.1)

    def stop_all(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def new_world(data: Path) -> Iterator[World]:
    """A broker with topics in `data`; everything that was started ends with the block."""
    with JvmBroker(data, port=find_free()) as broker, world_on(broker, data) as world:
        yield world


@contextmanager
def guarded_world(data: Path, tell: Callable[[str], None]) -> Iterator[World]:
    """A world whose broker has the access control of `contractnet up`: users, rights and quotas.

    Each process of the market has its role's credentials. This one reads as the referee, who may read everything; the
    world's producer sends as the operator, who has no quota.
    """
    directory = DataDirectory(data)
    directory.prepare()
    broker, _ = embedded(directory, tell, find_free())
    try:
        with _acting_as("operator", data), world_on(broker, data) as world, _acting_as("referee", data):
            yield world
    finally:
        broker.stop()


@contextmanager
def acting_as_auditor(world: World) -> Iterator[None]:
    """Inside, this process and those that it starts read with an auditor's rights, where the broker knows any."""
    if role_file(world.data, "auditor").is_file():
        with _acting_as("auditor", world.data):
            yield
    else:
        yield


@contextmanager
def _acting_as(role: str, data: Path) -> Iterator[None]:
    former = os.environ.get(ACCESS_ENV)
    os.environ[ACCESS_ENV] = str(role_file(data, role))
    try:
        yield
    finally:
        if former is None:
            del os.environ[ACCESS_ENV]
        else:
            os.environ[ACCESS_ENV] = former


def new_producer(bootstrap: str, access: Access | None = None) -> Producer:
    """A producer for the market's commands. `access` None: that of this process."""
    return Producer(
        client_settings(bootstrap, access)
        | {"enable.idempotence": True, "linger.ms": 2, "message.max.bytes": 2_000_000, "log_level": 2}
    )


@contextmanager
def world_on(broker: Broker, data: Path, replication: int = 1) -> Iterator[World]:
    """The topics on a running broker, and whatever is started on it; the processes end with the block."""
    create_topics(broker.bootstrap, PARTITIONS, replication)
    producer = new_producer(broker.bootstrap)
    world = World(broker, data, KeyPair.generate(), producer, replication=replication)
    try:
        yield world
    finally:
        world.stop_all()
        producer.flush(5)
        if world._watcher is not None:
            world._watcher.close()
