"""The checker itself: what it calls broken, on a real ledger that was tampered with."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from contractnet.topics import LEDGER, NOTICES
from faults.acknowledged import Receipts
from faults.audit import audit
from faults.checker import Verdict, check, out_of_place
from faults.records import Stored, stored
from faults.tally import Tally
from faults.world import PARTITIONS, Market, World, new_world
from streams.settings import Settings
from streams.writer import PartitionWriter

pytestmark = pytest.mark.broker


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A broker with topics and no worker."""
    with new_world(tmp_path) as running:
        yield running


class Careless(PartitionWriter):
    """A writer that gives one notice to another market: a key that faults/checker.py does not look at."""

    careless = True

    def _produce(
        self, topic: str, key: bytes, value: bytes, at_ms: int, headers: list[tuple[str, str | bytes | None]]
    ) -> None:
        if topic == NOTICES.name and self.careless:
            self.careless, key = False, b"tenant-42"
        super()._produce(topic, key, value, at_ms, headers)


def judged(world: World, writer: type[PartitionWriter] = PartitionWriter) -> Market:
    """A market whose commands a writer has answered."""
    market = world.market("default")
    market.open(agents=3)
    for _ in range(10):
        cfp = market.call(open_ms=100)
        market.bid(cfp, market.agents[0], 100)
    assert world.producer.flush(10) == 0
    settings = Settings(
        world.broker.bootstrap, world.data, "contractnet", PARTITIONS, 1, world.operator.public, 0, 0, 10
    )
    writer(settings, market.partition).process(stored(world.broker.bootstrap, market.partition), sought=None)
    return market


def verdict_on(world: World, market: Market, receipts: Receipts | None = None) -> Verdict:
    """What the checker says of the market's partition."""
    receipts = world.acknowledged.on(market.partition) if receipts is None else receipts
    return check(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public, receipts)


def leave_behind(world: World, market: Market, topic: str, values: list[bytes]) -> None:
    """Records of a transaction that was aborted."""
    stranger = Producer({"bootstrap.servers": world.broker.bootstrap, "transactional.id": "stranger"})
    stranger.init_transactions(10)
    stranger.begin_transaction()
    for value in values:
        stranger.produce(topic, value, partition=market.partition, headers=[("chain", b"x")])
    stranger.flush(10)
    stranger.abort_transaction(10)


def test_a_second_copy_of_an_entry_is_a_duplicate_and_a_divergence(world: World) -> None:
    """Sound before; a record written twice by a broken writer is seen."""
    market = judged(world)

    before = verdict_on(world, market)
    assert (before.sound, before.duplicate, before.diverged) == (True, 0, 0)
    assert before.acknowledged == before.commands > 10
    copy = stored(world.broker.bootstrap, market.partition, LEDGER.name)[0]
    world.producer.produce(
        LEDGER.name, copy.value, key=copy.key, partition=market.partition, headers=list(copy.headers)
    )
    assert world.producer.flush(10) == 0
    after = verdict_on(world, market)
    assert (after.sound, after.diverged > 0) == (False, True)


def test_what_an_aborted_transaction_left_is_compared_as_well(world: World) -> None:
    """At read_committed the ledger is sound; a reader at read_uncommitted would see a record that no rule gives."""
    market = judged(world)
    entry = stored(world.broker.bootstrap, market.partition, LEDGER.name)[0]
    leave_behind(world, market, LEDGER.name, [entry.value or b""])
    found = verdict_on(world, market)
    assert (found.visible, found.diverged) == (1, 1)


def test_what_an_aborted_transaction_left_in_notices_is_compared_as_well(world: World) -> None:
    """A notice that no rule gives, and one that the rules give for another place."""
    market = judged(world)
    notice = stored(world.broker.bootstrap, market.partition, NOTICES.name)[0]
    leave_behind(world, market, NOTICES.name, [b"no notice", notice.value or b""])
    found = verdict_on(world, market)
    assert (found.visible, found.diverged) == (2, 2)


def test_uncommitted_notices_follow_from_the_last_committed_one() -> None:
    """However often a writer begins again; what is left out, or comes twice in one attempt, is out of its place."""
    expected = [b"0", b"1", b"2", b"3"]

    def wrong(seen: bytes, committed: set[int]) -> int:
        records = [Stored(offset, 0, None, bytes([value]), []) for offset, value in enumerate(seen)]
        return out_of_place(expected, records, committed)

    assert wrong(b"0010120123", {6, 7, 8, 9}) == 0
    assert wrong(b"02123", {0, 2, 3, 4}) == 1
    assert wrong(b"110123", {2, 3, 4, 5}) == 1
    assert wrong(b"01230", {0, 1, 2, 3}) == 1


def test_what_the_broker_acknowledged_and_does_not_have_is_lost(world: World) -> None:
    """Offset by offset; what was acknowledged without an offset has to be somewhere."""
    market = judged(world)
    receipts = world.acknowledged.on(market.partition)
    assert verdict_on(world, market).lost == 0
    sent = receipts.packed[8:24]
    places = ((10_000, b"g" * 16), (0, b"o" * 16), (10_000, sent), (-1, b"u" * 16), (-1, sent))
    more = b"".join(struct.pack(">q16s", offset, ident) for offset, ident in places)
    found = verdict_on(world, market, Receipts(receipts.packed + more))
    assert (found.lost, found.acknowledged) == (4, len(receipts) + 5)


def test_the_independent_checker_decides_as_well(world: World) -> None:
    """A notice under another market's key: the checker that shares the rules' code does not see it, verify does."""
    market = judged(world, Careless)
    found, tally = verdict_on(world, market), Tally()
    assert found.sound
    audit(world, tally, records=found.records, tables=False)
    assert (tally.diverged, len(tally.problems)) == (1, 1)
    assert f"verify: notices[{market.partition}]" in tally.problems[0]


def test_verify_has_to_have_seen_the_whole_ledger(world: World) -> None:
    """Nothing compared is no zero."""
    found, tally = verdict_on(world, judged(world)), Tally()
    audit(world, tally, records=found.records, tables=False)
    assert (tally.verified, tally.failures) == (found.records, 0)
    audit(world, tally, records=found.records + 1, tables=False)
    assert tally.problems == [f"verify has seen {found.records} of {found.records + 1} ledger records"]
