"""A partition's writer: position from the ledger, gaps, holes, zombies and the broker's absence."""

from __future__ import annotations

import threading
import time

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from contractnet.topics import COMMANDS
from market.snapshot import dump
from tests.integration.checker import check
from tests.integration.records import Stored, stored
from tests.integration.world import PARTITIONS, World
from tests.streams.driving import busy_market, new_writer


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
