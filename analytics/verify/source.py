"""Where verify reads records from: one contract, so that the same checks run on Kafka and on a copy in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

Headers = list[tuple[str, bytes | None]]


class StoredRecord(NamedTuple):
    """A record as a topic stores it. `timestamp` is milliseconds since the epoch."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class RecordSource(Protocol):
    """The topics of a market, one partition at a time.

    `commands` is read uncommitted, as the referee does; every other topic at read_committed.
    """

    @property
    def patience_s(self) -> float:
        """How long what is missing at the end of a topic may still arrive; 0 where nothing is being written."""
        ...

    def partitions(self, topic: str) -> int:
        """Number of partitions of a topic."""
        ...

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset that is kept, and the offset after the last record."""
        ...

    def read(self, topic: str, partition: int, start: int) -> Iterator[StoredRecord]:
        """The records from offset `start` to the end as it is now, in order; offsets may have holes."""
        ...


@dataclass(slots=True)
class MemorySource:
    """Topics in memory: lists of records by topic and partition."""

    topics: Mapping[str, Sequence[Sequence[StoredRecord]]]
    patience_s: float = field(default=0.0)

    def partitions(self, topic: str) -> int:
        """Number of partitions of a topic."""
        return len(self.topics[topic])

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """0, and the offset after the last record: nothing was ever deleted here."""
        records = self.topics[topic][partition]
        return 0, records[-1].offset + 1 if records else 0

    def read(self, topic: str, partition: int, start: int) -> Iterator[StoredRecord]:
        """The records from offset `start` on."""
        return (record for record in self.topics[topic][partition] if record.offset >= start)
