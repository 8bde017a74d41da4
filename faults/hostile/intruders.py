"""The kind `rights`: clients that try on the broker what their credentials must not do.

An agent's own, and those that must not get in at all, try every cell of `faults/hostile/rights.py`; a user that is
revoked while it is connected tries what it could do before.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from contractnet.access import Access, client_settings
from contractnet.topics import COMMANDS, NOTICES
from faults.hostile import attempts
from faults.hostile.attempts import NOT_LET_IN, PATIENCE_S
from faults.hostile.ground import Shot, words
from faults.hostile.honest import negotiation
from faults.hostile.rights import NAMED, TOPIC, TOPICS, Cell, allowed, cells, strangers
from faults.hostile.siege import Siege

NAME = "rights"
SIDE_BY_SIDE = 4
STRANGE = 5
"""Cells that each stranger tries in the short form; in the full one, every cell."""
PART = 100
"""Attempts between which honest members trade."""

Trial = tuple[str, Cell, Access, str]


def attack(siege: Siege, wanted: int) -> None:
    """Every cell as an agent, until so many attempts are made; strangers and revoked users beside the first round."""
    rng, made = siege.ground.rng, 0
    agent, revoked = siege.field.principals.new_agents(2)
    siege.fire(negotiation(siege.ground))
    _revoked_while_connected(siege, revoked)
    while made < wanted:
        listed = cells(f"own-{rng.randbytes(4).hex()}")
        trials: list[Trial] = [("an agent", cell, agent, cell.refusal) for cell in listed]
        if not made:
            trials += _of_strangers(siege, [*listed, *allowed()], strangers(agent, revoked))
        made += len(listed)
        rng.shuffle(trials)
        for start in range(0, len(trials), PART):
            _try_all(siege, trials[start : start + PART])
            siege.fire(negotiation(siege.ground))
    siege.flush()


def _of_strangers(siege: Siege, listed: list[Cell], known: Mapping[str, tuple[Access, str]]) -> list[Trial]:
    count = siege.arena.plan.pick(STRANGE, len(listed))
    return [
        (who, cell, access, refusal)
        for who, (access, refusal) in known.items()
        for cell in siege.ground.rng.sample(listed, count)
    ]


def _try_all(siege: Siege, trials: Iterable[Trial]) -> None:
    bootstrap = siege.arena.world.broker.bootstrap

    def tried(trial: Trial) -> tuple[str, str | None, str]:
        who, cell, access, refusal = trial
        return f"{cell.what} as {who}", cell.attempt(bootstrap, access), refusal

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for told in pool.map(tried, trials):
            siege.refused.note(*told)


def _revoked_while_connected(siege: Siege, access: Access) -> None:
    """A producer and a consumer that have served their user, and go on after its end."""
    bootstrap, place = siege.arena.world.broker.bootstrap, siege.ground.partition
    door = attempts.Door()
    settings = client_settings(bootstrap, access) | {"log_level": 0}
    producer = Producer(settings | {"error_cb": door})
    consumer = Consumer(settings | {"group.id": NAMED, "enable.auto.commit": False, "fetch.wait.max.ms": 20})
    siege.flush()
    producer.produce(
        COMMANDS.name,
        b"rubbish",
        partition=place,
        on_delivery=siege.noting(Shot(None, b"rubbish", [], words("UNREADABLE"))),
    )
    assert producer.flush(PATIENCE_S) == 0
    consumer.assign([TopicPartition(NOTICES.name, place, OFFSET_BEGINNING)])
    assert attempts.answer(consumer, NOTICES.name, attempts.Door()) is None, "an agent hears the notices"
    assert access.user is not None
    siege.field.principals.revoke(access.user)
    # The broker hears of rights and users in the order in which they change: when it lets the user in no more, the
    # rights are gone as well.
    give_up_at = time.monotonic() + PATIENCE_S
    while (fresh := attempts.knock(bootstrap, access)) is None and time.monotonic() < give_up_at:
        time.sleep(0.05)
    siege.refused.note("connect as a revoked user", fresh, NOT_LET_IN)
    for topic in TOPICS:
        found = attempts.write_with(producer, topic, door, place)
        siege.refused.note(f"write {topic} over the connection of a revoked user", found, TOPIC)
    consumer.assign([TopicPartition(NOTICES.name, place, OFFSET_BEGINNING)])
    found = attempts.answer(consumer, NOTICES.name, attempts.Door())
    siege.refused.note("read notices over the connection of a revoked user", found, TOPIC)
    consumer.close()
