"""How much one agent may ask of the broker, so that a flood of one is not the others' business.

Kafka measures each user by itself and delays the answers to whoever exceeds its share; nobody is refused. librdkafka
cannot set quotas (2.16), and Kafka's own tool is a second JVM, so the one request is spelled out here for aiokafka, a
part of Faust (KIP-546, AlterClientQuotas version 0).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String

from contractnet.access import Access
from contractnet.errors import BrokerUnreachableError
from contractnet.rights import AGENT_QUOTAS, quotas

_API_KEY = 49
_ENTITY = Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8")))


class _Response(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = _API_KEY
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "entries",
            Array(("error_code", Int16), ("error_message", String("utf-8")), ("entity", _ENTITY)),
        ),
    )


class _Request(RequestStruct):  # type: ignore[misc]  # the same
    API_KEY = _API_KEY
    API_VERSION = 0
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "entries",
            Array(
                ("entity", _ENTITY),
                ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean))),
            ),
        ),
        ("validate_only", Boolean),
    )


class AlterQuotas(Request[_Request]):  # type: ignore[misc]  # the same
    """The request: quotas by user, None being all that have none of their own."""

    API_KEY = _API_KEY

    def __init__(self, users: Mapping[str | None, Mapping[str, float]]) -> None:
        self._users = users

    def build(self, request_struct_class: type[_Request]) -> _Request:
        entries = [
            ([("user", user)], [(name, float(value), False) for name, value in quotas.items()])
            for user, quotas in self._users.items()
        ]
        return request_struct_class(entries, False)


def set_quotas(bootstrap: str, access: Access) -> None:
    """Set the quotas of all roles and of agents, with an administrator's access. Raises BrokerUnreachableError."""
    _set(bootstrap, access, quotas())


def set_shares(bootstrap: str, access: Access, shares: Mapping[str, int]) -> dict[str, float]:
    """Let each user write as much as that many agents: a process speaks for many over one connection, as one user.

    Returns the rates, bytes a second. Raises BrokerUnreachableError.
    """
    name = "producer_byte_rate"
    rates = {user: share * AGENT_QUOTAS[name] for user, share in shares.items()}
    _set(bootstrap, access, {user: {name: rate} for user, rate in rates.items()})
    return rates


def _set(bootstrap: str, access: Access, users: Mapping[str | None, Mapping[str, float]]) -> None:
    try:
        asyncio.run(_alter(bootstrap, access, users))
    except KafkaError as error:
        raise BrokerUnreachableError(f"The broker at {bootstrap} did not take the quotas: {error}.") from error


def aiokafka_settings(access: Access) -> dict[str, str | None]:
    """An access without certificates as aiokafka's clients take it."""
    found = access.settings
    return {
        "security_protocol": found.get("security.protocol", "PLAINTEXT"),
        "sasl_mechanism": found.get("sasl.mechanism", "PLAIN"),
        "sasl_plain_username": found.get("sasl.username"),
        "sasl_plain_password": found.get("sasl.password"),
    }


async def _alter(bootstrap: str, access: Access, users: Mapping[str | None, Mapping[str, float]]) -> None:
    if bootstrap.startswith("127.0.0.1:"):
        # The embedded broker's administrator shows its password in the clear, on loopback: nothing to warn a user of.
        logging.getLogger("aiokafka.conn").setLevel(logging.ERROR)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap.split(","), **aiokafka_settings(access))
    try:
        await admin.start()
        answer = await admin._send_request(AlterQuotas(users))
    finally:
        await admin.close()
    for code, message, _ in answer.entries:
        if code:
            raise KafkaError(f"{message} (error {code})")
