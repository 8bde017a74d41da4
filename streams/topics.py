"""Creates the topics of contractnet/topics.py.

All of them are made before any service starts: a topic that does not exist hangs a restore.
"""

from __future__ import annotations

import logging
import time

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contractnet.access import client_settings
from contractnet.errors import BrokerUnreachableError, SettingsError
from contractnet.refusals import Refusals, list_topics
from contractnet.topics import TOPICS

TIMEOUT_S = 30.0
_ANSWER_S = 1.0
_PAUSE_S = 0.1

logger = logging.getLogger(__name__)


def wait_for_topics(bootstrap: str, timeout_s: float) -> None:
    """Return once a broker answers that has the topics. Raises BrokerUnreachableError after `timeout_s`, and
    AccessRefusedError as soon as the broker says so."""
    refusals = Refusals()
    admin = AdminClient(
        client_settings(bootstrap) | {"log_level": 0, "reconnect.backoff.max.ms": 500, "error_cb": refusals}
    )
    give_up_at = time.monotonic() + timeout_s
    told = False
    while True:
        try:
            missing = {topic.name for topic in TOPICS} - set(list_topics(admin, refusals, bootstrap, _ANSWER_S).topics)
            if not missing:
                return
            problem = f"it has no topic {', '.join(sorted(missing))}: `contractnet up` creates them"
        except KafkaException as error:
            problem = f"no answer ({error.args[0].str()})"
        if time.monotonic() > give_up_at:
            raise BrokerUnreachableError(f"The broker at {bootstrap} is not ready: {problem}.")
        if not told:
            logger.warning("waiting for the broker at %s: %s", bootstrap, problem)
            told = True
        time.sleep(_PAUSE_S)


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
