"""Creates the topics of contractnet/topics.py, and looks at those that are there already.

All of them are made before any service starts: a topic that does not exist hangs a restore. One that somebody else made
in another way is refused: with stamps of its writers, agents would set the market's time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from contractnet.access import client_settings
from contractnet.errors import AccessRefusedError, BrokerUnreachableError, SettingsError
from contractnet.refusals import Refusals, is_refusal, list_topics, refused
from contractnet.rights import alter_command
from contractnet.topics import TOPICS, Topic

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
    """Create what is missing and return its names.

    Raises SettingsError where a topic has another partition count, or another configuration than the table's, and
    AccessRefusedError.
    """
    admin = AdminClient(client_settings(bootstrap) | {"log_level": 2})
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
    _check_configuration(admin, bootstrap, [topic for topic in TOPICS if topic.name not in made])
    return made


def _check_configuration(admin: AdminClient, bootstrap: str, topics: Iterable[Topic]) -> None:
    """Raise SettingsError unless these topics are kept as the table says."""
    for topic in topics:
        found = _configuration(admin, bootstrap, topic.name)
        wrong = {name: value for name, value in topic.config.items() if found.get(name) != value}
        if wrong:
            named = ", ".join(f"{name} is {found.get(name)}, not {value}" for name, value in wrong.items())
            whose = ["--entity-name", topic.name]
            raise SettingsError(
                f"Topic {topic.name} at {bootstrap} was not made by `contractnet up`, and the market can't rely on it: "
                f"{named}. Have the cluster's administrator run, before anything is stored in it: "
                f"{alter_command('topics', whose, wrong, bootstrap)} (or delete it while it is empty, and `up` makes "
                f"it). Records that it has already stay as they are (docs/security.md, An existing cluster)."
            )


def _configuration(admin: AdminClient, bootstrap: str, topic: str) -> Mapping[str, str | None]:
    """What a topic is kept by, its broker's defaults included. Raises AccessRefusedError, KafkaException."""
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    (future,) = admin.describe_configs([resource], request_timeout=TIMEOUT_S).values()
    try:
        entries: Mapping[str, ConfigEntry] = future.result()
    except KafkaException as error:
        if is_refusal(error.args[0]):
            raise AccessRefusedError(
                f"{refused(bootstrap, error.args[0])} Seeing how topic {topic} is kept is one of the operator's rights "
                f"that `contractnet access show` prints: a cluster that was set up by an earlier version lacks it."
            ) from error
        raise
    return {name: entry.value for name, entry in entries.items()}
