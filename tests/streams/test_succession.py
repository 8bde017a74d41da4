"""What a dead worker has left open ends with its successor, at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from confluent_kafka import TopicPartition

from broker.ports import find_free
from contractnet.topics import LEDGER
from contractnet.watermarks import watermarks
from streams.reading import new_consumer
from streams.succession import PATIENCE_S, end_transactions
from tests.integration.world import World
from tests.streams.driving import settings_of

pytestmark = pytest.mark.broker
OWNER = """
import sys, time
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": sys.argv[1], "transactional.id": sys.argv[2]})
producer.init_transactions(30)
producer.begin_transaction()
producer.produce(sys.argv[3], b"half an award", partition=3)
producer.flush()
print("open", flush=True)
time.sleep(600)
"""


def test_a_dead_owners_transaction_ends(world: World) -> None:
    """Its records are aborted once a successor has come, so that the ledger's readers go on beyond them."""
    settings = settings_of(world)
    command = (sys.executable, "-c", OWNER, settings.bootstrap, settings.transactional_id(3), LEDGER.name)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        owner.kill()
    place = TopicPartition(LEDGER.name, 3)
    consumer = new_consumer(settings.bootstrap)
    _, stable = watermarks(consumer, place)
    asyncio.run(end_transactions(settings, [2, 3]))
    give_up_at = time.monotonic() + 10
    while watermarks(consumer, place)[1] <= stable:  # the record, and the marker that aborts it
        assert time.monotonic() < give_up_at, "the transaction is still open"
        time.sleep(0.01)
    consumer.close()


def test_a_broker_that_is_away_costs_no_more_than_patience(world: World) -> None:
    """The writers, which wait longer, will see for themselves."""
    begun = time.monotonic()
    asyncio.run(end_transactions(replace(settings_of(world), bootstrap=f"127.0.0.1:{find_free()}"), range(4)))
    assert time.monotonic() - begun < PATIENCE_S + 5
