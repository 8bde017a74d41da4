"""Creates the topics of contractnet/topics.py.

All of them are made before any service starts: a topic that does not exist hangs a restore.
"""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contractnet.access import client_settings
from contractnet.errors import SettingsError
from contractnet.topics import TOPICS

TIMEOUT_S = 30.0


def create_topics(bootstrap: str, partitions: int, replication: int) -> list[str]:
    """Create what is missing and return its names; raises SettingsError where a topic has another partition count."""
    admin = AdminClient(client_settings(bootstrap))
    config = {"min.insync.replicas": str(max(1, replication - 1))}
    wanted = [NewTopic(t.name, partitions, replication, config=t.config | config) for t in TOPICS]
    made = []
    for name, future in admin.create_topics(wanted, request_timeout=TIMEOUT_S).items():
        try:
            future.result()
            made.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    found = admin.list_topics(timeout=TIMEOUT_S).topics
    for topic in TOPICS:
        count = len(found[topic.name].partitions) if topic.name in found else partitions
        if count != partitions:
            raise SettingsError(
                f"topic {topic.name} has {count} partitions, not {partitions}: a market's partition never changes; "
                f"set CONTRACTNET_PARTITIONS={count}"
            )
    return made
