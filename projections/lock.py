"""One projector per data directory.

The lock is an flock, which ends with its process, however it ends. The pid in the file is for messages; a pid in a file
that nobody has locked is stale and is overwritten. DuckDB's own lock on state.duckdb would name no pid, and comes too
late: segments and generations are outside of it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from contractnet.errors import DataDirectoryError


class ProjectorLock:
    """Held from construction to `release` (or as a context manager)."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once, or raise `DataDirectoryError` naming the process that has it."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode().strip() or "unknown"
            os.close(self._fd)
            raise DataDirectoryError(
                f"{path.parent} is in use by the projector with pid {holder} (lock file {path}). Let it run, end it "
                f"with `contractnet down`, or choose another data directory (--data)."
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two processes lock two files of one name."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
