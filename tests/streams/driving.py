"""Feeds a PartitionWriter from the real topic, in one thread and without Faust."""

from __future__ import annotations

import time

from streams.settings import Settings
from streams.writer import PartitionWriter
from tests.integration.records import stored
from tests.integration.world import PARTITIONS, Market, World

OPEN_MS = 100


def settings_of(world: World) -> Settings:
    """Settings of a service on this world's broker."""
    return Settings(
        bootstrap=world.broker.bootstrap,
        data=world.data,
        app_id="contractnet",
        partitions=PARTITIONS,
        replication=1,
        operator_key=world.operator.public,
        slot=0,
        web_port=0,
        session_timeout_s=10,
    )


def busy_market(world: World, name: str, cfps: int = 20) -> Market:
    """A market with some CFPs and bids on its way to the referee, and a last call after every deadline.

    Only a record advances market time: without the last one, a machine that writes all the others within a bidding
    window would see no award.
    """
    market = world.market(name)
    market.open(agents=4)
    for i in range(cfps):
        cfp = market.call(open_ms=OPEN_MS, duration_ms=200)
        for j, keys in enumerate(market.agents):
            market.bid(cfp, keys, 100 + 10 * i + j)
    assert world.producer.flush(10) == 0
    time.sleep(2 * OPEN_MS / 1_000)
    market.call(open_ms=OPEN_MS, duration_ms=200)
    assert world.producer.flush(10) == 0
    return market


def new_writer(world: World, partition: int) -> PartitionWriter:
    """A writer that has fenced every earlier one of this partition."""
    return PartitionWriter(settings_of(world), partition)


def judge_all(world: World, partition: int) -> None:
    """Answer every command of a partition, and return once the answers can be read.

    Kafka acknowledges a commit before its records are visible; `init_transactions` of the next writer waits for them.
    """
    new_writer(world, partition).process(stored(world.broker.bootstrap, partition), sought=None)
    new_writer(world, partition)
