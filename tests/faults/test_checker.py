"""The checker itself: what it calls broken, on a real ledger that was tampered with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from contractnet.topics import LEDGER
from faults.checker import check
from faults.records import stored
from faults.world import PARTITIONS, Market, World, new_world
from streams.settings import Settings
from streams.writer import PartitionWriter

pytestmark = pytest.mark.broker


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A broker with topics and no worker."""
    with new_world(tmp_path) as running:
        yield running


def judged(world: World) -> Market:
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
    PartitionWriter(settings, market.partition).process(stored(world.broker.bootstrap, market.partition), sought=None)
    return market


def test_a_second_copy_of_an_entry_is_a_duplicate_and_a_divergence(world: World) -> None:
    """Sound before; a record written twice by a broken writer is seen."""
    market = judged(world)

    def verdict() -> tuple[bool, int, int]:
        found = check(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public)
        return found.sound, found.duplicate, found.diverged

    assert verdict() == (True, 0, 0)
    copy = stored(world.broker.bootstrap, market.partition, LEDGER.name)[0]
    world.producer.produce(
        LEDGER.name, copy.value, key=copy.key, partition=market.partition, headers=list(copy.headers)
    )
    assert world.producer.flush(10) == 0
    sound, _, diverged = verdict()
    assert (sound, diverged > 0) == (False, True)


def test_what_an_aborted_transaction_left_is_compared_as_well(world: World) -> None:
    """At read_committed the ledger is sound; a reader at read_uncommitted would see a record that no rule gives."""
    market = judged(world)
    entry = stored(world.broker.bootstrap, market.partition, LEDGER.name)[0]
    stranger = Producer({"bootstrap.servers": world.broker.bootstrap, "transactional.id": "stranger"})
    stranger.init_transactions(10)
    stranger.begin_transaction()
    stranger.produce(LEDGER.name, entry.value, key=entry.key, partition=market.partition, headers=[("chain", b"x")])
    stranger.flush(10)
    stranger.abort_transaction(10)
    found = check(world.broker.bootstrap, market.partition, PARTITIONS, world.operator.public)
    assert (found.visible, found.diverged) == (1, 1)
