"""What `up` notes about itself: a lock that tells whether it runs, and a file that tells what it runs."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil

from contractnet.cli.directory import DataDirectory
from contractnet.errors import DataDirectoryError

_TRIES = 5
_PAUSE_S = 0.05
_PID_DIGITS_MAX = 10


@dataclass(frozen=True, slots=True)
class PartState:
    """One process that `up` started. `created_s` is its start time: a pid alone may be somebody else's by now."""

    name: str
    pid: int | None
    created_s: float | None
    log: str
    web_port: int | None
    restarts: int
    status: str


@dataclass(frozen=True, slots=True)
class UpState:
    """What one `up` runs. `ready` becomes true once the market takes commands."""

    pid: int
    bootstrap: str
    market: str
    partitions: int
    started_s: float
    ready: bool
    owns_broker: bool
    broker_pid: int | None
    parts: list[PartState] = field(default_factory=list)


class UpLock:
    """Held by the one `up` of a data directory, as long as its process lives."""

    def __init__(self, directory: DataDirectory) -> None:
        """Take the lock at once. Raises DataDirectoryError naming the process that has it."""
        self._fd = os.open(directory.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(self._fd):
            os.close(self._fd)
            raise DataDirectoryError(
                f"{directory.path} is in use: `contractnet up` runs in it with pid {read_pid(directory) or 'unknown'}. "
                f"Use that market (`contractnet status`), end it with `contractnet down`, or choose another directory "
                f"(--data)."
            )
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back; the file stays, or two processes could lock two files of one name."""
        os.close(self._fd)


def _locked(fd: int) -> bool:
    # More than once: whoever asks whether it is locked holds it for a moment.
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_S)
        else:
            return True
    return False


def running_pid(directory: DataDirectory) -> int | None:
    """The pid of the `up` that runs in a directory, None where none does."""
    try:
        fd = os.open(directory.lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return read_pid(directory)
    finally:
        os.close(fd)
    return None


def read_pid(directory: DataDirectory) -> int | None:
    """The pid in the lock file, live or stale."""
    text = directory.lock.read_text("ascii", errors="replace").strip() if directory.lock.is_file() else ""
    return int(text) if text.isdecimal() and len(text) <= _PID_DIGITS_MAX else None


def write(directory: DataDirectory, state: UpState) -> None:
    """Replace the state file in one step."""
    draft = directory.state.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(state), indent=1) + "\n", "utf-8")
    draft.replace(directory.state)


def read(directory: DataDirectory) -> UpState | None:
    """What the last `up` noted, None after one that ended in good order."""
    try:
        noted: dict[str, Any] = json.loads(directory.state.read_text("utf-8"))
        parts = [PartState(**part) for part in noted.pop("parts")]
        return UpState(**noted, parts=parts)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def process_of(pid: int | None, created_s: float | None) -> psutil.Process | None:
    """The process with this pid and start time, None where it is gone."""
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        same = created_s is not None and abs(process.create_time() - created_s) < 0.05
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
