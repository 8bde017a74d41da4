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

NO_LEADER = -1


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


def leader_after(admin: AdminClient, topic: str, dead: int) -> int:
    """The leader that follows a dead one. The election takes a while, and metadata names the dead one until then."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        leader = partition_of(admin, topic).leader
        if leader not in (dead, NO_LEADER):
            return leader
        time.sleep(0.05)
    raise AssertionError(f"the leader of {topic} is still node {dead}, or none")


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
        leader_after(admin, topic, before.leader)
        cluster.start()
        writer.wait_for(len(writer.acknowledged) + 1000)
    assert read_all(cluster.bootstrap, topic) == writer.acknowledged
