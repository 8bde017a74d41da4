"""The contract, asked of a broker that somebody else runs, and what such a broker refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.external import ExternalBroker
from broker.interface import Broker
from broker.ports import find_free
from contractnet.errors import BrokerUnreachableError, BrokerUnsupportedError
from tests.broker.contract import BrokerContract

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def subject(broker: Broker) -> Iterator[Broker]:
    with ExternalBroker(broker.bootstrap) as external:
        yield external


class TestExternalBroker(BrokerContract):
    """The contract for every broker, and the limits of this one."""

    def test_stop_leaves_the_cluster_alone(self, subject: Broker) -> None:
        """`stop` is for the owner: afterwards the cluster still answers."""
        subject.stop()
        subject.start()

    def test_kill_and_restart_are_refused(self, subject: Broker) -> None:
        """What only the owner can do is refused, with the address in the message."""
        with pytest.raises(BrokerUnsupportedError, match=subject.bootstrap):
            subject.kill()
        with pytest.raises(BrokerUnsupportedError, match="restart"):
            subject.restart()


def test_an_address_without_a_broker_is_named() -> None:
    """Where nothing answers, `start` fails in time and says where it asked and what to do."""
    address = f"127.0.0.1:{find_free()}"
    with pytest.raises(BrokerUnreachableError, match=rf"{address}.*--bootstrap") as raised:
        ExternalBroker(address, timeout_s=1.0).start()
    assert raised.value.transient
