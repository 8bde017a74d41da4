"""The parts of a market on one machine, and the order of their life."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from analytics.policy import guards_off
from broker.external import ExternalBroker
from broker.interface import Broker
from broker.jvm import JvmBroker
from broker.ports import find_free
from contractnet.access import ACCESS_ENV, client_settings, own_access
from contractnet.cli.directory import DataDirectory
from contractnet.errors import BrokerError, BrokerUnreachableError, QueryError, ServiceError
from contractnet.rights import app_id
from contractnet.topics import COMMANDS, PARTITIONS_DEFAULT
from services import access, state
from services.brokers import embedded, is_dead
from services.cluster import check_operator, wait_for_absence
from services.guards import RESALE_CALL_S, off_at_first, off_line
from services.opening import open_market, operator_keys, wait_for_clock
from services.part import BACKOFF_S_MAX, BACKOFF_S_MIN, Part
from services.table import command
from streams.topics import create_topics

Tell = Callable[[str], None]

READY_S = 90.0
_TELL_S = 10.0
_STOP_S = 20.0
_PAUSE_S = 0.1
_ADMIN_S = 10.0
_CONNECT_S = 6.0


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What `up` was asked for. `bootstrap` None: the embedded broker; `partitions` None: as found, else four."""

    directory: DataDirectory
    bootstrap: str | None = None
    market: str = "default"
    workers: int = 1
    partitions: int | None = None
    signed: bool = True
    insecure: bool = False
    resale_call_s: int | None = None
    """For a market that is opened; None: as `guards.RESALE_CALL_S` has it."""

    def arguments(self) -> list[str]:
        """The same options as a command line."""
        more = [] if self.bootstrap is None else ["--bootstrap", self.bootstrap]
        more += ["--data", str(self.directory.path), "--market", self.market, "up", "--workers", str(self.workers)]
        more += [] if self.partitions is None else ["--partitions", str(self.partitions)]
        more += ["--insecure"] if self.insecure else []
        more += [] if self.resale_call_s is None else ["--resale-call", f"{self.resale_call_s}s"]
        return more + ([] if self.signed else ["--unsigned"])


class Supervisor:
    """Starts, watches and stops. `stop` may be called at any time, also after a `start` that failed."""

    def __init__(self, options: UpOptions, tell: Tell) -> None:
        self.options = options
        self.directory = options.directory
        self.partitions = options.partitions or PARTITIONS_DEFAULT
        self.parts: list[Part] = []
        self.broker: Broker | None = None
        self.ready = False
        self._tell = tell
        self._owns_broker = False
        self._replication = 1
        self._lock: state.UpLock | None = None
        self._started_s = time.time()
        self._given_access = os.environ.get(ACCESS_ENV)
        self._noted: state.UpState | None = None
        self._broker_backoff_s = BACKOFF_S_MIN
        self._broker_start_at: float | None = None

    @property
    def bootstrap(self) -> str:
        """The broker's address, once `start` has it."""
        assert self.broker is not None
        return self.broker.bootstrap

    def start(self) -> None:
        """Start everything and return when the market takes commands. Raises ContractnetError."""
        self.directory.prepare()
        self._lock = state.UpLock(self.directory)
        self._start_broker()
        os.environ[ACCESS_ENV] = access.environment_of(self.directory, "operator", self._given_access)
        self._check_cluster()
        operator_keys(self.directory, self.options.market)
        self._prepare_topics()
        self.parts = [*self._workers(), self._snapshotter(), self._projector()]
        for part in self.parts:
            part.start()
        self._note()
        self._wait_healthy()
        self._open_market()
        wait_for_clock(self.bootstrap, self.options.market, self.partitions, self._tell, self.look)
        self.ready = True
        self._note()

    def _open_market(self) -> None:
        market, asked_s = self.options.market, self.options.resale_call_s
        call_s = RESALE_CALL_S if asked_s is None else asked_s
        opening = asyncio.run(
            open_market(self.directory, self.bootstrap, market, signed=self.options.signed, resale_call_s=call_s)
        )
        self._tell(f"market {market!r} {'opened' if opening.now else 'was open already'}")
        if not opening.signed:
            self._tell("UNSIGNED market, for development only: anybody who reaches the broker acts in anybody's name")
        elif not self.options.signed:
            self._tell("--unsigned has no effect: the market was opened with signatures, and keeps them")
        begin = command(self.directory, market)
        if not opening.now and asked_s is not None:
            self._tell(f"--resale-call has no effect: the market was open; `{begin} policy resale {asked_s}s` sets it")
        try:
            off = off_at_first(call_s) if opening.now else guards_off(self.directory.path, market)
        except QueryError:
            return  # it is being rebuilt in another format
        if line := off_line(off, begin):
            self._tell(line)

    def look(self) -> None:
        """Notice what crashed, and start it again after a pause that grows."""
        if self.broker is not None and self._owns_broker and is_dead(self.broker):
            self._look_at_broker(self.broker)
        for part in self.parts:
            happened = part.look()
            if happened is not None:
                self._tell(happened)
        self._note()

    def stop(self) -> None:
        """End all parts in order, the broker last, and give the directory back."""
        for group in (self._named("worker"), self._named("snapshotter"), self._named("projector")):
            for part in group:
                part.terminate()
            for part in group:
                part.wait(_STOP_S)
        self.parts = []
        if self.broker is not None and self._owns_broker:
            self.broker.stop()
        self.broker = None
        if self._given_access is None:
            os.environ.pop(ACCESS_ENV, None)
        else:
            os.environ[ACCESS_ENV] = self._given_access
        if self._lock is not None:
            self.directory.state.unlink(missing_ok=True)
            self._lock.release()
            self._lock = None

    def _named(self, prefix: str) -> list[Part]:
        return [part for part in self.parts if part.name.startswith(prefix)]

    def _start_broker(self) -> None:
        if self.options.bootstrap is not None:
            access.note(self.directory, insecure=self.options.insecure)
            os.environ[ACCESS_ENV] = access.environment_of(self.directory, "operator", self._given_access)
            if self.options.insecure:
                self._tell(access.INSECURE)
            elif own_access().user is None:
                self._tell(f"no credentials for {self.options.bootstrap}: see `contractnet access` for a safe cluster")
            self.broker = ExternalBroker(self.options.bootstrap, _CONNECT_S)
            self.broker.start()
            return
        self._tell("starting Kafka")
        self.broker, self._owns_broker = embedded(self.directory, self._tell, insecure=self.options.insecure)
        self._tell(f"Kafka {'is ready' if self._owns_broker else 'runs already'} at {self.bootstrap}")

    def _check_cluster(self) -> None:
        if not self._owns_broker or not self.directory.operator.is_file():
            check_operator(self.directory, self.bootstrap, self.options.market)
        # A broker of our own that was just started has no clients yet.
        if not self._owns_broker:
            wait_for_absence(app_id(), self.bootstrap, self._tell)

    def _look_at_broker(self, broker: Broker) -> None:
        now = time.monotonic()
        if self._broker_start_at is None:
            self._broker_start_at = now + self._broker_backoff_s
            self._tell(f"the broker has ended; next start in {self._broker_backoff_s:g} s")
            self._broker_backoff_s = min(BACKOFF_S_MAX, self._broker_backoff_s * 2)
        elif now >= self._broker_start_at:
            self._broker_start_at = None
            try:
                broker.start()
                self._tell(f"the broker runs again at {broker.bootstrap}")
            except BrokerError as error:
                self._tell(f"the broker did not start: {error}")

    def _prepare_topics(self) -> None:
        admin = AdminClient(client_settings(self.bootstrap) | {"log_level": 2})
        try:
            metadata = admin.list_topics(timeout=_ADMIN_S)
            if self.options.partitions is None and COMMANDS.name in metadata.topics:
                self.partitions = len(metadata.topics[COMMANDS.name].partitions)
            self._replication = min(3, len(metadata.brokers))
            create_topics(self.bootstrap, self.partitions, self._replication)
        except KafkaException as error:
            raise BrokerUnreachableError(
                f"The broker at {self.bootstrap} did not create the topics: {error.args[0].str()}. Look at its log."
            ) from error

    def _environment(self, role: str) -> dict[str, str]:
        return {
            ACCESS_ENV: access.environment_of(self.directory, role, self._given_access),
            "CONTRACTNET_BOOTSTRAP": self.bootstrap,
            "CONTRACTNET_DATA": str(self.directory.path),
            "CONTRACTNET_PARTITIONS": str(self.partitions),
            "CONTRACTNET_REPLICATION": str(self._replication),
            "CONTRACTNET_OPERATOR_KEY": self.directory.operator_public.read_text("ascii").strip(),
            "PYTHONUNBUFFERED": "1",
        }

    def _workers(self) -> list[Part]:
        parts = []
        for slot in range(self.options.workers):
            port = find_free()
            more = {"CONTRACTNET_SLOT": str(slot), "CONTRACTNET_WEB_PORT": str(port)}
            arguments = ["-m", "faust", "-A", "streams.app", "worker", "-l", "info"]
            log = self.directory.log(f"worker-{slot}")
            parts.append(Part(f"worker-{slot}", arguments, self._environment("referee") | more, log, port))
        return parts

    def _snapshotter(self) -> Part:
        log = self.directory.log("snapshotter")
        return Part("snapshotter", ["-m", "streams.snapshotter"], self._environment("snapshotter"), log)

    def _projector(self) -> Part:
        arguments = ["-m", "projections.projector", "--bootstrap", self.bootstrap, "--data", str(self.directory.path)]
        return Part("projector", arguments, self._environment("projector"), self.directory.log("projector"))

    def _wait_healthy(self) -> None:
        begun = time.monotonic()
        tell_at = begun + _TELL_S
        waiting = list(self.parts)
        while waiting:
            self.look()
            waiting = [part for part in waiting if not self._is_up(part)]
            for part in waiting:
                if part.given_up or part.restarts >= 3 or time.monotonic() > begun + READY_S:
                    raise ServiceError(f"{part.name} did not come up: {part.last_words()} (log: {part.log})")
            if waiting and time.monotonic() > tell_at:
                self._tell(f"waiting for {', '.join(f'{part.name} (log: {part.log})' for part in waiting)}")
                tell_at = time.monotonic() + _TELL_S
            time.sleep(_PAUSE_S)
        self._tell(f"{len(self.parts)} processes are ready")

    def _is_up(self, part: Part) -> bool:
        if part.name == "projector" and not self.directory.ledger.exists():
            return False
        return part.is_healthy()

    def _note(self) -> None:
        """Write the state file where something changed."""
        pid = self.broker.pid if isinstance(self.broker, JvmBroker) else None
        now = state.UpState(
            pid=os.getpid(),
            bootstrap=self.bootstrap,
            market=self.options.market,
            partitions=self.partitions,
            started_s=self._started_s,
            ready=self.ready,
            owns_broker=self._owns_broker,
            broker_pid=pid,
            parts=[part.state() for part in self.parts],
        )
        if now != self._noted:
            state.write(self.directory, now)
            self._noted = now
