"""The contract, asked of the embedded broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.interface import Broker
from broker.jvm import JvmBroker
from tests.broker.contract import OwnedBrokerContract

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with JvmBroker(tmp_path_factory.mktemp("jvm"), port=0) as running:
        yield running


class TestJvmBroker(OwnedBrokerContract):
    """All of the contract for brokers of our own."""
