"""Who may do what on the broker, and how much of it, in one table: generated from the topics, made into ACLs and quotas
or into commands.

Every authenticated user is at least an agent: it may write `commands` and read `notices`, and nothing else. So the
number of ACLs stays the same however many agents there are. Reading or writing implies describing. A group that is
only described is one that a client names and never joins.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
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

AGENT_QUOTAS: Mapping[str, float] = {
    # A sealed command is about 0.4 kB: some 80 a second of one agent, and several hundred at once after a rest. A batch
    # of 1 MB, which Kafka lets in before it counts it, holds up the others while it is judged: once in half a minute.
    "producer_byte_rate": 32_768,
    # Agents read all notices of their market's partition, and at their start those of the last ten minutes.
    "consumer_byte_rate": 16_777_216,
    # Of one of the broker's threads (docs/security.md has the measurements).
    "request_percentage": 50,
}
"""The quotas of every user that has none of its own: of each agent."""

UNLIMITED: Mapping[str, float] = {"producer_byte_rate": 1e12, "consumer_byte_rate": 1e12, "request_percentage": 1e6}
"""The quotas of the roles: to slow the referee down would slow everybody down."""


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


def quotas() -> dict[str | None, Mapping[str, float]]:
    """The quotas of a market's cluster by user; None: all users that have none of their own."""
    return {None: AGENT_QUOTAS, **dict.fromkeys(ROLES, UNLIMITED)}


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
    steps = ("create", "describe", "describe_configs")
    topics = [Right("operator", "topic", topic.name, step) for topic in TOPICS for step in steps]
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
    command = [*_tool("kafka-acls.sh", bootstrap), "--add", effect, f"User:{right.user}"]
    return shlex.join([*command, "--operation", operation, *place, *pattern])


def quota_command(user: str | None, quotas: Mapping[str, float], bootstrap: str) -> str:
    """A user's quotas in the same way; `user` None: of all that have none of their own."""
    whose = ["--entity-default"] if user is None else ["--entity-name", user]
    return alter_command("users", whose, {name: f"{value:.0f}" for name, value in quotas.items()}, bootstrap)


def alter_command(kind: str, whose: list[str], config: Mapping[str, str], bootstrap: str) -> str:
    """A change of configuration as a command of Kafka's own tool."""
    changed = ",".join(f"{name}={value}" for name, value in config.items())
    command = [*_tool("kafka-configs.sh", bootstrap), "--alter", "--entity-type", kind, *whose]
    return shlex.join([*command, "--add-config", changed])


def _tool(name: str, bootstrap: str) -> list[str]:
    return [name, "--bootstrap-server", bootstrap, "--command-config", "admin.properties"]
