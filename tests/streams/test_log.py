"""The real log keeps the contract that the simulation's log in memory keeps (tests/simulation/test_memory.py)."""

from __future__ import annotations

import time

import pytest

from streams.log import KAFKA, Log
from tests.integration.records import stored
from tests.integration.world import World
from tests.simulation.contract import LogContract, Seen


class TestKafka(LogContract):
    """All tests share one broker, each starts where the partition ends."""

    log: Log = KAFKA
    bootstrap = ""

    @pytest.fixture(autouse=True)
    def _broker(self, world: World) -> None:
        self.bootstrap = world.broker.bootstrap

    def wait(self) -> None:
        """Until the broker has written its markers."""
        time.sleep(0.05)

    def uncommitted(self) -> list[Seen]:
        """All data records."""
        return [(s.offset, s.key, s.value) for s in stored(self.bootstrap, self.partition)]
