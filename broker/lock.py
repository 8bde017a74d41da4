"""One broker per data directory.

The lock is an flock on an open file that the broker process inherits, so it lives exactly as long as that process,
whatever becomes of the program that started it. The file's text, the broker's pid, is for people and for `stop`:
a pid in a file that nobody has locked is stale, and means nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from contractnet.errors import BrokerInUseError

_TRIES = 5
_PAUSE_S = 0.02


class InstanceLock:
    """A held lock. `fd` has to be passed on to the broker process; `release` closes only our own copy."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self.fd = fd

    @classmethod
    def acquire(cls, path: Path) -> Self:
        """Take the lock of a data directory at once, or raise `BrokerInUseError` naming the pid that has it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _locked(fd):
            os.close(fd)
            raise in_use(path)
        lock = cls(path, fd)
        # Until the broker runs, its starter is the one to name. A stale pid of an earlier broker is overwritten here.
        lock.write_pid(os.getpid())
        return lock

    def write_pid(self, pid: int) -> None:
        """Say who holds the lock."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{pid}\n".encode(), 0)

    def release(self) -> None:
        """Close our copy. The directory stays locked while the broker process has its own."""
        os.close(self.fd)


def _locked(fd: int) -> bool:
    # More than once, because `is_locked` of another process holds the lock for a moment.
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_S)
        else:
            return True
    return False


def in_use(path: Path) -> BrokerInUseError:
    """The error for a lock that another process holds; it names that process and what to do."""
    return BrokerInUseError(
        f"{path.parent} is in use by the broker with pid {read_pid(path) or 'unknown'} (lock file {path}). "
        f"Use that broker, end it with `contractnet broker stop`, or choose another data directory (--data)."
    )


def is_locked(path: Path) -> bool:
    """Whether a live process holds the lock; a missing file counts as free."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def read_pid(path: Path) -> int | None:
    """The pid that the lock file names, live or stale; None where there is none."""
    text = path.read_text().strip() if path.is_file() else ""
    return int(text) if text.isdigit() else None
