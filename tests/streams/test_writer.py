"""A partition's writer: position from the ledger, gaps, holes, zombies and the broker's absence."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from contractnet.topics import COMMANDS
from market.snapshot import dump
from streams.log import Log, Sender
from streams.reading import read_partition
from streams.writer import PartitionWriter, ProducerStuckError
from tests.integration.checker import check
from tests.integration.records import Stored, stored
from tests.integration.world import PARTITIONS, World
from tests.streams.driving import busy_market, new_writer, settings_of


def test_a_new_writer_goes_on_where_the_ledger_ends(world: World) -> None:
    """Half of the records by one writer, all of them offered to the next: it skips what is answered, and the state of
    both is the same as of one that restores everything."""
    market = busy_market(world, "default")
    records = stored(world.broker.bootstrap, market.partition)
    first = new_writer(world, market.partition)
    first.process(records[: len(records) // 2], sought=None)
    second = new_writer(world, market.partition)
    assert second.position == first.position
    outcome = second.process(records, sought=None)
    assert outcome.commands == len(records) - len(records) // 2
    assert dump(new_writer(world, market.partition).shard) == dump(second.shard)
    assert check(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public).sound


def test_records_beyond_the_next_offset_are_refused_until_a_seek_proves_a_hole(world: World) -> None:
    """A batch that starts too late is answered with the offset to seek to; the first batch after that seek may start
    late, because then the log itself has a hole."""
    market = busy_market(world, "tenant-42")
    records = stored(world.broker.bootstrap, market.partition)
    writer = new_writer(world, market.partition)
    start = writer.position
    late = [r for r in records if r.offset >= start + 3]
    assert writer.process(late, sought=None).seek == start
    assert writer.process(late, sought=start + 1).seek == start
    assert writer.position == start
    everything = [r for r in records if r.offset >= start]
    assert writer.process(everything, sought=start).seek is None
    hole = [Stored(writer.position + 5, everything[-1].timestamp, b"\xff", b"garbage", [])]
    assert writer.process(hole, sought=writer.position).seek is None


def test_a_zombie_cannot_commit(world: World) -> None:
    """A writer that another one has replaced gets a fatal error, and nothing of its batch is ever read."""
    market = busy_market(world, "Ω-market")
    records = stored(world.broker.bootstrap, market.partition)
    zombie = new_writer(world, market.partition)
    heir = new_writer(world, market.partition)
    with pytest.raises(KafkaException) as caught:
        zombie.process(records, sought=None)
    assert caught.value.args[0].code() in {KafkaError._FATAL, KafkaError._FENCED}
    assert world.entries(market) == []
    heir.process(records, sought=None)
    assert check(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public).sound


def test_a_stranger_with_open_and_aborted_transactions_delays_nothing(world: World) -> None:
    """Transactions of somebody else on `commands` leave holes and undecided records; the referee reads them all as they
    are stored, answers each, and waits for nobody."""
    partition = 1
    stranger = Producer({"bootstrap.servers": world.broker.bootstrap, "transactional.id": "stranger"})
    stranger.init_transactions(10)
    for end in (stranger.commit_transaction, stranger.abort_transaction):
        stranger.begin_transaction()
        stranger.produce(COMMANDS.name, b"noise", key=b"x", partition=partition)
        stranger.flush(5)
        end(5)
    stranger.begin_transaction()
    stranger.produce(COMMANDS.name, b"undecided", key=b"x", partition=partition)
    stranger.flush(5)
    writer = new_writer(world, partition)
    records = stored(world.broker.bootstrap, partition)
    outcome = writer.process(records, sought=writer.position)
    assert outcome.commands == outcome.entries == len(records) == 3
    stranger.abort_transaction(5)


class Stuck:
    """A producer that is never told what became of its commit, which is carried out (once) or not."""

    def __init__(self, producer: Producer, *, commits: bool) -> None:
        self._producer = producer
        self._commits = commits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def commit_transaction(self, timeout: float) -> None:
        """Time out, as librdkafka does when it sends nothing any more."""
        if self._commits:
            self._commits = False
            self._producer.commit_transaction(timeout)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "4 messages remaining", retriable=True))


@pytest.mark.parametrize(("name", "commits"), [("told nothing", True), ("stuck False", False)])
def test_a_writer_whose_producer_is_stuck_can_be_replaced_at_once(world: World, name: str, commits: bool) -> None:
    """In the same process: the next writer fences it and finds out from the ledger what to judge again."""
    market = busy_market(world, name, cfps=5)
    records = stored(world.broker.bootstrap, market.partition)
    clock = itertools.count(0, 6)
    log = Log(
        lambda settings: cast("Sender", Stuck(Producer(settings), commits=commits)),
        read_partition,
        lambda: float(next(clock)),
    )
    writer = PartitionWriter(settings_of(world), market.partition, log)
    begun = writer.position
    with pytest.raises(ProducerStuckError):
        writer.process([r for r in records if r.offset >= begun], sought=begun)
    writer.close()
    heir = new_writer(world, market.partition)
    rest = [r for r in records if r.offset >= heir.position]
    assert heir.position == (records[-1].offset + 1 if commits else begun)
    if rest:
        assert heir.process(rest, sought=heir.position).entries > 0
    assert check(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public).sound


def test_a_broker_restart_costs_a_writer_nothing(world: World) -> None:
    """The broker goes away for some seconds right before a commit: the same call is repeated until it answers."""
    market = busy_market(world, "llm-tokens", cfps=5)
    records = stored(world.broker.bootstrap, market.partition)
    writer = new_writer(world, market.partition)
    world.broker.stop()

    def come_back() -> None:
        time.sleep(3)
        world.broker.start()

    helper = threading.Thread(target=come_back)
    helper.start()
    started = time.monotonic()
    outcome = writer.process([r for r in records if r.offset >= writer.position], sought=writer.position)
    helper.join()
    if outcome.seek is not None:
        outcome = writer.process([r for r in records if r.offset >= writer.position], sought=writer.position)
    print(f"\nbroker away for 3 s: committed after {time.monotonic() - started:.1f} s")
    assert outcome.entries > 0
    assert check(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public).sound
