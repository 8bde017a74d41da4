"""The chain that makes a ledger partition tamper-evident."""

from __future__ import annotations

import hashlib
import struct

CHAIN_START = bytes(32)
"""Head of a chain without entries."""


def chain(previous: bytes, partition: int, offset: int, index: int, command_digest: bytes, value: bytes) -> bytes:
    """Head after one more ledger entry: SHA-256 over the previous head, the entry's identity, the digest of the command
    record as stored and the entry's value as written."""
    place = struct.pack(">iqi", partition, offset, index)
    return hashlib.sha256(previous + place + command_digest + value).digest()
