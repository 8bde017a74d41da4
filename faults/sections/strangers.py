"""A stranger with transactions on `commands`; the consumer group's offsets reset, and the group deleted."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from contractnet.envelope import seal_tick
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.signing import KeyPair
from contractnet.topics import COMMANDS
from faults.arena import Arena
from faults.checker import OUTCOMES
from faults.mix import TOKENS
from faults.world import CREDITS, PARTITIONS, Market

GROUP = "contractnet"
WAYS = ("commit", "abort", "hang")
ORDERED, PRICE_UCR, OPEN_MS = 100, 1_000, 1_000
"""A standing order that needs nothing of anybody else, so that it is accepted whenever it is judged."""
TIMEOUT_S = 15.0
HANG_MS = 600_000
"""Longer than the section: while it hangs, a reader at read_committed would see nothing of `commands`."""


def run(arena: Arena) -> None:
    """The referee reads uncommitted, so that no stranger can hold it up; and it never reads the group's offsets."""
    rounds = arena.plan.pick(2, 10)
    arena.start_service("streams.snapshotter")
    members = {market.name: _member(market) for market in arena.markets}
    arena.start_worker(0)
    arena.wait_for_award()
    sent: list[Sent] = []
    for n in range(rounds):
        for way in WAYS:
            market = arena.rng.choice(arena.markets)
            sent.append(Sent(way, market, _intrude(arena, market, members[market.name], way, n)))
            # On the very partition that the stranger holds.
            arena.wait_for_award(TIMEOUT_S, everywhere=True)
            if arena.watch.is_open(COMMANDS.name, market.partition) or way != "hang":
                arena.tally.count(f"strangers_{way}")
            else:
                arena.tally.problems.append("the fault did not take effect: no transaction hangs on `commands`")
        arena.demand_alive("the strangers")
        arena.kill_worker(0, "group changed")
        _forget_offsets(arena, delete=n % 2 == 0)
        arena.start_worker(0)
        arena.wait_for_award(everywhere=True)
        arena.plan.progress(n + 1, rounds, "rounds of strangers and lost offsets")
    _demand_outcomes(arena, sent)


@dataclass(frozen=True, slots=True)
class Sent:
    """A signed command that a stranger sent in a transaction which ended in this way."""

    way: str
    market: Market
    command_id: bytes


def _member(market: Market) -> KeyPair:
    """A member of its own: nobody else counts on in its sequences."""
    keys = KeyPair.generate()
    account = market.open_account("stranger", keys)
    market.accounts[keys.public] = account
    market.send(c.IssueCredits(account, CREDITS, "start"), market.bank)
    return keys


def _intrude(arena: Arena, market: Market, member: KeyPair, way: str, n: int) -> bytes:
    """Garbage, and a true command of a member, in a transaction that ends one way or not at all; the command's id."""
    producer = Producer(
        {
            "bootstrap.servers": arena.world.broker.bootstrap,
            "transactional.id": f"stranger-{way}-{n}",
            "transaction.timeout.ms": HANG_MS,
        }
    )
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    order = market.seal(c.PlaceStandingOrder(TOKENS, ORDERED, PRICE_UCR, "task", OPEN_MS), member)
    values: tuple[bytes | None, ...] = (b"no command", seal_tick(market.name).value, None, b"no command")
    for value, headers in (*((value, []) for value in values), (order.value, order.headers)):
        producer.produce(
            COMMANDS.name, value, key=market.name.encode(), partition=market.partition, headers=list(headers)
        )
    assert producer.flush(TIMEOUT_S) == 0, "a stranger's records did not reach the broker"
    if way == "commit":
        producer.commit_transaction(TIMEOUT_S)
    elif way == "abort":
        producer.abort_transaction(TIMEOUT_S)
    # Left hanging: the object goes, the transaction stays open at the broker.
    return order.command_id


def _demand_outcomes(arena: Arena, sent: list[Sent]) -> None:
    """Each command was accepted, once, however its transaction ended: to the market a record that is stored is sent.

    Were it to wait for the end, a stranger could hold it up; and what it had judged could not be taken back.
    """
    partitions = {s.market.partition for s in sent}
    ids = {s.command_id for s in sent}

    def outcomes() -> Counter[tuple[bytes, str]]:
        entries = [entry for p in partitions for entry in arena.world.entries_of(p)]
        return Counter((x.source.command, type(x.event).__name__) for x in entries if isinstance(x.event, OUTCOMES))

    def answered() -> bool:
        return ids <= {command for command, _ in outcomes()}

    arena.world.wait_for("the strangers' commands are answered", answered, TIMEOUT_S)
    found = outcomes()
    for s in sent:
        came_to = {name: n for (command, name), n in found.items() if command == s.command_id}
        if came_to != {e.CommandAccepted.__name__: 1}:
            arena.tally.problems.append(f"a command in a transaction that was to {s.way} came to {came_to}")


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
    arena.tally.count("groups_deleted" if delete else "offset_resets", with_kill=True)
