"""One Kafka process on this machine: launched, watched, signalled; by the program that started it or by another."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from broker.java import Java
from broker.lock import InstanceLock, is_locked, read_pid
from broker.settings import as_properties
from contractnet.errors import BrokerNotRunningError, BrokerStartError, BrokerStopError
from contractnet.files import write_secret

# A small heap, the cheapest collector and the fast compiler only: a market's broker is idle most of the time, and
# what counts is that it starts soon. Out of memory it ends, and whoever supervises it starts it again. Its log has
# ISO 8601 dates; the end of that pattern is Java's word for the offset with a colon.
FLAGS = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
_MAIN_CLASS = "kafka.Kafka"
_LOG_BYTES_MAX = 10_000_000
_LOG_LINES = 8
_KILL_TIMEOUT_S = 10.0
_PAUSE_S = 0.01


class NodeStartError(BrokerStartError):
    """A launched process that did not become ready. `port_lost`: another program took one of its ports in between."""

    port_lost = False


class KafkaNode:
    """The process whose files are in `directory`: lock, log (`broker.log`), settings and data (`data/`)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.lock_path = self.directory / "lock"
        self.log_path = self.directory / "broker.log"
        self.data_dir = self.directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The pid of the running process, whoever started it; None when none runs."""
        return read_pid(self.lock_path) if self.is_running() else None

    def is_running(self) -> bool:
        """Whether the process lives. One of our own that has ended is reaped here."""
        if self._process and self._process.poll() is not None:
            self._process = None
        return is_locked(self.lock_path)

    def launch(self, java: Java, jars: Sequence[Path], settings: Mapping[str, str], flags: Sequence[str] = ()) -> None:
        """Start the process in a session of its own, so that neither Ctrl-C nor our end reaches it.

        Errors: `BrokerInUseError` when one runs already, `BrokerStartError` when Java can't be run.
        """
        lock = InstanceLock.acquire(self.lock_path)
        try:
            properties = self.directory / "server.properties"
            # Its settings may hold the password of the broker's own user.
            write_secret(properties, as_properties(settings))
            # Its data holds every bid, whatever the ACLs say.
            self.data_dir.chmod(0o700)
            class_path = os.pathsep.join(str(jar) for jar in jars)
            command = [str(java.launcher), *FLAGS, *flags, "-cp", class_path, _MAIN_CLASS, str(properties)]
            self._rotate_log()
            with self.log_path.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    # In a C locale Java can't open a path with letters beyond ASCII.
                    env={**os.environ, "LC_ALL": "C.UTF-8"},
                    pass_fds=(lock.fd,),
                )
            lock.write_pid(self._process.pid)
        except OSError as error:
            raise BrokerStartError(f"The broker could not be launched: {error}. See {self.directory}.") from error
        finally:
            lock.release()

    def terminate(self) -> None:
        """Ask the process to end in good order, and do not wait. Not running is no error."""
        if self.is_running():
            self._signal(signal.SIGTERM)

    def stop(self, timeout_s: float) -> None:
        """End the process in good order; after `timeout_s`, kill it. Not running is no error."""
        self.terminate()
        if not self.ends_within(timeout_s):
            self.kill()

    def kill(self) -> None:
        """End the process at once. Errors: `BrokerNotRunningError`, `BrokerStopError`."""
        if not self.is_running():
            raise BrokerNotRunningError(f"No broker runs in {self.directory}, so there is none to kill.")
        self._signal(signal.SIGKILL)
        if not self.ends_within(_KILL_TIMEOUT_S):
            raise BrokerStopError(
                f"The broker with pid {self.pid} did not end within {_KILL_TIMEOUT_S:.0f} s of a kill."
            )

    def start_failure(self, timeout_s: float) -> NodeStartError:
        """Why the process that we launched is not ready, with the end of what it wrote to its log."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode(errors="replace")
        running = self.is_running()
        what = f"did not answer within {timeout_s:.0f} s" if running else "ended while it started"
        last = "\n".join(text.splitlines()[-_LOG_LINES:])
        error = NodeStartError(f"The broker {what}. Its log is {self.log_path} and ends with:\n{last}")
        error.port_lost = not running and "Address already in use" in text
        return error

    def _signal(self, number: signal.Signals) -> None:
        pid = self._process.pid if self._process else self.pid
        if pid:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return

    def ends_within(self, timeout_s: float) -> bool:
        """Whether the process ends, or has ended, within so many seconds."""
        deadline = time.monotonic() + timeout_s
        while self.is_running() or self._process:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_S)
        return True

    def _rotate_log(self) -> None:
        """Keep one older log, so that the directory of a long-lived broker does not grow with its restarts."""
        if self.log_path.is_file() and self.log_path.stat().st_size > _LOG_BYTES_MAX:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
