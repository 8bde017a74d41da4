"""Records whose header names are no UTF-8: anybody may store one, and aiokafka cannot read the batch that it lies in.

A worker that raised on it would raise again after every restart. A name ends at its first NUL, as it does for
confluent-kafka, whose headers are C strings; a record with a name that is no UTF-8 even so counts as one without
headers (contractnet/envelope.py, `readable_headers`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBase
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

_HEADER = DefaultRecordBase.HEADER_STRUCT
_LENGTH = struct.Struct(">i")
_LENGTH_AT, _AFTER_LENGTH = 8, 12


class ReadableRecords:
    """aiokafka's records of one partition in one response, every batch of them readable."""

    def __init__(self, data: Any) -> None:
        self._inner: Any = MemoryRecords(data)
        self._data = memoryview(data)
        self._at = 0

    def size_in_bytes(self) -> int:
        """Bytes of all batches."""
        return int(self._inner.size_in_bytes())

    def has_next(self) -> bool:
        """Whether there is another whole batch."""
        return bool(self._inner.has_next())

    def next_batch(self) -> _Batch | None:
        """The next batch."""
        batch = self._inner.next_batch()
        if batch is None:
            return None
        start, self._at = self._at, self._at + _AFTER_LENGTH + _LENGTH.unpack_from(self._data, self._at + _LENGTH_AT)[0]
        return _Batch(batch, self._data[start : self._at])


class _Batch:
    """A batch of aiokafka; only iterating differs."""

    __slots__ = ("_batch", "_data")

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            return iter(parse_batch(bytearray(self._data)))

    def __next__(self) -> Any:
        return next(self._batch)


def parse_batch(data: bytearray) -> list[DefaultRecord]:
    """The records of one uncompressed batch, magic 2. Its CRC has been checked, and its form by the broker."""
    base, _, _, _, _, attributes, _, first_ms, last_ms, _, _, _, count = _HEADER.unpack_from(data)
    assert not attributes & DefaultRecordBase.CODEC_MASK, "the topic stores nothing compressed (contractnet/topics.py)"
    by_broker = attributes & DefaultRecordBase.TIMESTAMP_TYPE_MASK
    found, at = [], _HEADER.size
    for _ in range(count):
        size, at = decode_varint(data, at)
        end = at + size
        delta_ms, at = decode_varint(data, at + 1)
        offset, at = decode_varint(data, at)
        key, at = _sized(data, at)
        value, at = _sized(data, at)
        headers = _headers(data, at)
        stamp_ms = last_ms if by_broker else first_ms + delta_ms
        found.append(DefaultRecord(base + offset, stamp_ms, int(bool(by_broker)), key, value, headers))
        at = end
    return found


def _headers(data: bytearray, at: int) -> list[tuple[str, bytes | None]]:
    count, at = decode_varint(data, at)
    found: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name, at = _sized(data, at)
        value, at = _sized(data, at)
        try:
            found.append(((name or b"").partition(b"\0")[0].decode(), value))
        except UnicodeDecodeError:
            return []
    return found


def _sized(data: bytearray, at: int) -> tuple[bytes | None, int]:
    size, at = decode_varint(data, at)
    return (None, at) if size < 0 else (bytes(data[at : at + size]), at + size)


def read_every_batch() -> None:
    """Have aiokafka's consumers in this process read like this."""
    fetcher.MemoryRecords = ReadableRecords
