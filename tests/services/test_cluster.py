"""`up` on a cluster that another `up` serves, whose market is another operator's, or that anybody reaches."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Consumer

from broker.interface import Broker
from contractnet.cli.directory import DataDirectory
from contractnet.errors import ServiceError
from services.cluster import check_operator, wait_for_absence
from streams.topics import create_topics
from tests.cli.command import contractnet

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


def test_without_access_control_an_existing_cluster_is_called_insecure(broker: Broker, tmp_path: Path) -> None:
    """`--insecure` says so as with a broker of our own; without it, `up` says that it has no credentials."""
    create_topics(broker.bootstrap, 4, 1)
    # Another number of partitions: `up` ends before it starts anything.
    up = ("--data", tmp_path / "data", "--bootstrap", broker.bootstrap, "up", "--partitions", "3")
    insecure, plain = contractnet(*up, "--insecure"), contractnet(*up)
    for ended in (insecure, plain):
        assert ended.returncode == 1
        assert "has 4 partitions, not 3" in ended.stderr
    assert "INSECURE, for development only" in insecure.stdout
    assert "INSECURE" not in plain.stdout
    assert "no credentials for" in plain.stdout
