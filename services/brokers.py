"""The embedded broker for the command line: `broker start`, `broker stop`, and what `up` does with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from broker.interface import Broker
from broker.jvm import JvmBroker, running_bootstrap
from broker.progress import Progress
from broker.security import Security
from broker.settings import DEFAULT_PORT
from contractnet.access import is_off
from contractnet.cli.directory import DataDirectory
from contractnet.errors import BrokerInUseError
from services import access

_LINE_BYTES = 20_000_000


class Download:
    """Shows a download of jars: a bar on a terminal, else a line every 20 MB."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._next_line_bytes = 0

    def __call__(self, progress: Progress) -> None:
        if not sys.stdout.isatty():
            if progress.bytes_done >= self._next_line_bytes or progress.jars_done == progress.jars_total:
                self._next_line_bytes = progress.bytes_done + _LINE_BYTES
                self._tell(
                    f"downloading Kafka: {progress.jars_done} of {progress.jars_total} jars, "
                    f"{progress.bytes_done / 1e6:.0f} of {progress.bytes_total / 1e6:.0f} MB"
                )
            return
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self._bar = Bar(*columns, console=Console())
            self._task = self._bar.add_task("downloading Kafka (once per user)", total=progress.bytes_total)
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=progress.bytes_done)
        if progress.jars_done == progress.jars_total:
            self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def embedded(
    directory: DataDirectory, tell: Callable[[str], None], port: int | None = None, *, insecure: bool = False
) -> tuple[JvmBroker, bool]:
    """The embedded broker, running with its users and rights made, and whether it was this call that started it.

    Raises BrokerError, CredentialError.
    """
    security = access.security_of(directory, insecure=insecure)
    if running_bootstrap(directory.path) is not None:
        broker, started = _attached(directory, security), False
    else:
        broker, started = _started(directory, security, tell, port), True
    with ExitStack() as undo:
        if started:
            undo.callback(broker.stop)  # a broker that lets nobody in must not stay behind
        if security is None:
            tell(access.INSECURE)
        else:
            access.admit(directory, broker.bootstrap, security, tell)
        undo.pop_all()
    return broker, started


def _attached(directory: DataDirectory, security: Security | None) -> JvmBroker:
    broker = JvmBroker.attach(directory.path, security)
    if is_off(directory.path) != (security is None):
        now, wanted = ("without", "with") if security is not None else ("with", "without")
        raise BrokerInUseError(
            f"The broker at {broker.bootstrap} was started {now} access control, and is wanted {wanted} it. End it "
            f"first: `contractnet broker stop`."
        )
    return broker


def _started(
    directory: DataDirectory, security: Security | None, tell: Callable[[str], None], port: int | None
) -> JvmBroker:
    download = Download(tell)
    broker = JvmBroker(
        directory.path,
        port or DEFAULT_PORT,
        port_fixed=port is not None,
        security=security,
        progress=download,
        notify=tell,
    )
    access.note(directory, insecure=security is None)
    try:
        broker.start()
    finally:
        download.close()
    if port is None and broker.bootstrap != f"127.0.0.1:{DEFAULT_PORT}":
        tell(
            f"Kafka's address is {broker.bootstrap}, not port {DEFAULT_PORT}: another program has that one, or had it "
            f"when this directory's broker first started, and an address is kept"
        )
    return broker


def is_dead(broker: Broker) -> bool:
    """Whether an embedded broker's process has ended."""
    return isinstance(broker, JvmBroker) and broker.pid is None


def start(directory: DataDirectory, port: int | None, *, insecure: bool = False) -> None:
    """`contractnet broker start`."""
    directory.prepare()
    broker, started = embedded(directory, print, port, insecure=insecure)
    print(f"broker {'started' if started else 'runs already'} at {broker.bootstrap} (pid {broker.pid})")
    print(f"log: {broker.log_path}")


def stop(directory: DataDirectory) -> None:
    """`contractnet broker stop`."""
    directory.check()
    JvmBroker.attach(directory.path).stop()
    print("broker stopped; its data stays")
