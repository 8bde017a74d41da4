"""A worker's slot: its static membership in the consumer group, held by a lock.

A restarted worker takes its slot again and keeps its partitions without a rebalance; a second worker of the same slot
would fence the first one, so it refuses to start.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from contractnet.errors import SettingsError

SLOTS_MAX = 64


class Slot:
    """A held slot; the lock ends with the process."""

    def __init__(self, number: int, file: TextIO) -> None:
        self.number = number
        self._file = file

    @classmethod
    def take(cls, data: Path, app_id: str, wanted: int | None) -> Slot:
        """Take slot `wanted`, or the first free one. Raises SettingsError where it is held."""
        folder = data / "slots"
        folder.mkdir(parents=True, exist_ok=True)
        holder = ""
        for number in range(SLOTS_MAX) if wanted is None else [wanted]:
            file = (folder / f"{app_id}-{number}.lock").open("a+", encoding="ascii")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip()
                file.close()
                continue
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            return cls(number, file)
        if wanted is None:
            raise SettingsError(f"all {SLOTS_MAX} worker slots of {app_id} are taken")
        raise SettingsError(f"slot {wanted} of {app_id} is held by process {holder}: stop it or set CONTRACTNET_SLOT")
