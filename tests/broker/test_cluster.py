"""Three brokers as one cluster: data has three copies, and the death of a leader loses nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import PartitionMetadata

from broker.cluster import JvmCluster
from tests.broker.contract import TIMEOUT_S, Writer, create_topic, read_all

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[JvmCluster]:
    """A started cluster of three."""
    with JvmCluster(tmp_path) as running:
        yield running


def partition_of(admin: AdminClient, topic: str) -> PartitionMetadata:
    """The topic's only partition. A broker of a cluster learns of a new topic a moment after its creation."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        partitions = admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
        if partitions:
            return partitions[0]
        time.sleep(0.05)
    raise AssertionError(f"no broker knows the topic {topic}")


def test_a_dead_leader_loses_nothing(cluster: JvmCluster) -> None:
    """With its leader killed amid the work and back later, a topic has every acknowledged record once, in order."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})
    topic = create_topic(cluster.bootstrap)
    before = partition_of(admin, topic)
    assert sorted(before.replicas) == [1, 2, 3]
    with Writer(cluster.bootstrap, topic) as writer:
        writer.wait_for(1000)
        cluster.kill_node(before.leader)
        writer.wait_for(len(writer.acknowledged) + 1000)
        after = partition_of(admin, topic)
        cluster.start()
        writer.wait_for(len(writer.acknowledged) + 1000)
    assert after.leader != before.leader
    assert read_all(cluster.bootstrap, topic) == writer.acknowledged
