"""Ledger values as plain dictionaries, by the schemas alone: what the independent checks work on."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import fastavro

from contractnet.codec import HEADER_BYTES, MAGIC, grown_enums, registry

Plain = dict[str, Any]


@cache
def _known(header: bytes) -> tuple[str, Any, Any] | None:
    found = registry().by_fingerprint.get(header[2:]) if header[:2] == MAGIC else None
    if found is None or found.kind != "events":
        return None
    # A reader schema costs time; it is needed only where the value was written with one that has other fields.
    alike = grown_enums(found.writer, found.reader) is not None
    return found.cls.__name__, found.writer, None if alike else found.reader


def plain_entry(value: bytes | None) -> tuple[str, Plain] | None:
    """Type and fields of a ledger value; None for bytes that are no event."""
    known = _known((value or b"")[:HEADER_BYTES])
    if known is None or value is None:
        return None
    kind, writer, reader = known
    body = io.BytesIO(value)
    body.seek(HEADER_BYTES)
    try:
        found: Any = fastavro.schemaless_reader(body, writer, reader)
    # What fastavro raises on hostile bodies, as in contractnet/codec.py.
    except (EOFError, ValueError, IndexError, KeyError, OverflowError, MemoryError, TypeError):
        return None
    return (kind, found) if body.tell() == len(value) else None
