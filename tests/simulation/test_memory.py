"""The log in memory keeps the contract that Kafka keeps (tests/streams/test_log.py)."""

from __future__ import annotations

from contractnet.topics import COMMANDS
from streams.log import Log
from tests.simulation.contract import LogContract, Seen
from tests.simulation.memory import MemoryLog


class TestMemoryLog(LogContract):
    """Each test has a log of its own."""

    bootstrap = "memory"

    def setup_method(self) -> None:
        """A new log, whose markers come as late as they may."""
        self.memory = MemoryLog()
        self.memory.is_late = lambda: True

    @property
    def log(self) -> Log:
        """The log under test."""
        return self.memory.as_log()

    def wait(self) -> None:
        """Until the markers are written."""
        self.memory.complete()

    def uncommitted(self) -> list[Seen]:
        """All data records."""
        return [(s.offset, s.key, s.value) for s in self.memory.stored(COMMANDS.name, self.partition)]

    def test_the_broker_stamps_commands_by_its_own_clock(self) -> None:
        """Whatever a producer says, and however wrong the broker's clock is."""
        self.memory.skew_ms = -5_000
        self.put(self.new(), b"a")
        assert self.memory.stored(COMMANDS.name, self.partition)[0].timestamp == self.memory.now_ms - 5_000
