"""Requests that go straight to the broker, as of a client that asks nobody who leads a partition.

librdkafka sends nothing for a topic that it may not describe: its refusals are answers to that question. These come
from the request itself. Each is answered with None or with Kafka's name for the refusal.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed
from aiokafka.protocol.admin import DeleteRecordsRequest, DescribeAclsRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.produce import ProduceRequest
from confluent_kafka import KafkaError

from contractnet.access import Access
from faults.handmade import RawRecord, plain
from faults.hostile.attempts import HUNG_UP, NOT_LET_IN
from services.quotas import AlterQuotas, aiokafka_settings

# It warns of every password that goes over PLAIN, which is what one of the strangers does.
logging.getLogger("aiokafka.conn").setLevel(logging.ERROR)

_TIMEOUT_MS = 10_000
_BYTES = 1 << 20
_ANY, _LATEST = 1, -1


def produce(bootstrap: str, access: Access, topic: str) -> str | None:
    """Write a record."""
    made = plain([RawRecord(b"key", b"value")])
    found = _sent(bootstrap, access, ProduceRequest(None, -1, _TIMEOUT_MS, [(topic, [(0, made)])]))
    return found if isinstance(found, str) else _named(found.topics[0][1][0][1])


def fetch(bootstrap: str, access: Access, topic: str) -> str | None:
    """Read from the first record on."""
    found = _sent(bootstrap, access, FetchRequest(100, 0, _BYTES, 0, [(topic, [(0, 0, _BYTES)])]))
    return found if isinstance(found, str) else _named(found.topics[0][1][0][1])


def end(bootstrap: str, access: Access, topic: str) -> str | None:
    """Ask for the end of a partition."""
    found = _sent(bootstrap, access, OffsetRequest(-1, 0, [(topic, [(0, _LATEST)])]))
    return found if isinstance(found, str) else _named(found.topics[0][1][0][1])


def cut(bootstrap: str, access: Access, topic: str) -> str | None:
    """Delete the records of a partition."""
    found = _sent(bootstrap, access, DeleteRecordsRequest([(topic, [(0, 1)])], _TIMEOUT_MS))
    return found if isinstance(found, str) else _named(found.topics[0][1][0][2])


def rights(bootstrap: str, access: Access) -> str | None:
    """List who may do what."""
    found = _sent(bootstrap, access, DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
    return found if isinstance(found, str) else _named(found.error_code)


def quota(bootstrap: str, access: Access) -> str | None:
    """Have no quota any more."""
    found = _sent(bootstrap, access, AlterQuotas({access.user: {"producer_byte_rate": 1e12}}))
    return found if isinstance(found, str) else _named(found.entries[0][0])


def _named(code: int) -> str | None:
    return None if code == 0 else str(KafkaError(code).name())


def _sent(bootstrap: str, access: Access, request: Any) -> Any:
    """The response; where the client was not let in, the name that librdkafka has for that."""
    try:
        return asyncio.run(_send(bootstrap, access, request))
    except SaslAuthenticationFailed:
        return NOT_LET_IN
    except KafkaConnectionError:
        return HUNG_UP


async def _send(bootstrap: str, access: Access, request: Any) -> Any:
    host, _, port = bootstrap.rpartition(":")
    connection = await create_conn(host, int(port), request_timeout_ms=_TIMEOUT_MS, **aiokafka_settings(access))
    try:
        return await connection.send(request)
    finally:
        connection.close()
