"""What the broker acknowledged of what was sent: the log has to have it, whatever became of the broker since."""

from __future__ import annotations

import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message

_RECEIPT = struct.Struct(">q16s")
_UNKNOWN = -1
"""A batch that was stored, and sent again because its answer was lost, is acknowledged without its offsets."""


class Acknowledged:
    """Delivery reports, packed: 24 bytes a command, 10 MB for the 400,000 of the longest section."""

    def __init__(self) -> None:
        self._receipts: defaultdict[int, bytearray] = defaultdict(bytearray)
        # Reports come in whichever thread polls the producer: the load's or the section's.
        self._lock = threading.Lock()

    def noting(self, command_id: bytes) -> Callable[[KafkaError | None, Message], None]:
        """A delivery report that remembers where a command is stored; one that was not stored was promised nothing."""

        def note(error: KafkaError | None, message: Message) -> None:
            if error is None:
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                with self._lock:
                    self._receipts[partition] += _RECEIPT.pack(_UNKNOWN if offset is None else offset, command_id)

        return note

    def on(self, partition: int) -> Receipts:
        """What was acknowledged on a partition up to now."""
        with self._lock:
            return Receipts(bytes(self._receipts[partition]))


@dataclass(frozen=True, slots=True)
class Receipts:
    """The delivery reports of one partition, small enough to be sent to another process."""

    packed: bytes = b""

    def __len__(self) -> int:
        return len(self.packed) // _RECEIPT.size

    def missing(self, stored: Mapping[int, bytes]) -> int:
        """How many of them a log has not: `stored` are the ids of its commands by offset."""
        anywhere = set(stored.values())
        return sum(
            ident not in anywhere if offset == _UNKNOWN else stored.get(offset) != ident
            for offset, ident in _RECEIPT.iter_unpack(self.packed)
        )
