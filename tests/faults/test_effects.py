"""Whether a fault took effect: what the sections take for a sign of it, and what not."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import Producer

from contractnet.messages import Cause, Code, Entry, Event, Source
from contractnet.messages import events as e
from contractnet.topics import COMMANDS, LEDGER, NOTICES
from faults.arena import Arena
from faults.records import newest_stamp_ms
from faults.sections import clocks, disks, projection, strangers
from faults.sections.zombies import Zombie
from faults.tally import Tally
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


@pytest.mark.parametrize(("log", "code", "seen"), [(b"", None, 0), (b"No space left on device", None, 1), (b"", 70, 1)])
def test_a_full_disk_counts_where_the_projector_met_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: bytes, code: int | None, seen: int
) -> None:
    """By an error in what was logged since, or by its end; what was logged before tells nothing."""
    processes = tmp_path / "processes.log"
    processes.write_bytes(disks.SIGN)

    @contextmanager
    def full(_folder: Path) -> Iterator[None]:
        with processes.open("ab") as file:
            file.write(log)
        yield

    monkeypatch.setattr(disks, "FULL_S", 0.1)
    monkeypatch.setattr(disks, "full", full)
    arena = stage(tmp_path, services={disks.PROJECTOR: SimpleNamespace(poll=lambda: code)})
    disks._fill_projector(arena)
    assert (arena.tally.other["projector_disk_full"], len(arena.tally.problems)) == (seen, 1 - seen)


@pytest.mark.parametrize(("left", "fault"), [("ledger-3.draft", projection.PUBLISHING), ("x", "projector_kills")])
def test_a_kill_fell_into_a_publication_where_a_draft_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str, fault: str
) -> None:
    """However long the section had waited for one."""
    monkeypatch.setattr(projection, "PUBLISHES_S", 0.1)
    (tmp_path / "projection").mkdir()
    arena = stage(tmp_path, kill_service=lambda _: (tmp_path / "projection" / left).touch(), start_projector=lambda: 0)
    projection._kill_projector(arena, publishing=True)
    assert arena.tally.other == {fault: 1}


ACCEPTED = e.CommandAccepted(None, b"k" * 32, 1, "PlaceStandingOrder")
REJECTED = e.CommandRejected(Code.UNKNOWN_KEY, "", None, b"k" * 32, 1, "PlaceStandingOrder")


@pytest.mark.parametrize(
    ("events", "problems"), [([ACCEPTED], 0), ([REJECTED], 1), ([ACCEPTED, ACCEPTED], 1), ([ACCEPTED, REJECTED], 1)]
)
def test_a_strangers_command_is_accepted_once(tmp_path: Path, events: list[Event], problems: int) -> None:
    """Any other outcome, and any second one, is a failure; one that never comes is waited for."""
    ident = b"c" * 16
    entries = [Entry(Source(n, 0, ident, 1, Cause.COMMAND), event) for n, event in enumerate(events)]
    arena = stage(tmp_path, entries_of=lambda _: entries)
    market = World.market(cast(World, SimpleNamespace(producer=None, operator=None, acknowledged=None)), "default")
    strangers._demand_outcomes(arena, [strangers.Sent("abort", market, ident)])
    assert len(arena.tally.problems) == problems


def stage(data: Path, **more: object) -> Arena:
    """An arena in which nothing runs, and nobody has to be waited for."""
    world = SimpleNamespace(data=data, wait_for=lambda *_: None, entries_of=more.pop("entries_of", None))
    idle = {"restart_ended": lambda: None, "wait_for_award": lambda: None, "rng": random.Random(1)}
    return cast(Arena, SimpleNamespace(world=world, tally=Tally(), **idle, **more))


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
