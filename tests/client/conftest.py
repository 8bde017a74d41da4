"""A broker with the market's topics, a referee, and an opened market."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.interface import Broker
from broker.jvm import JvmBroker
from tests.client.referee import Referee, create_topics
from tests.client.stage import OPERATOR


@pytest.fixture(scope="session")
def market_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of its own: the topics have fixed names, and one test restarts it."""
    with JvmBroker(tmp_path_factory.mktemp("client-broker"), port=0, notify=print) as running:
        create_topics(running.bootstrap)
        yield running


@pytest.fixture(scope="session")
def referee(market_broker: Broker) -> Iterator[Broker]:
    """The broker, with a referee that judges its markets."""
    with Referee(market_broker.bootstrap, OPERATOR.public):
        yield market_broker
