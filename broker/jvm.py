"""The embedded broker: Apache Kafka in KRaft mode in a JVM of its own, its data in the data directory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from broker.aot import aot_flags
from broker.interface import Broker
from broker.jars import ensure_jars
from broker.java import Java, find_java
from broker.lock import in_use
from broker.node import KafkaNode
from broker.ports import find_free, is_free
from broker.progress import Notify, ProgressCallback, silent
from broker.ready import wait_until_ready
from broker.security import Security
from broker.settings import DEFAULT_PORT, loopback, node_settings
from broker.storage import ensure_formatted
from contractnet.access import PLAINTEXT
from contractnet.errors import (
    AccessRefusedError,
    BrokerNotRunningError,
    BrokerUnreachableError,
    PortTakenError,
)

_NODE_ID = 1
_PORT_TRIES = 3
_LOST_S = 20.0
"""How long a broker takes at most to notice that its port is taken."""


class JvmBroker(Broker):
    """A broker on loopback, whose process outlives this one unless `stop` or `kill` ends it.

    `data_dir` is the project's data directory; the broker keeps its files in `<data_dir>/broker`. The port that it used
    last there is tried first, so that whoever knows its address keeps it, then `port`, then a free one; with
    `port_fixed` only `port`, or the start fails. Port 0 takes any free one. `progress` is told about a download of
    jars, `notify` about other long steps. Without `security` the broker lets everybody do everything; the same data may
    be started with it and without it.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = DEFAULT_PORT,
        *,
        port_fixed: bool = False,
        security: Security | None = None,
        aot: bool = True,
        progress: ProgressCallback | None = None,
        notify: Notify = silent,
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 20.0,
    ) -> None:
        self._node = KafkaNode(data_dir / "broker")
        self._bootstrap_path = _bootstrap_path(data_dir)
        self._port_path = data_dir / "broker" / "port"
        self._port = port
        self._port_fixed = port_fixed
        self._security = security
        self._aot = aot
        self._progress = progress
        self._notify = notify
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s

    @classmethod
    def attach(cls, data_dir: Path, security: Security | None = None) -> Self:
        """The broker that some process started in this data directory, to use, stop, kill or restart it.

        `security` is what it was started with, and is needed for a restart only.

        Errors: `BrokerNotRunningError`, also when only a stale lock or a stale address is left.
        """
        broker = cls(data_dir, security=security)
        bootstrap = running_bootstrap(data_dir)
        if bootstrap is None and not broker._node.is_running():
            raise BrokerNotRunningError(
                f"No broker runs in {data_dir}. Start one with `contractnet broker start`, or give the data directory "
                f"of a running one (--data)."
            )
        if bootstrap:
            broker._keep_port(int(bootstrap.rpartition(":")[2]))
        return broker

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """The pid of the broker's process; None when it does not run."""
        return self._node.pid

    @property
    def log_path(self) -> Path:
        """The broker's log, which errors point to."""
        return self._node.log_path

    def start(self) -> None:
        if self._node.is_running():
            raise in_use(self._node.lock_path)
        java = find_java()
        jars = ensure_jars(self._progress)
        flags = aot_flags(java, jars, self._notify) if self._aot else []
        cluster_id = ensure_formatted(self._node.data_dir, _NODE_ID)
        for tries_left in reversed(range(_PORT_TRIES)):
            self._choose_port()
            if self._launch(java, jars, flags, cluster_id, retry=tries_left > 0):
                break
        _replace(self._bootstrap_path, self.bootstrap)
        _replace(self._port_path, str(self._port))
        # Clients of this broker know its address now, so a restart must not change it.
        self._keep_port(self._port)

    def stop(self) -> None:
        self._node.stop(self._stop_timeout_s)
        self._bootstrap_path.unlink(missing_ok=True)

    def kill(self) -> None:
        self._node.kill()
        self._bootstrap_path.unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _choose_port(self) -> None:
        wanted = (self._port,) if self._port_fixed or not self._port else (self._last_port(), self._port)
        found = next((port for port in wanted if port and is_free(port)), None)
        if found is None and self._port_fixed:
            raise PortTakenError(
                f"Port {self._port} on 127.0.0.1 belongs to another program. End that program, or choose another port."
            )
        self._port = found or find_free()

    def _last_port(self) -> int | None:
        text = self._port_path.read_text().strip() if self._port_path.is_file() else ""
        return int(text) if text.isdecimal() else None

    def _keep_port(self, port: int) -> None:
        self._port = port
        self._port_fixed = True

    def _launch(self, java: Java, jars: list[Path], flags: list[str], cluster_id: str, *, retry: bool) -> bool:
        """Launch and wait. False where a port was lost to another program in between and another try is allowed."""
        controller_port = find_free(avoid=self._port)
        voters = [f"{_NODE_ID}@127.0.0.1:{controller_port}"]
        node = loopback(_NODE_ID, self._port, controller_port, voters, str(self._node.data_dir))
        self._node.launch(java, jars, node_settings(node, self._security), flags)
        ready = False
        try:
            wait_until_ready(
                self.bootstrap,
                self._start_timeout_s,
                cluster_id=cluster_id,
                gone=lambda: not self._node.is_running(),
                access=PLAINTEXT if self._security is None else self._security.access,
            )
            ready = True
        except (AccessRefusedError, BrokerUnreachableError) as error:
            # Whoever refuses our own credentials is another broker, which has got the port: ours ends because of that.
            if isinstance(error, AccessRefusedError) and not self._node.ends_within(_LOST_S):
                raise
            failure = self._node.start_failure(self._start_timeout_s)
            if not (retry and failure.port_lost):
                raise failure from error
        finally:
            # Also after Ctrl-C: a broker that nobody waited for must not stay behind.
            if not ready:
                self._node.stop(self._stop_timeout_s)
        return ready


def running_bootstrap(data_dir: Path) -> str | None:
    """The address of the broker that runs in this data directory and is ready; None when there is none."""
    path = _bootstrap_path(data_dir)
    if not KafkaNode(data_dir / "broker").is_running() or not path.is_file():
        return None
    return path.read_text().strip()


def _bootstrap_path(data_dir: Path) -> Path:
    return data_dir / "broker" / "bootstrap"


def _replace(path: Path, line: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(line + "\n")
    os.replace(draft, path)
