"""Whether a fault took effect: what the sections take for a sign of it, and what not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import Producer

from contractnet.topics import COMMANDS, LEDGER, NOTICES
from faults.arena import Arena
from faults.records import newest_stamp_ms
from faults.sections import clocks
from faults.sections.zombies import Zombie
from faults.watch import Watch
from faults.world import PARTITIONS, World, new_world
from streams.referee import EXIT_FAULT


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A broker with topics and no worker."""
    with new_world(tmp_path) as running:
        yield running


def ended(code: int) -> subprocess.Popen[bytes]:
    """A process that has ended with this code."""
    process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
    process.wait()
    return process


def test_a_zombie_is_fenced_where_exit_code_and_log_say_so() -> None:
    """Not by the fence of another, nor by one from before it woke up, nor by any other fault."""
    process = ended(EXIT_FAULT)
    fence, end = b"Fatal transaction error (_FENCED)\n", b"[%d] [CRITICAL] worker ends: ...\n"
    own, others = end % process.pid, end % (process.pid + 1)
    assert Zombie(process, 0).is_fenced(b"awake\n" + fence + own)
    assert not Zombie(process, 0).is_fenced(b"awake\n" + own + fence)
    assert not Zombie(process, 0).is_fenced(fence + others)
    assert not Zombie(process, len(fence)).is_fenced(fence + own)
    assert not Zombie(ended(0), 0).is_fenced(fence + own)


@pytest.mark.broker
def test_a_clock_that_is_right_is_not_taken_for_a_wrong_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stamp of the newest command is what tells; without one, nothing does."""
    market = world.market("default")
    arena = cast(Arena, SimpleNamespace(world=world, markets=[market]))
    monkeypatch.setattr(clocks, "SEEN_S", 1.0)
    assert newest_stamp_ms(world.broker.bootstrap, market.partition) is None
    assert not clocks._stamps(arena, 0)
    market.open(agents=1)
    assert world.producer.flush(10) == 0
    stamp_ms = newest_stamp_ms(world.broker.bootstrap, market.partition)
    assert stamp_ms is not None
    assert abs(stamp_ms / 1000 - time.time()) < 30
    assert [clocks._stamps(arena, offset_s) for offset_s in (-clocks.OFF_S, 0, clocks.OFF_S)] == [False, True, False]


@pytest.mark.broker
def test_open_transactions_are_those_of_the_partitions_asked_for(world: World) -> None:
    """What a survivor has open is not the killed worker's."""
    producer = Producer({"bootstrap.servers": world.broker.bootstrap, "transactional.id": "survivor"})
    watch = Watch(world.broker.bootstrap, PARTITIONS)
    try:
        producer.init_transactions(10)
        producer.begin_transaction()
        for topic in (LEDGER.name, NOTICES.name, COMMANDS.name):
            producer.produce(topic, b"under way", partition=1)
        assert producer.flush(10) == 0
        assert watch.open_transactions([1]) == 2
        assert watch.open_transactions([0, 2, 3]) == 0
        assert (watch.is_open(COMMANDS.name, 1), watch.is_open(COMMANDS.name, 2)) == (True, False)
        producer.abort_transaction(10)
        world.wait_for("nothing is open", lambda: watch.open_transactions(range(PARTITIONS)) == 0)
    finally:
        watch.stop()
