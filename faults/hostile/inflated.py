"""The kind `inflated`: batches of a few KB that unpack to megabytes, in every compression that a client can make.

In memory there is no such kind: the log there stores records as they are, and what unpacks a batch is the broker.
"""

from __future__ import annotations

from confluent_kafka import KafkaError, Message, Producer

from contractnet.access import client_settings
from contractnet.topics import COMMANDS, MESSAGE_BYTES_MAX
from faults.handmade import RawRecord, bomb, gzipped, send
from faults.hostile.honest import negotiation
from faults.hostile.siege import Siege
from services.quotas import aiokafka_settings

NAME = "inflated"
CODECS = {"gzip": 4, "snappy": 1, "lz4": 4, "zstd": 4}
"""How often each is tried in turn. Snappy makes zeros 20 times smaller, the others 200 times and more: an agent's quota
is in the way of more of it."""
MIB = 1 << 20
SIZES = (MESSAGE_BYTES_MAX + 1, 4 * MIB, 8 * MIB, 16 * MIB)
"""Of what comes out. 16 MiB are eight times what the topic takes."""
TOO_LARGE = "MSG_SIZE_TOO_LARGE"
_NAMES = {0: None, KafkaError.MSG_SIZE_TOO_LARGE: TOO_LARGE}


def attack(siege: Siege, attempts: int) -> None:
    """By hand and by librdkafka, each refused; honest members trade in between."""
    rng, key = siege.ground.rng, siege.ground.name.encode()
    # One large record, or many of which each has a size that the topic takes.
    made = [bomb(key, size) for size in SIZES]
    made += [gzipped([RawRecord(key, bytes(MIB))] * (size // MIB + 1)) for size in SIZES]
    assert max(map(len, made)) < MESSAGE_BYTES_MAX // 16, "a bomb is small until it is unpacked"
    producers = {codec: _producer(siege, codec) for codec in CODECS}
    while siege.refused.attempts < attempts:
        siege.fire(negotiation(siege.ground))
        siege.flush()
        _send_made(siege, made)
        for codec, producer in producers.items():
            _produce(siege, codec, producer, rng.choices(SIZES[:1] if codec == "snappy" else SIZES, k=CODECS[codec]))
    siege.fire(negotiation(siege.ground))
    siege.flush()


def _send_made(siege: Siege, batches: list[bytes]) -> None:
    bootstrap, place = siege.arena.world.broker.bootstrap, siege.ground.partition
    for error, _ in send(bootstrap, COMMANDS.name, place, batches, aiokafka_settings(siege.access)):
        siege.refused.note("a batch made by hand", _NAMES.get(error, f"error {error}"), TOO_LARGE)


def _producer(siege: Siege, codec: str) -> Producer:
    """A client that is told to send anything, one record a batch, compressed."""
    return Producer(
        client_settings(siege.arena.world.broker.bootstrap, siege.access)
        | {"compression.type": codec, "message.max.bytes": 64 * MIB, "batch.num.messages": 1, "log_level": 2}
    )


def _produce(siege: Siege, codec: str, producer: Producer, sizes: list[int]) -> None:
    """Zeros by a client library. It sends a batch as it is where compression makes it no smaller."""
    told: list[str | None] = []

    def note(error: KafkaError | None, _message: Message) -> None:
        told.append(None if error is None else error.name())

    for size in sizes:
        producer.produce(
            COMMANDS.name,
            bytes(size),
            key=siege.ground.name.encode(),
            partition=siege.ground.partition,
            on_delivery=note,
        )
    assert producer.flush(60) == 0
    for found in told:
        siege.refused.note(f"a batch by {codec}", found, TOO_LARGE)
