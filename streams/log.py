"""What the shells need of a log: producers, reading a partition to its end, and a clock that never runs back.

Kafka is the one that counts. The simulation (tests/simulation) puts a log in memory in its place, which passes the same
contract suite, so that the code that judges, commits and recovers runs there unchanged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import KafkaError, Producer

from streams.reading import Record, read_partition

Headers = list[tuple[str, str | bytes | None]]
Delivered = Callable[[KafkaError | None, Any], None]
"""Told, in `poll` or `flush`, what became of a record: an error, or None where the broker has it."""


class Sender(Protocol):
    """The part of confluent-kafka's Producer that the shells use; it raises KafkaException as that does."""

    def produce(
        self,
        topic: str,
        value: str | bytes | None = None,
        key: str | bytes | None = None,
        partition: int = -1,
        *,
        timestamp: int = 0,
        headers: Headers | None = None,
        on_delivery: Delivered | None = None,
    ) -> None: ...
    def poll(self, timeout: float = -1) -> int: ...
    def flush(self, timeout: float = -1) -> int: ...
    def purge(self) -> None: ...
    def init_transactions(self, timeout: float = -1) -> None: ...
    def begin_transaction(self) -> None: ...
    def commit_transaction(self, timeout: float = -1) -> None: ...
    def abort_transaction(self, timeout: float = -1) -> None: ...


@dataclass(frozen=True, slots=True)
class Log:
    """A log. `producer` takes librdkafka's configuration; `read` is `read_partition`; `monotonic` gives seconds."""

    producer: Callable[[dict[str, Any]], Sender]
    read: Callable[[str, str, int, int], Iterator[Record]]
    monotonic: Callable[[], float]


KAFKA = Log(Producer, read_partition, time.monotonic)
