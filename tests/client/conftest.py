"""A broker with the market's topics, and a referee."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.interface import Broker
from broker.jvm import JvmBroker
from contractnet.topics import PARTITIONS_DEFAULT
from streams.topics import create_topics
from tests.client.referee import worker
from tests.client.stage import OPERATOR


@pytest.fixture(scope="session")
def market_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of its own: the topics have fixed names, and one test restarts it."""
    with JvmBroker(tmp_path_factory.mktemp("client-broker"), port=0, notify=print) as running:
        create_topics(running.bootstrap, PARTITIONS_DEFAULT, 1)
        yield running


@pytest.fixture(scope="session")
def referee(market_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker, with a worker that judges its markets."""
    with worker(market_broker.bootstrap, OPERATOR.public, tmp_path_factory.mktemp("worker")):
        yield market_broker
