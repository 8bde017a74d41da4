"""What an agent's credential must not do on the broker, cell by cell, and what credentials must not get in at all.

By hand, not from the table that makes the ACLs: an agent writes `commands`, reads `notices`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from confluent_kafka import ConsumerGroupTopicPartitions, ElectionType, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from broker.security import USER, Security
from contractnet.access import PLAINTEXT, Access, scram
from contractnet.principals import binding
from contractnet.rights import Right
from faults.hostile import attempts, direct
from faults.hostile.attempts import HUNG_UP, NOT_LET_IN, Asked, ask

TOPICS = ("commands", "ledger", "notices", "snapshots")
INNER = ("__consumer_offsets", "__transaction_state")
GROUPS = (
    "contractnet",
    "contractnet-notices",
    "contractnet-reader-1",
    "contractnet-projector",
    "contractnet-verify-1",
    "contractnet-status",
)
NAMED = "contractnet-notices"
"""The group that agents name and never join."""
TRANSACTIONS = ("contractnet-0", "contractnet-3", "contractnet-judge", "contractnet-")
TOPIC = "TOPIC_AUTHORIZATION_FAILED"
GROUP = "GROUP_AUTHORIZATION_FAILED"
CLUSTER = "CLUSTER_AUTHORIZATION_FAILED"
TRANSACTION = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"

Attempt = Callable[[str, Access], str | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to try, and Kafka's name for its refusal where an agent tries it."""

    what: str
    refusal: str
    attempt: Attempt


def cells(own: str) -> list[Cell]:
    """Everything that an agent must not do. `own` is a name that nobody has: of a topic, a group, an id, a user."""
    return [*_records(own), *_topics(own), *_groups(own), *_cluster(own)]


def allowed() -> list[Cell]:
    """What an agent may do, and whoever is not let in may not."""
    write: Attempt = partial(_write, topic="commands")
    return [Cell("write commands", "", write), Cell("read notices", "", partial(_read, topic="notices"))]


def strangers(agent: Access, revoked: Access) -> Mapping[str, tuple[Access, str]]:
    """Credentials that let nobody in, by name, each with librdkafka's name for what comes of them."""
    assert agent.user is not None
    return {
        "no credentials": (PLAINTEXT, HUNG_UP),
        "a wrong password": (scram(agent.user, "wrong"), NOT_LET_IN),
        "an unknown user": (scram("nobody", "wrong"), NOT_LET_IN),
        "an agent over PLAIN": (Access({**agent.settings, "sasl.mechanism": "PLAIN"}), NOT_LET_IN),
        "a guess at the broker's own": (Security("guess").access, NOT_LET_IN),
        "the broker's name over SCRAM": (scram(USER, "guess"), NOT_LET_IN),
        "a revoked user": (revoked, NOT_LET_IN),
    }


def _write(bootstrap: str, access: Access, topic: str) -> str | None:
    return attempts.write(bootstrap, access, topic)


def _read(bootstrap: str, access: Access, topic: str) -> str | None:
    return attempts.read(bootstrap, access, topic, NAMED)


def _records(own: str) -> Iterator[Cell]:
    for topic in (*TOPICS, *INNER, own):
        if topic != "commands":
            yield Cell(f"write {topic}", TOPIC, partial(_write, topic=topic))
            yield Cell(f"write {topic} by idempotence", TOPIC, partial(_write_once, topic=topic))
            yield Cell(f"send to {topic}", TOPIC, partial(direct.produce, topic=topic))
        if topic != "notices":
            yield Cell(f"read {topic}", TOPIC, partial(_read, topic=topic))
            yield Cell(f"fetch {topic}", TOPIC, partial(direct.fetch, topic=topic))
        if topic not in ("commands", "notices"):
            yield _asking(f"find {topic}", TOPIC, partial(_find, topic=topic))
            yield Cell(f"ask for the end of {topic}", TOPIC, partial(direct.end, topic=topic))
        yield Cell(f"cut {topic}", TOPIC, partial(direct.cut, topic=topic))
    for name in (*TRANSACTIONS, own):
        yield Cell(f"transact as {name}", TRANSACTION, partial(_transact, name=name))


def _write_once(bootstrap: str, access: Access, topic: str) -> str | None:
    return attempts.write(bootstrap, access, topic, **{"enable.idempotence": True})


def _transact(bootstrap: str, access: Access, name: str) -> str | None:
    return attempts.transact(bootstrap, access, name)


def _asking(what: str, refusal: str, step: Callable[[AdminClient], Asked]) -> Cell:
    return Cell(what, refusal, partial(ask, step=step))


def topic_steps(topic: str) -> dict[str, Callable[[AdminClient], Asked]]:
    """What changes a topic, or tells how it is kept."""
    kept = ConfigResource(ResourceType.TOPIC, topic)
    changed = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[changed])
    return {
        "delete": lambda admin: admin.delete_topics([topic]),
        "split": lambda admin: admin.create_partitions([NewPartitions(topic, 9)]),
        "change": lambda admin: admin.incremental_alter_configs([change]),
        "look at": lambda admin: admin.describe_configs([kept]),
    }


def _topics(own: str) -> Iterator[Cell]:
    yield _asking(f"create {own}", TOPIC, lambda admin: admin.create_topics([NewTopic(own, 1, 1)]))
    for topic in (*TOPICS, *INNER):
        for what, step in topic_steps(topic).items():
            yield _asking(f"{what} {topic}", TOPIC, step)


def _find(admin: AdminClient, topic: str) -> Asked:
    return admin.describe_topics(TopicCollection([topic]))


def _groups(own: str) -> Iterator[Cell]:
    for group in (*GROUPS, own):
        yield Cell(f"join {group}", GROUP, partial(_join, group=group))
        yield Cell(f"commit for {group}", GROUP, partial(_commit, group=group))
        yield _asking(f"delete {group}", GROUP, partial(_delete, group=group))
        if group != NAMED:
            yield _asking(f"describe {group}", GROUP, partial(_describe, group=group))
            yield _asking(f"ask for the offsets of {group}", GROUP, partial(_offsets, group=group))
    yield Cell("join contractnet as its member", GROUP, partial(_join, group="contractnet", member="contractnet-0"))


def _join(bootstrap: str, access: Access, group: str, member: str | None = None) -> str | None:
    more = {} if member is None else {"group.instance.id": member}
    return attempts.join(bootstrap, access, "notices", group, **more)


def _commit(bootstrap: str, access: Access, group: str) -> str | None:
    return attempts.commit(bootstrap, access, "notices", group)


def _delete(admin: AdminClient, group: str) -> Asked:
    return admin.delete_consumer_groups([group])


def _describe(admin: AdminClient, group: str) -> Asked:
    return admin.describe_consumer_groups([group])


def _offsets(admin: AdminClient, group: str) -> Asked:
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition("notices", 0)])
    return admin.list_consumer_group_offsets([wanted])


def cluster_steps(own: str) -> dict[str, Callable[[AdminClient], Asked]]:
    """What changes the cluster under everybody, or tells who is on it. `own` is whose right is asked for."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    theirs = AclBindingFilter(
        ResourceType.TOPIC,
        "ledger",
        ResourcePatternType.LITERAL,
        "User:referee",
        "*",
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    changed = ConfigEntry("log.retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[changed])
    taken = [UserScramCredentialUpsertion(user, info, b"mine") for user in ("operator", "referee", USER, own)]
    gone = UserScramCredentialDeletion("referee", ScramMechanism.SCRAM_SHA_512)
    found: dict[str, Callable[[AdminClient], Asked]] = {
        f"take {made.user}": partial(AdminClient.alter_user_scram_credentials, alterations=[made]) for made in taken
    }
    return found | {
        "remove referee": lambda admin: admin.alter_user_scram_credentials([gone]),
        "allow": lambda admin: admin.create_acls([binding(Right(own, "topic", "ledger", "read"))]),
        "allow everybody": lambda admin: admin.create_acls([binding(Right("*", "topic", "ledger", "read"))]),
        "forbid": lambda admin: admin.create_acls([binding(Right("referee", "topic", "ledger", "all", denied=True))]),
        "remove the rights of referee": lambda admin: admin.delete_acls([theirs]),
        "change the broker": lambda admin: admin.incremental_alter_configs([change]),
        "look at the broker": lambda admin: admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]),
        "elect": lambda admin: admin.elect_leaders(ElectionType.PREFERRED, [TopicPartition("ledger", 0)]),
    }


def _cluster(own: str) -> Iterator[Cell]:
    for what, step in cluster_steps(own).items():
        yield _asking(what, CLUSTER, step)
    yield Cell("list rights", CLUSTER, direct.rights)
    yield Cell("have no quota", CLUSTER, direct.quota)
