"""Whether a fault took effect: what the sections take for a sign of it, and what not."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import Consumer, Producer

from broker.interface import Broker
from broker.ports import find_free
from contractnet.messages import Cause, Code, Entry, Event, Source
from contractnet.messages import events as e
from contractnet.topics import COMMANDS, LEDGER, NOTICES
from faults.arena import WORKER_CODES, Arena
from faults.load import Load
from faults.plan import Plan
from faults.proxy import Proxy
from faults.records import newest_stamp_ms
from faults.sections import clocks, disks, kills, links, projection, strangers
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


@pytest.mark.parametrize(
    ("code", "excused", "notes", "problems"),
    [(0, (), 0, 0), (3, (), 0, 1), (3, WORKER_CODES, 0, 1), (1, WORKER_CODES, 1, 0)],
)
def test_a_process_that_does_not_end_in_good_order_is_a_failure(
    code: int, excused: tuple[int, ...], notes: int, problems: int
) -> None:
    """Also where it ended before it was told to; what a worker is excused for is told."""
    arena = Arena(cast(World, None), cast(Plan, None), [], cast(Watch, None), cast(Load, None))
    arena._end("a process", ended(code), excused)
    assert (arena.tally.notes.total(), len(arena.tally.problems)) == (notes, problems)


@pytest.mark.parametrize(("owned", "kills"), [({2: 17}, 1), ({}, 0)])
def test_a_kill_of_a_worker_that_owns_nothing_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, owned: dict[int, int], kills: int
) -> None:
    """It is told; nothing moves by it."""
    sleep = (sys.executable, "-c", "import time; time.sleep(60)")
    watch = SimpleNamespace(open_transactions=len, wait_for_award=lambda: None)
    arena = Arena(cast(World, None), cast(Plan, None), [], cast(Watch, watch), cast(Load, None))
    arena.workers = {slot: subprocess.Popen(sleep) for slot in range(2)}
    monkeypatch.setattr(Arena, "owned", lambda *_: owned)
    arena.kill_worker(1, "rebalance")
    assert (arena.tally.kills, arena.tally.trials, arena.tally.opened.total()) == (kills, kills, kills)
    assert arena.tally.notes["idle_kills"] == 1 - kills
    arena.workers[0].kill()
    arena.workers[0].wait()


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


def test_a_clock_that_is_put_right_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the six clocks of a round four are wrong, of broker and of worker."""
    monkeypatch.setattr(clocks, "_stamps", lambda *_: True)
    monkeypatch.setattr(clocks, "broker_clock", nullcontext)
    monkeypatch.setattr(clocks, "RAN_S", 0.0)
    ran: list[str] = []
    plan = SimpleNamespace(pick=lambda *_: 1, progress=lambda *_: None)
    nothing = {name: lambda *_: None for name in ("start_service", "kill_worker", "wait_for_split")}
    arena = stage(tmp_path, plan=plan, start_worker=lambda *_, **more: ran.extend(more.values()), **nothing)
    arena.world.broker = cast(Broker, SimpleNamespace(start=lambda: None, stop=lambda: None))
    clocks.run(arena)
    assert sorted(ran) == sorted(map(str, clocks.WORKER_S))
    told = arena.tally.other + arena.tally.notes
    assert (told["clocks_wrong"], told["worker_clocks_wrong"], arena.tally.trials) == (4, 4, 1)


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


def test_what_is_written_between_two_questions_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer comes a record later than the one before, and nothing is open."""
    ends = count(100)
    monkeypatch.setattr(Watch, "_end", staticmethod(lambda *_: next(ends)))
    watch = Watch.__new__(Watch)
    watch._views = cast(dict[str, Consumer], {"read_committed": None, "read_uncommitted": None})
    assert not watch.is_open(COMMANDS.name, 0)


def test_a_recovery_is_measured_from_the_first_of_several_deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three deaths the second one comes before any award; the awards appear at 12 and at 31."""
    deaths, awards = iter((10.0, 11.0, 30.0)), iter((5.0, None, 12.0, 31.0))
    watch = SimpleNamespace(award_after=None, wait_for_award=lambda: None)

    def look(*_: object) -> None:
        watch.award_after = next(awards)

    monkeypatch.setattr(kills, "_start", lambda *_: None)
    monkeypatch.setattr(kills, "_wait_for_award_or_death", look)
    monkeypatch.setattr(kills, "_wait_for_death", lambda *_: next(deaths))
    plan = SimpleNamespace(pick=lambda *_: 3, progress=lambda *_: None)
    idle = {"start_service": lambda _: None, "start_projector": lambda: None, "start_worker": lambda _: None}
    arena = SimpleNamespace(tally=Tally(), watch=watch, plan=plan, **idle)
    kills.run(cast(Arena, arena))
    assert arena.tally.recovery_s == [2.0, 1.0]


def test_a_fault_of_a_link_counts_where_something_was_dropped_or_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that nothing passes cuts and delays nothing."""
    monkeypatch.setattr(links, "DELAYED_S", 0.0)
    arena = stage(tmp_path)
    with Proxy(find_free(), find_free()) as idle:
        links._cut(arena, idle, 0.0)
        links._slow(arena, idle)
    assert (arena.tally.trials, len(arena.tally.problems)) == (0, 2)
    busy = SimpleNamespace(dropped=0, delayed_bytes=0, mend=lambda: None)
    busy.cut = lambda: setattr(busy, "dropped", 3)
    links._cut(arena, cast(Proxy, busy), 0.0)
    monkeypatch.setattr(time, "sleep", lambda _: setattr(busy, "delayed_bytes", 70))
    links._slow(arena, cast(Proxy, busy))
    assert arena.tally.other == {"links_cut": 1, "links_delayed": 1}
    assert arena.tally.notes == {"connections_dropped": 3, "bytes_delayed": 70}
