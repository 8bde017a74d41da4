"""A stranger with transactions on `commands`; the consumer group's offsets reset, and the group deleted."""

from __future__ import annotations

import time

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from contractnet.envelope import seal_tick
from contractnet.topics import COMMANDS
from faults.arena import Arena
from faults.world import PARTITIONS, Market

GROUP = "contractnet"
WAYS = ("commit", "abort", "hang")
RECORDS = 5
TIMEOUT_S = 15.0
HANG_MS = 600_000
"""Longer than the section: while it hangs, a reader at read_committed would see nothing of `commands`."""


def run(arena: Arena) -> None:
    """The referee reads uncommitted, so that no stranger can hold it up; and it never reads the group's offsets."""
    rounds = arena.plan.pick(2, 10)
    arena.start_service("streams.snapshotter")
    arena.start_worker(0)
    arena.wait_for_award()
    for n in range(rounds):
        for way in WAYS:
            _intrude(arena, arena.rng.choice(arena.markets), way, n)
            arena.tally.other[f"strangers_{way}"] += 1
            arena.wait_for_award(TIMEOUT_S)
        arena.demand_alive("the strangers")
        arena.kill_worker(0, "group changed")
        _forget_offsets(arena, delete=n % 2 == 0)
        arena.start_worker(0)
        arena.wait_for_award()
        arena.plan.progress(n + 1, rounds, "rounds of strangers and lost offsets")


def _intrude(arena: Arena, market: Market, way: str, n: int) -> None:
    """Garbage, and true commands of an agent, in a transaction that ends one way or not at all."""
    producer = Producer(
        {
            "bootstrap.servers": arena.world.broker.bootstrap,
            "transactional.id": f"stranger-{way}-{n}",
            "transaction.timeout.ms": HANG_MS,
        }
    )
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    key = market.name.encode()
    for i in range(RECORDS):
        tick = seal_tick(market.name)
        value = (b"no command", tick.value, None)[i % 3]
        producer.produce(COMMANDS.name, value, key=key, partition=market.partition)
    producer.flush(TIMEOUT_S)
    if way == "commit":
        producer.commit_transaction(TIMEOUT_S)
    elif way == "abort":
        producer.abort_transaction(TIMEOUT_S)
    # Left hanging: the object goes, the transaction stays open at the broker.


def _forget_offsets(arena: Arena, *, delete: bool) -> None:
    """Delete the group, or set its offsets to 0, once the dead worker's session is over."""
    admin = AdminClient({"bootstrap.servers": arena.world.broker.bootstrap})
    give_up_at = time.monotonic() + TIMEOUT_S
    zero = [TopicPartition(COMMANDS.name, p, 0) for p in range(PARTITIONS)]
    while True:
        try:
            if delete:
                admin.delete_consumer_groups([GROUP])[GROUP].result()
            else:
                request = ConsumerGroupTopicPartitions(GROUP, zero)
                admin.alter_consumer_group_offsets([request])[GROUP].result()
            break
        except KafkaException as error:
            # NON_EMPTY_GROUP and its like, until the session is over.
            if time.monotonic() > give_up_at:
                raise AssertionError(f"the group's offsets could not be changed: {error}") from error
            time.sleep(0.5)
    arena.tally.other["groups_deleted" if delete else "offset_resets"] += 1
