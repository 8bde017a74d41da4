"""Who may do what on the broker, in one table: generated from the topics, made into ACLs or into commands.

Every authenticated user is at least an agent: it may write `commands` and read `notices`, and nothing else. So the
number of ACLs stays the same however many agents there are. Reading or writing implies describing. A group that is
only described is one that a client names and never joins.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from contractnet.topics import TOPICS

ROLES = ("referee", "snapshotter", "judge", "projector", "auditor", "operator")
"""The roles that have a user of their own, of the same name. Agents have one each."""

EVERYBODY = "*"
ACTS_AS = {"agent": EVERYBODY, "clock": "referee", "bank": "operator"}
"""Whose user the other writers and readers of the topics' table are: the clock lives in the referee's process."""

APP_ID = "contractnet"
"""The consumer group of all referees of a cluster and the prefix of their transactional ids, by default."""


def app_id() -> str:
    """The consumer group and prefix of this process: the environment's CONTRACTNET_APP, else APP_ID."""
    return os.environ.get("CONTRACTNET_APP", APP_ID)


NOTICES_GROUP = "contractnet-notices"
PROJECTOR_GROUP = "contractnet-projector"
STATUS_GROUP = "contractnet-status"
READER_GROUPS = "contractnet-reader-"
VERIFY_GROUPS = "contractnet-verify-"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One ACL. `user` and `operation` as Kafka names them; `prefixed`: for all names that begin so; `denied`: refused,
    whatever else allows it."""

    user: str
    resource: str
    name: str
    operation: str
    prefixed: bool = False
    denied: bool = False


def rights(app_id: str = APP_ID) -> list[Right]:
    """Every ACL of a market's cluster."""
    return [*_on_topics(), *_on_groups(app_id), *_of_the_operator(), _transactions(app_id)]


def _on_topics() -> list[Right]:
    found: set[Right] = set()
    for topic in TOPICS:
        writers = {ACTS_AS.get(role, role) for role in topic.writers}
        readers = {ACTS_AS.get(role, role) for role in topic.readers}
        found |= {Right(user, "topic", topic.name, "write") for user in writers}
        found |= {Right(user, "topic", topic.name, "read") for user in readers}
        if EVERYBODY in writers:
            found |= {Right(user, "topic", topic.name, "write", denied=True) for user in ROLES if user not in writers}
    return sorted(found)


def _on_groups(app_id: str) -> list[Right]:
    named = (
        (EVERYBODY, NOTICES_GROUP, False),
        ("referee", READER_GROUPS, True),
        ("snapshotter", READER_GROUPS, True),
        ("projector", PROJECTOR_GROUP, False),
        ("auditor", VERIFY_GROUPS, True),
        ("operator", READER_GROUPS, True),
        ("operator", STATUS_GROUP, False),
        ("operator", app_id, False),
    )
    described = [Right(user, "group", name, "describe", prefixed) for user, name, prefixed in named]
    return [Right("referee", "group", app_id, "read"), *described]


def _of_the_operator() -> list[Right]:
    """It makes topics, users and quotas: what a cluster's owner does, on this cluster."""
    cluster = ("alter", "alter_configs", "describe", "describe_configs")
    topics = [Right("operator", "topic", topic.name, step) for topic in TOPICS for step in ("create", "describe")]
    return [*topics, *(Right("operator", "cluster", "kafka-cluster", operation) for operation in cluster)]


def _transactions(app_id: str) -> Right:
    return Right("referee", "transactional_id", f"{app_id}-", "write", prefixed=True)


def as_command(right: Right, bootstrap: str) -> str:
    """The right as a command of Kafka's own tool, for an existing cluster's administrator."""
    effect = "--deny-principal" if right.denied else "--allow-principal"
    operation = "".join(part.capitalize() for part in right.operation.split("_"))
    place = {
        "topic": ["--topic", right.name],
        "group": ["--group", right.name],
        "transactional_id": ["--transactional-id", right.name],
        "cluster": ["--cluster"],
    }[right.resource]
    pattern = ["--resource-pattern-type", "prefixed"] if right.prefixed else []
    command = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", "admin.properties", "--add"]
    return shlex.join([*command, effect, f"User:{right.user}", "--operation", operation, *place, *pattern])
