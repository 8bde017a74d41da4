"""The embedded broker for the command line: `broker start`, `broker stop`, and what `up` does with it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from broker.interface import Broker
from broker.jvm import JvmBroker, running_bootstrap
from broker.progress import Progress
from broker.settings import DEFAULT_PORT
from contractnet.cli.directory import DataDirectory

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


def embedded(directory: DataDirectory, tell: Callable[[str], None], port: int | None = None) -> tuple[JvmBroker, bool]:
    """The embedded broker, running, and whether it was this call that started it. Raises BrokerError."""
    if running_bootstrap(directory.path) is not None:
        return JvmBroker.attach(directory.path), False
    download = Download(tell)
    broker = JvmBroker(
        directory.path, port or DEFAULT_PORT, port_fixed=port is not None, progress=download, notify=tell
    )
    try:
        broker.start()
    finally:
        download.close()
    if port is None and broker.bootstrap != f"127.0.0.1:{DEFAULT_PORT}":
        tell(
            f"Kafka's address is {broker.bootstrap}, not port {DEFAULT_PORT}: another program has that one, or had it "
            f"when this directory's broker first started, and an address is kept"
        )
    return broker, True


def is_dead(broker: Broker) -> bool:
    """Whether an embedded broker's process has ended."""
    return isinstance(broker, JvmBroker) and broker.pid is None


def start(directory: DataDirectory, port: int | None) -> None:
    """`contractnet broker start`."""
    directory.prepare()
    broker, started = embedded(directory, print, port)
    print(f"broker {'started' if started else 'runs already'} at {broker.bootstrap} (pid {broker.pid})")
    print(f"log: {broker.log_path}")


def stop(directory: DataDirectory) -> None:
    """`contractnet broker stop`."""
    directory.check()
    JvmBroker.attach(directory.path).stop()
    print("broker stopped; its data stays")
