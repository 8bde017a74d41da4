"""Making users and rights on a broker, with an administrator's access."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._cluster import DescribeClusterResult
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from contractnet.access import Access, client_settings, own_access, scram
from contractnet.errors import AccessRefusedError
from contractnet.refusals import Refusals, is_refusal, list_topics, refused
from contractnet.rights import Right
from contractnet.topics import TOPICS

# The password is 32 random bytes: more rounds would only make connecting slower.
_ITERATIONS = 4096
_PASSWORD_BYTES = 32
_TIMEOUT_S = 20.0


def new_password() -> str:
    """32 random bytes in lowercase hex."""
    return secrets.token_hex(_PASSWORD_BYTES)


def new_agent_user() -> str:
    """A name that nobody has: names of accounts may hold any character, and may be given again in another market."""
    return f"agent-{secrets.token_hex(8)}"


class Principals:
    """The users and rights of a cluster, changed by an administrator. `access` None: that of this process."""

    def __init__(self, bootstrap: str, access: Access | None = None) -> None:
        self._bootstrap = bootstrap
        self._access = own_access() if access is None else access
        self._refusals = Refusals()
        settings = client_settings(bootstrap, self._access) | {"log_level": 0, "error_cb": self._refusals}
        self._admin = AdminClient(settings)

    def check(self) -> None:
        """Raise AccessRefusedError or KafkaException unless the broker lets the administrator in."""
        list_topics(self._admin, self._refusals, self._bootstrap, _TIMEOUT_S, self._access)

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Make the users that are missing, and give all of them these passwords."""
        upsertions: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(
                user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS), password.encode()
            )
            for user, password in passwords.items()
        ]
        self._answers(self._admin.alter_user_scram_credentials(upsertions).values() if upsertions else ())

    def revoke(self, user: str) -> None:
        """End a user: its password, and what it may do over the connections that it has."""
        self.allow(Right(user, "topic", topic.name, "all", denied=True) for topic in TOPICS)
        self.remove(user)

    def remove(self, user: str) -> None:
        """Take a user's password away; connections that it has stay."""
        deletion = UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512)
        self._answers(self._admin.alter_user_scram_credentials([deletion]).values())

    def users(self) -> set[str]:
        """The users that have a password. Raises AccessRefusedError, KafkaException."""
        # confluent-kafka 2.16 aborts the process where the broker refuses this request: find out beforehand.
        (cluster,) = self._answers([self._admin.describe_cluster(include_authorized_operations=True)])
        assert isinstance(cluster, DescribeClusterResult)
        if AclOperation.DESCRIBE not in (cluster.authorized_operations or ()):
            raise refused(self._bootstrap, KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED), self._access)
        future = self._admin.describe_user_scram_credentials()
        described = self._answers([future])[0]
        assert isinstance(described, dict)
        return set(described)

    def new_agents(self, count: int) -> list[Access]:
        """Make users for agents, and return what each of them shows the broker."""
        made = {new_agent_user(): new_password() for _ in range(count)}
        self.set_passwords(made)
        return [scram(user, password, self._access) for user, password in made.items()]

    def allow(self, rights: Iterable[Right]) -> None:
        """Add ACLs; those that are there already stay as they are."""
        self._answers(self._admin.create_acls([binding(right) for right in rights]).values())

    def _answers(self, futures: Iterable[object]) -> list[object]:
        try:
            return [future.result(_TIMEOUT_S) for future in futures]  # type: ignore[attr-defined]  # concurrent futures
        except KafkaException as exception:
            raise self._explained(exception.args[0]) or exception from exception

    def _explained(self, error: KafkaError) -> AccessRefusedError | None:
        self._admin.poll(0)
        found = error if is_refusal(error) else self._refusals.error
        return None if found is None else refused(self._bootstrap, found, self._access)


def binding(right: Right) -> AclBinding:
    """The right as librdkafka takes it."""
    resources = {"cluster": ResourceType.BROKER}
    return AclBinding(
        resources.get(right.resource) or ResourceType[right.resource.upper()],
        right.name,
        ResourcePatternType.PREFIXED if right.prefixed else ResourcePatternType.LITERAL,
        f"User:{right.user}",
        "*",
        AclOperation[right.operation.upper()],
        AclPermissionType.DENY if right.denied else AclPermissionType.ALLOW,
    )
