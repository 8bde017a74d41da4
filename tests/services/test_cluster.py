"""`up` on a cluster that another `up` serves, or whose market is another operator's."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer

from broker.interface import Broker
from contractnet.cli.directory import DataDirectory
from contractnet.errors import ServiceError
from services.cluster import check_operator, wait_for_absence
from streams.topics import create_topics

pytestmark = pytest.mark.broker


def test_a_group_with_members_is_refused(broker: Broker) -> None:
    """The refusal says what to do; where nobody is in the group, nothing is waited for."""
    wait_for_absence("nobody-there", broker.bootstrap, pytest.fail, patience_s=0.0)
    create_topics(broker.bootstrap, 4, 1)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "referees-of-another"})
    told: list[str] = []
    try:
        consumer.subscribe(["commands"])
        for _ in range(100):
            consumer.poll(0.1)
            if consumer.assignment():
                break
        with pytest.raises(ServiceError, match=r"--market does not help.*--data"):
            wait_for_absence("referees-of-another", broker.bootstrap, told.append, patience_s=0.0)
    finally:
        consumer.close()
    assert len(told) == 1
    wait_for_absence("referees-of-another", broker.bootstrap, pytest.fail, patience_s=0.0)


def test_a_market_that_nobody_opened_may_be_opened(broker: Broker, tmp_path: Path) -> None:
    """It is no other operator's, and asking makes no key."""
    directory = DataDirectory(tmp_path)
    check_operator(directory, broker.bootstrap, "a market that nobody opened")
    assert not directory.operator.exists()
