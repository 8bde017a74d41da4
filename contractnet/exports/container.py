"""Records of a topic as an Avro object container file: the file carries its schema, and any Avro library reads it.

Whatever a client library is given of a record is in it, so that the record can be restored byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import fastavro
from fastavro.schema import SchemaParseException
from fastavro.write import Writer

from contractnet.errors import ExportError

FILE_BYTES_MAX = 256 * 1024 * 1024
"""A file that is so large gets no further block: hashing it takes a second, and copying it again is no loss."""
_BLOCK_BYTES = 64 * 1024
"""Of a block before it is compressed; a record may be larger."""
_SCHEMA_FIELD, _CODEC_FIELD = "avro.schema", "avro.codec"

TIMESTAMP_TYPES = ("NONE", "CREATE_TIME", "LOG_APPEND_TIME")
"""By the number that confluent-kafka has for each."""
RECORD = "contractnet.export.v1.Record"
_BYTES = ["null", "bytes"]
_HEADER = {
    "type": "record",
    "name": "contractnet.export.v1.Header",
    "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": _BYTES}],
}
_TIMESTAMP_TYPE = {"type": "enum", "name": "contractnet.export.v1.TimestampType", "symbols": list(TIMESTAMP_TYPES)}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": RECORD,
    "fields": [
        {"name": "offset", "type": "long"},
        {"name": "timestamp", "type": "long"},
        {"name": "timestamp_type", "type": _TIMESTAMP_TYPE},
        {"name": "key", "type": _BYTES},
        {"name": "value", "type": _BYTES},
        {"name": "headers", "type": ["null", {"type": "array", "items": _HEADER}]},
    ],
}
_PARSED: Any = fastavro.parse_schema(SCHEMA)

# What fastavro and zlib raise on bytes that are no such file, whatever they are.
_HOSTILE = (
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    OverflowError,
    MemoryError,
    TypeError,
    AttributeError,
    RecursionError,
    zlib.error,
    SchemaParseException,
)


class KeptRecord(NamedTuple):
    """A record as stored. `timestamp` is milliseconds since the epoch, `timestamp_type` one of TIMESTAMP_TYPES.

    `headers` is None where one has a name that is no UTF-8, which no client library reads.
    """

    offset: int
    timestamp: int
    timestamp_type: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] | None


class FileEntry(NamedTuple):
    """One file as the manifest has it: the offsets of its first and last record, and what it has to be."""

    name: str
    first: int
    last: int
    records: int
    size_bytes: int
    sha256: str


class _Hashing(RawIOBase):
    """A file that is written once, from its beginning to its end, and hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.hash = hashlib.sha256()
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.size_bytes += len(data)
        return self.file.write(data)

    def flush(self) -> None:
        if not self.file.closed:
            self.file.flush()


class _Hashed:
    """A file that is read once, from its beginning to its end, and hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most so many."""
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        """The SHA-256 of the whole file."""
        while self.read(_BLOCK_BYTES):
            pass
        return self._hash.hexdigest()


def new_file(path: Path) -> BinaryIO:
    """Create a file that only its owner may read; there must be none. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def file_name(topic: str, partition: int, first: int) -> str:
    """The name of the file that begins with offset `first`, as Kafka names segments."""
    return f"{topic}-{partition}-{first:020d}.avro"


class PartitionWriter:
    """Writes the records of one partition, in order, into as many files as it takes. `close` it in any case."""

    def __init__(self, directory: Path, topic: str, partition: int, file_bytes_max: int = FILE_BYTES_MAX) -> None:
        self._directory, self._topic, self._partition = directory, topic, partition
        self._file_bytes_max = file_bytes_max
        self._file: _Hashing | None = None
        self._writer: Any = None
        self._first = self._last = -1
        self._records = 0
        self.files: list[FileEntry] = []

    def write(self, record: KeptRecord) -> None:
        """Append a record. Raises OSError."""
        if self._file is not None and self._file.size_bytes >= self._file_bytes_max:
            self.finish()
        if self._file is None:
            self._begin(record.offset)
        headers = None if record.headers is None else [{"name": n, "value": held} for n, held in record.headers]
        self._writer.write({**record._asdict(), "headers": headers})
        self._last = record.offset
        self._records += 1

    def finish(self) -> None:
        """Complete the present file and make it durable. Raises OSError."""
        if self._file is None:
            return
        self._writer.flush()
        self._file.flush()
        os.fsync(self._file.file.fileno())
        name = file_name(self._topic, self._partition, self._first)
        size_bytes, digest = self._file.size_bytes, self._file.hash.hexdigest()
        self.files.append(FileEntry(name, self._first, self._last, self._records, size_bytes, digest))
        self.close()

    def close(self) -> None:
        """Close what is open, complete or not."""
        if self._file is not None:
            self._file.file.close()
        self._file = self._writer = None
        self._records = 0

    def _begin(self, first: int) -> None:
        self._first = first
        path = self._directory / file_name(self._topic, self._partition, first)
        self._file = _Hashing(new_file(path))
        sink: Any = self._file
        self._writer = Writer(sink, _PARSED, codec="deflate", sync_interval=min(_BLOCK_BYTES, self._file_bytes_max))


def read_file(path: Path, entry: FileEntry) -> Iterator[KeptRecord]:
    """The records of a file. Raises ExportError where it is no such file, or not the one that `entry` tells of, which
    may only be known after the last record: who wrote to it since it was compared with the manifest shows here."""
    last, count = -1, 0
    try:
        with path.open("rb") as file:
            hashed = _Hashed(file)
            source: Any = hashed  # it calls nothing but `read`
            reader = fastavro.reader(source)
            _need_ours(path, reader.metadata)
            for found in reader:
                record = _kept(found)
                if record.offset <= last:
                    raise ExportError(f"{path.name}: offset {record.offset} comes after {last}")
                if count == 0 and record.offset != entry.first:
                    raise ExportError(f"{path.name}: it begins with offset {record.offset}, not {entry.first}")
                last, count = record.offset, count + 1
                yield record
            digest = hashed.hexdigest()
    except OSError as error:
        raise ExportError(f"{path.name} cannot be read: {error.strerror}") from error
    except _HOSTILE as error:
        raise ExportError(f"{path.name} is no Avro container file of an export: {error!r}") from error
    if (last, count) != (entry.last, entry.records):
        raise ExportError(
            f"{path.name} has {count} records up to offset {last}, the manifest {entry.records} up to {entry.last}"
        )
    if digest != entry.sha256:
        raise ExportError(
            f"{path.name} was changed while it was read: its SHA-256 is not that of the manifest any more. Copy "
            f"the export again from where it was made, to where nobody writes."
        )


def _need_ours(path: Path, metadata: dict[str, str]) -> None:
    found = json.loads(metadata[_SCHEMA_FIELD])
    if found != SCHEMA:
        name = found.get("name") if isinstance(found, dict) else None
        raise ExportError(f"{path.name} holds records of {str(name)[:80]!r}, this version reads {RECORD!r}")
    if metadata.get(_CODEC_FIELD, "null") not in ("deflate", "null"):
        raise ExportError(f"{path.name} is compressed by {metadata[_CODEC_FIELD][:20]!r}, an export by 'deflate'")


def _kept(found: Any) -> KeptRecord:
    headers = found["headers"]
    return KeptRecord(
        found["offset"],
        found["timestamp"],
        found["timestamp_type"],
        found["key"],
        found["value"],
        None if headers is None else [(held["name"], held["value"]) for held in headers],
    )
