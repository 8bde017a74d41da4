"""Record batches made by hand: what a client library would not send, and a broker may still store.

Format: Kafka's record batch, magic 2 (https://kafka.apache.org/documentation/#recordbatch).
"""

from __future__ import annotations

import asyncio
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

_TIMEOUT_MS = 30_000
_ZERO_BYTES = 1 << 20


class Codec(IntEnum):
    """Kafka's compression types that the standard library can make."""

    NONE = 0
    GZIP = 1


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record whose header names are bytes."""

    key: bytes
    value: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def record_bytes(record: RawRecord, delta: int) -> bytes:
    """One record in a batch, `delta` places after its first."""
    body = b"\0" + varint(0) + varint(delta) + _sized(record.key) + _sized(record.value)
    body += varint(len(record.headers))
    body += b"".join(_sized(name) + _sized(value) for name, value in record.headers)
    return varint(len(body)) + body


def batch(payload: bytes, count: int, codec: Codec = Codec.NONE) -> bytes:
    """A batch of `count` records that `payload` says it holds, compressed already where `codec` says so."""
    now_ms = int(time.time() * 1000)
    rest = struct.pack(">hiqqqhii", codec, count - 1, now_ms, now_ms, -1, -1, -1, count) + payload
    checked = struct.pack(">ibI", -1, 2, calc_crc32c(rest)) + rest
    return struct.pack(">qi", 0, len(checked)) + checked


def bomb(key: bytes, zeros: int) -> bytes:
    """A batch of one record whose value is `zeros` zero bytes, rounded up to 1 MiB: a thousandth of that by gzip."""
    blocks = -(-zeros // _ZERO_BYTES)
    head = b"\0" + varint(0) + varint(0) + _sized(key) + varint(blocks * _ZERO_BYTES)
    tail = varint(0)
    size = len(head) + blocks * _ZERO_BYTES + len(tail)
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(varint(size) + head)]
    block = bytes(_ZERO_BYTES)
    parts += [packer.compress(block) for _ in range(blocks)]
    parts += [packer.compress(tail), packer.flush()]
    return batch(b"".join(parts), 1, Codec.GZIP)


def gzipped(records: Iterable[RawRecord]) -> bytes:
    """A batch of records, compressed."""
    listed = [record_bytes(record, n) for n, record in enumerate(records)]
    return batch(zlib.compress(b"".join(listed), 6, wbits=31), len(listed), Codec.GZIP)


def plain(records: Iterable[RawRecord]) -> bytes:
    """A batch of records as they are."""
    listed = [record_bytes(record, n) for n, record in enumerate(records)]
    return batch(b"".join(listed), len(listed))


def varint(number: int) -> bytes:
    """A number as Kafka and Avro have it, zig-zag; also one of more than 64 bits, which neither may hold."""
    left = (number << 1) ^ (-1 if number < 0 else 0)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def _sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def send(
    bootstrap: str, topic: str, partition: int, batches: Iterable[bytes], client: Mapping[str, object] | None = None
) -> list[tuple[int, int]]:
    """Send batches one after the other; for each, Kafka's error code (0: stored) and its first offset.

    `client` are settings of aiokafka's client, such as its credentials.
    """
    return asyncio.run(_send(bootstrap, topic, partition, batches, client or {}))


async def _send(
    bootstrap: str, topic: str, partition: int, batches: Iterable[bytes], settings: Mapping[str, object]
) -> list[tuple[int, int]]:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=_TIMEOUT_MS, **settings)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        leader: Callable[[object], int] = client.cluster.leader_for_partition
        node = leader(_place(topic, partition))
        answers = []
        for made in batches:
            answer = await client.send(node, ProduceRequest(None, -1, _TIMEOUT_MS, [(topic, [(partition, made)])]))
            (_, ((_, error, offset, *_rest),)) = answer.topics[0]
            answers.append((error, offset))
        return answers
    finally:
        await client.close()


def _place(topic: str, partition: int) -> object:
    from aiokafka.structs import TopicPartition

    return TopicPartition(topic, partition)
