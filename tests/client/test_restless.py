"""A partition that never rests: no fetch comes back empty, and so none says where the end is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from analytics.verify.kafka import KafkaSource
from broker.interface import Broker
from contractnet import Agent, Connection
from contractnet.errors import RejectedError
from projections.reader import LedgerReader
from projections.settings import ProjectionSettings
from streams.reading import read_partition
from tests.broker.contract import create_topic
from tests.client.stage import staged

pytestmark = pytest.mark.broker

BEFORE = 100
PAUSE_S = 0.003
PATIENCE_S = 5.0


@pytest.fixture
def topic(market_broker: Broker) -> Iterator[str]:
    """A topic that has records and gets another one every few milliseconds."""
    name, ending = create_topic(market_broker.bootstrap), threading.Event()
    producer = Producer({"bootstrap.servers": market_broker.bootstrap, "linger.ms": 0})
    for number in range(BEFORE):
        producer.produce(name, str(number).encode())
    producer.flush(30)

    def write() -> None:
        while not ending.wait(PAUSE_S):
            producer.produce(name, b"more")
            producer.poll(0)
        producer.flush(30)

    writing = threading.Thread(target=write)
    writing.start()
    yield name
    ending.set()
    writing.join()


def test_a_partition_is_read_to_the_end_that_it_had(market_broker: Broker, topic: str) -> None:
    """By a worker, and by verify."""
    for reading in (
        read_partition(market_broker.bootstrap, topic, 0, 0),
        KafkaSource(market_broker.bootstrap).read(topic, 0, 0),
    ):
        begun = time.monotonic()
        first, *others = [record.offset for record in reading]
        assert time.monotonic() - begun < PATIENCE_S
        assert [first, *others] == list(range(1 + len(others)))
        assert len(others) >= BEFORE - 1


def test_a_rebuild_ends(market_broker: Broker, topic: str, tmp_path: Path) -> None:
    """The projection's reader says that it has what was there when it began."""
    reader = LedgerReader(ProjectionSettings(market_broker.bootstrap, tmp_path, topic, publish_interval_s=0.1), {})
    try:
        give_up_at, read = time.monotonic() + PATIENCE_S, 0
        while not reader.at_end:
            read += len(reader.poll())
            assert time.monotonic() < give_up_at
        assert read >= BEFORE
    finally:
        reader.close()


def test_a_market_that_never_rests_can_be_joined(referee: Broker) -> None:
    """Whoever connects knows what is open, though notices go on to come."""

    async def work(agent: Agent, ending: asyncio.Event) -> None:
        while not ending.is_set():
            with pytest.raises(RejectedError):
                await agent.release(bytes(16))

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=8) as stage:
            cfp = await stage.manager.call_for_proposals("gpu", duration_s=1, open_s=30)
            ending = asyncio.Event()
            working = [asyncio.create_task(work(agent, ending)) for agent in stage.bidders]
            await asyncio.sleep(0.5)
            begun = time.monotonic()
            async with Connection.open(
                referee.bootstrap, market=stage.connection.market, genesis=stage.connection.genesis
            ) as late:
                assert time.monotonic() - begun < PATIENCE_S
                alice = late.agent(stage.bidders[0].credential)
                assert (await anext(alice.cfps("gpu"))).id == cfp.id
            ending.set()
            await asyncio.gather(*working)

    asyncio.run(play())
