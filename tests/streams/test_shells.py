"""The small parts of the shells: the clock's decisions, slots, settings, and what is overridden in Faust."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.transport.consumer import Consumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from contractnet.errors import SettingsError
from market.limits import CLOCK_STEP_MS_MAX
from streams.batches import RECORDS_MAX, BatchConsumer, BatchTransport, Feed, Fetch, merged
from streams.clock import BURST_MAX, Clock
from streams.metrics import Metrics
from streams.referee import Referee
from streams.settings import Settings
from streams.slots import Slot
from streams.writer import Due, Outcome, PartitionWriter, ProducerStuckError

NOW_MS = 1_800_000_000_000


def ticks(due_in_ms: int | None, *, behind_ms: int = 0, known: bool = True) -> int:
    """How many ticks the clock wants for a market whose time is `behind_ms` behind the broker's."""
    clock = Clock("127.0.0.1:1")
    now = time.monotonic()
    if known:
        clock._stamps[0] = (NOW_MS, now)
    due = Due("m", None if due_in_ms is None else NOW_MS + due_in_ms, NOW_MS - behind_ms)
    return clock._ticks_wanted(0, due, now)


def test_the_clock_ticks_only_for_a_reason() -> None:
    """Nothing due: silence. Something due: one tick. Far behind: as many as market time needs to catch up."""
    assert ticks(None) == 0
    assert ticks(5) == 0
    assert ticks(0) == 1
    assert ticks(-100, behind_ms=200) == 1
    assert ticks(None, behind_ms=29_999) == 0
    assert ticks(None, behind_ms=30_000) == 1
    assert ticks(None, behind_ms=10 * CLOCK_STEP_MS_MAX) == 11
    assert ticks(None, behind_ms=10**12) == BURST_MAX
    assert ticks(None, known=False) == 1


def test_a_slot_has_one_holder(tmp_path: Path) -> None:
    """A held slot is refused by name and pid; without a wish the next free one is taken; a dead holder's is free."""
    first = Slot.take(tmp_path, "app", 0)
    with pytest.raises(SettingsError, match=r"slot 0 of app is held by process \d+"):
        Slot.take(tmp_path, "app", 0)
    assert Slot.take(tmp_path, "app", None).number == 1
    code = (
        "import sys; from pathlib import Path; from streams.slots import Slot; Slot.take(Path(sys.argv[1]), 'app', 7)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert Slot.take(tmp_path, "app", 7).number == 7
    assert first.number == 0


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CONTRACTNET_PARTITIONS", "four", "no whole number"),
        ("CONTRACTNET_OPERATOR_KEY", "abc", "64 hex digits"),
        ("CONTRACTNET_OPERATOR_KEY", "", "no operator is trusted"),
    ],
)
def test_settings_that_make_no_sense_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, says: str
) -> None:
    """A wrong variable is named before anything starts."""
    monkeypatch.setenv("CONTRACTNET_DATA", str(tmp_path))
    monkeypatch.setenv("CONTRACTNET_OPERATOR_KEY", "00" * 32)
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=says):
        Settings.from_environment()


def test_fetches_before_a_wanted_seek_are_left_out() -> None:
    """What was fetched before a seek must not be taken for what comes after it."""
    feed = Feed("commands")
    tp = faust.types.TP("commands", 2)
    assert [f.sought for f in feed.wrap({tp: ["record"]})] == [None]
    feed.seek(2, 17)
    assert feed.wrap({tp: ["record"]}) == []
    feed.forget()
    assert [f.sought for f in feed.wrap({tp: ["record"]})] == [None]


@dataclass(frozen=True)
class Stored:
    """A record, as far as merging looks at it."""

    offset: int


def fetch(partition: int, *offsets: int, sought: int | None = None) -> Fetch:
    return Fetch(partition, [Stored(offset) for offset in offsets], sought)


def test_what_waits_becomes_one_batch() -> None:
    """Responses that wait are judged together, a partition's records in their order, up to a number of records."""

    async def play() -> list[list[Fetch]]:
        feed = Feed("commands")
        for fetches in ([fetch(0, 1, 2, sought=1)], [fetch(1, 7)], [fetch(0, 3), fetch(1, 8)]):
            feed.queue.put_nowait(fetches)
        feed.queue.put_nowait([fetch(0, *range(4, 4 + RECORDS_MAX))])
        feed.queue.put_nowait([fetch(1, 9)])
        return [await feed.next(), await feed.next()]

    first, second = asyncio.run(play())
    assert first == [fetch(0, *range(1, 4 + RECORDS_MAX), sought=1), fetch(1, 7, 8)]
    assert second == [fetch(1, 9)]


def test_a_seek_and_a_gap_are_not_merged_over() -> None:
    """After a seek nothing counts that was fetched before it; what does not follow on waits for a batch of its own."""
    assert merged([fetch(0, 5, 6)], [fetch(0, 2, 3, sought=2)]) == [fetch(0, 2, 3, sought=2)]
    assert merged([fetch(0, 5, 6)], [fetch(1, 1), fetch(0, 8)]) is None

    async def play() -> list[list[Fetch]]:
        feed = Feed("commands")
        for fetches in ([fetch(0, 5, 6)], [fetch(1, 1), fetch(0, 8)], [fetch(0, 9)]):
            feed.queue.put_nowait(fetches)
        return [await feed.next(), await feed.next()]

    assert asyncio.run(play()) == [[fetch(0, 5, 6)], [fetch(1, 1), fetch(0, 8, 9)]]


def test_a_referee_that_was_closed_judges_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A batch or an assignment that still arrives while a worker leaves is the next owner's; it is no fault."""

    def died(why: BaseException) -> None:
        raise AssertionError("the worker would have ended with an error") from why

    monkeypatch.setattr("streams.referee.die", died)

    async def leave() -> None:
        settings = Settings("127.0.0.1:1", tmp_path, "app", 4, 1, bytes(32), 0, 6066, 10.0)
        referee = Referee(settings, Feed("commands"), Metrics())
        referee.writers[0] = cast("PartitionWriter", SimpleNamespace(process=lambda *_, **__: None))
        referee.close()
        await referee.judge([fetch(0, 1)])
        await referee.assigned({0, 1})
        assert list(referee.writers) == [0]

    asyncio.run(leave())


def test_a_rebalance_waits_for_the_batch_under_way_and_nothing_is_judged_until_it_ends(tmp_path: Path) -> None:
    """The next owner fences whoever is in the middle of a transaction."""
    done: list[int] = []
    may_end = threading.Event()

    def process(records: list[Any], **_: Any) -> Outcome:
        may_end.wait(10)
        done.append(records[0].offset)
        return Outcome(commands=1)

    async def rebalance() -> None:
        settings = Settings("127.0.0.1:1", tmp_path, "app", 4, 1, bytes(32), 0, 6066, 10.0)
        referee = Referee(settings, Feed("commands"), Metrics())
        writer = SimpleNamespace(process=process, partition=0, position=2, stamped_at_ms=0)
        referee.writers[0] = cast("PartitionWriter", writer)
        judging = asyncio.ensure_future(referee.judge([fetch(0, 1)]))
        await asyncio.sleep(0.05)
        revoking = asyncio.ensure_future(referee.revoked())
        await asyncio.sleep(0.05)
        assert not revoking.done()
        may_end.set()
        await revoking
        assert done == [1]
        await judging
        await referee.judge([fetch(0, 2)])
        assert done == [1]
        await referee.assigned({0})
        await referee.judge([fetch(0, 2)])
        assert done == [1, 2]
        referee.close()

    asyncio.run(rebalance())


def test_a_writer_whose_producer_is_stuck_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The worker lives; the new writer says where to read on, and the other partitions never notice."""

    def stuck(*_: object, **__: object) -> Outcome:
        raise ProducerStuckError("4 messages remain")

    def made(_: Settings, partition: int, **__: object) -> object:
        return SimpleNamespace(process=judged, partition=partition, position=3, stamped_at_ms=0, close=lambda: None)

    def judged(records: list[Any], **_: Any) -> Outcome:
        return Outcome(commands=len(records))

    monkeypatch.setattr("streams.referee.PartitionWriter", made)

    async def go_on() -> None:
        feed = Feed("commands")
        settings = Settings("127.0.0.1:1", tmp_path, "app", 4, 1, bytes(32), 0, 6066, 10.0)
        referee = Referee(settings, feed, Metrics())
        closed: list[int] = []
        old = SimpleNamespace(process=stuck, partition=0, position=3, stamped_at_ms=0, close=lambda: closed.append(0))
        other = made(settings, 1)
        writers: dict[int, object] = {0: old, 1: other}
        referee.writers = cast("dict[int, PartitionWriter]", writers)
        await referee.judge([fetch(0, 3, 4), fetch(1, 3)])
        assert closed == [0]
        assert writers[0] is not old
        assert writers[1] is other
        assert feed._wanted == {0: 3}, "what was not committed is read again"
        referee.close()

    asyncio.run(go_on())


@pytest.mark.parametrize("leaving", [True, False])
def test_a_fetcher_that_is_cancelled_ends_quietly_only_when_the_worker_leaves(leaving: bool) -> None:
    """Faust's fetcher answers a cancellation in a rebalance by waking a supervisor that does not exist."""

    async def leave() -> None:
        transport = BatchTransport.__new__(BatchTransport)
        transport.app = cast("Any", SimpleNamespace(should_stop=leaving))
        transport.feed = Feed("commands")
        consumer = cast(
            "Any",
            SimpleNamespace(
                transport=transport,
                should_stop=False,
                flow_active=False,
                _wait_next_records=lambda _: asyncio.sleep(3600),
                consumer_stopped_errors=(),
            ),
        )
        draining = asyncio.ensure_future(BatchConsumer._drain_messages(consumer, SimpleNamespace(should_stop=False)))
        await asyncio.sleep(0)
        draining.cancel()
        await draining

    if leaving:
        asyncio.run(leave())
    else:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(leave())


def test_faust_is_the_version_whose_private_parts_are_overridden() -> None:
    """streams/batches.py overrides these; another Faust has to be looked at before the pin moves."""
    assert faust.__version__ == "0.15.3"
    assert list(inspect.signature(Consumer._drain_messages).parameters) == ["self", "fetcher"]
    assert "_wait_next_records" in inspect.getsource(Consumer.getmany)
    assert "fetch_max_wait_ms=1500" in inspect.getsource(AIOKafkaConsumerThread._create_worker_consumer)
