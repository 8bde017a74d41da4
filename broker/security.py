"""Access control of a broker of ours: its own user, and the settings that let nobody in without one.

Everybody else is a SCRAM user, kept by the broker itself; over PLAIN it knows its own user only, which is in its
settings because a broker that starts knows no others. The names are Kafka's (https://kafka.apache.org/documentation/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contractnet.access import MECHANISM, Access

USER = "broker"
"""The super user: the broker itself, and `up` while it makes the others."""

_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@dataclass(frozen=True, slots=True)
class Security:
    """What a broker with access control is started with."""

    password: str = field(repr=False)

    @property
    def access(self) -> Access:
        """What a client shows to act as the broker's own user."""
        return Access(
            {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": USER,
                "sasl.password": self.password,
            }
        )

    def settings(self, listeners: Sequence[str], controller: str) -> Mapping[str, str]:
        """The settings for these listeners of clients and that of the controller."""
        # The controller's listener lets the broker in only: a client that reached it could rewrite the cluster.
        own = f'{_PLAIN} required username="{USER}" password="{self.password}" user_{USER}="{self.password}";'
        found = {
            "sasl.enabled.mechanisms": f"{MECHANISM},PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.mechanism.controller.protocol": "PLAIN",
            f"listener.name.{controller.lower()}.sasl.enabled.mechanisms": "PLAIN",
            f"listener.name.{controller.lower()}.plain.sasl.jaas.config": own,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{USER}",
        }
        for name in listeners:
            prefix = f"listener.name.{name.lower()}"
            found[f"{prefix}.plain.sasl.jaas.config"] = own
            found[f"{prefix}.{MECHANISM.lower()}.sasl.jaas.config"] = f"{_SCRAM} required;"
        return found
