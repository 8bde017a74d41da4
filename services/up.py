"""`contractnet up`: start everything in order, watch it, end everything in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType

import psutil

from broker.jvm import JvmBroker, running_bootstrap
from contractnet.cli.directory import DataDirectory
from contractnet.errors import BrokerNotRunningError, DataDirectoryError, ServiceError
from services import state
from services.part import CHECKOUT
from services.supervisor import Supervisor, UpOptions
from services.table import command, show_ready

__all__ = ["UpOptions", "detach", "down", "run"]

_LOOK_S = 0.2
_DETACHED_READY_S = 180.0
_DOWN_S = 60.0
_ORPHAN_S = 15.0
EXIT_INTERRUPTED = 130


class Interrupt:
    """Turns SIGTERM into what Ctrl-C is, once; while everything is being ended, further signals wait."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._former: dict[int, object] = {}

    def __enter__(self) -> Interrupt:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _on(self, number: int, _frame: FrameType | None) -> None:
        first, self.received = self.received is None, number
        if first:
            raise KeyboardInterrupt


def run(options: UpOptions) -> int:
    """Run a market until Ctrl-C or SIGTERM. The exit code: 130 after Ctrl-C, 0 after SIGTERM (`contractnet down`)."""
    with Interrupt() as interrupt:
        supervisor = Supervisor(options, say)
        try:
            options.directory.prepare()
            end_orphans(options.directory, say)
            supervisor.start()
            show_ready(supervisor)
            while True:
                time.sleep(_LOOK_S)
                supervisor.look()
        except KeyboardInterrupt:
            say("stopping")
        finally:
            supervisor.stop()
    say("stopped; nothing runs any more, the data stays")
    return EXIT_INTERRUPTED if interrupt.received == signal.SIGINT else 0


def detach(options: UpOptions) -> int:
    """Run a market in the background and return when it is ready."""
    directory = options.directory
    directory.prepare()
    if (pid := state.running_pid(directory)) is not None:
        raise DataDirectoryError(
            f"{directory.path} is in use: `contractnet up` runs in it with pid {pid}. End it with `contractnet down`, "
            f"or choose another directory (--data)."
        )
    log = directory.log("up")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from contractnet.cli import main; main()", *options.arguments()],
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with ExitStack() as undo:
        # Also after Ctrl-C: a market that nobody waited for must not stay behind.
        undo.callback(process.wait)
        undo.callback(process.terminate)
        _wait_ready(directory, process)
        undo.pop_all()
    print(log.read_text("utf-8"), end="")
    print(f"it runs in the background (pid {process.pid}, log {log}); {command(directory)} down ends it")
    return 0


def _wait_ready(directory: DataDirectory, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + _DETACHED_READY_S
    while True:
        found = state.read(directory)
        if found is not None and found.pid == process.pid and found.ready:
            return
        if process.poll() is not None or time.monotonic() > give_up_at:
            text = directory.log("up").read_text("utf-8", errors="replace").strip().splitlines()
            why = text[-1].removeprefix("contractnet: ") if text else "it wrote nothing"
            raise ServiceError(f"The market did not come up: {why} (log: {directory.log('up')})")
        time.sleep(0.1)


def down(directory: DataDirectory) -> None:
    """End the `up` of a directory, or what one that was killed left behind."""
    directory.check()
    pid = state.running_pid(directory)
    if pid is None:
        if end_orphans(directory, say) == 0:
            say(f"nothing runs in {directory.path}")
        return
    try:
        supervisor = psutil.Process(pid)
        supervisor.terminate()
        supervisor.wait(_DOWN_S)
    except psutil.NoSuchProcess:
        say("it was just ending by itself")
    except psutil.TimeoutExpired as error:
        raise ServiceError(
            f"`up` with pid {pid} has not ended within {_DOWN_S:.0f} s. Look at {directory.logs}; `kill -9 {pid}` and "
            f"`contractnet down` again end it by force."
        ) from error
    say("stopped; the data stays")


def end_orphans(directory: DataDirectory, tell: Callable[[str], None]) -> int:
    """End the processes that an `up` left behind when it was killed. How many there were."""
    noted = state.read(directory)
    if noted is None or state.running_pid(directory) is not None:
        return 0
    found = [(p.name, state.process_of(p.pid, p.created_s)) for p in noted.parts]
    alive = [(name, process) for name, process in found if process is not None]
    for name, process in alive:
        tell(f"ending {name} (pid {process.pid}), left behind by an earlier `up`")
        _signal(process, signal.SIGTERM)
    _, remaining = psutil.wait_procs([process for _, process in alive], _ORPHAN_S)
    for process in remaining:
        _signal(process, signal.SIGKILL)
    ended = len(alive)
    if noted.owns_broker and running_bootstrap(directory.path) is not None:
        tell("ending the broker, left behind by an earlier `up`")
        try:
            JvmBroker.attach(directory.path).stop()
            ended += 1
        except BrokerNotRunningError:
            tell("the broker has ended by itself")
    directory.state.unlink(missing_ok=True)
    return ended


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def say(text: str) -> None:
    """Print one line with the time, at once."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
