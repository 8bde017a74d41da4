"""The contract, asked of a broker in a container; skipped, with the reason, where no engine answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.docker import DockerBroker, why_no_engine
from broker.interface import Broker
from contractnet.errors import DockerUnavailableError
from tests.broker.contract import OwnedBrokerContract

pytestmark = pytest.mark.docker

NO_ENGINE = why_no_engine()


@pytest.fixture(scope="module")
def subject() -> Iterator[Broker]:
    with DockerBroker() as running:
        yield running


# Reason of both skips: one needs a container engine, the other its absence, and a machine has one of the two.
@pytest.mark.skipif(NO_ENGINE is not None, reason=f"no container engine answers: {NO_ENGINE}")
class TestDockerBroker(OwnedBrokerContract):
    """All of the contract for brokers of our own."""


@pytest.mark.skipif(NO_ENGINE is None, reason="a container engine answers here, so its absence can't be tested")
def test_without_an_engine_the_error_says_so() -> None:
    """Where no engine answers, `start` says why, and that the embedded broker needs none."""
    with pytest.raises(DockerUnavailableError, match="embedded broker"):
        DockerBroker().start()
