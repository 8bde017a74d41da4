"""A command on the wire: a record of the commands topic, written by `seal` and read by `open_record`.

Key: the market's name. Value: the command, single-object encoded. Headers: `key` (Ed25519 public key, 32 bytes), `salt`
(16 random bytes), `seq` (8 bytes, big-endian signed), `sig` (64 bytes). A Tick has no headers: it carries no authority.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from contractnet import codec
from contractnet.errors import UnreadableValueError
from contractnet.messages import ZERO_ID, Command, Unreadable
from contractnet.messages.commands import Tick
from contractnet.messages.names import name_problem
from contractnet.messages.submission import Credentials, Submission, command_id
from contractnet.signing import Claim, KeyPair, signed_bytes, verify

KEY_BYTES, SALT_BYTES, SEQUENCE_BYTES, SIGNATURE_BYTES = 32, 16, 8, 64

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Sealed:
    """A command ready to be sent, any number of times: a repeat is recognised by its key and sequence."""

    market: str
    command_id: bytes
    value: bytes
    headers: Headers


def seal(command: Command, *, market: str, genesis: bytes, keys: KeyPair, sequence: int, salt: bytes = b"") -> Sealed:
    """Sign a command. `genesis` is the market's genesis hash (NO_GENESIS for the genesis itself)."""
    salt = salt or os.urandom(SALT_BYTES)
    value = codec.encode(command)
    signature = keys.sign(signed_bytes(genesis, market, keys.public, salt, sequence, value))
    headers = [("key", keys.public), ("salt", salt), ("seq", struct.pack(">q", sequence)), ("sig", signature)]
    return Sealed(market, command_id(keys.public, sequence, salt), value, headers)


def seal_tick(market: str) -> Sealed:
    """A tick for a market."""
    return Sealed(market, ZERO_ID, codec.encode(Tick()), [])


def claim_of(submission: Submission, genesis: bytes) -> Claim | None:
    """What the signature of a submission claims in the market with this genesis hash, None without a signature."""
    c = submission.credentials
    if c is None or submission.market is None:
        return None
    return c.key, c.signature, signed_bytes(genesis, submission.market, c.key, c.salt, c.sequence, submission.value)


def is_proven(submission: Submission, genesis: bytes) -> bool:
    """Whether the signature of a submission holds in the market with this genesis hash."""
    claim = claim_of(submission, genesis)
    return claim is not None and verify(*claim)


def open_record(
    offset: int, stamped_at_ms: int, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> Submission:
    """Read one record of the commands topic. Never raises: whatever the bytes are, they are a submission."""
    command: Command | None = None
    unreadable: Unreadable | None = None
    try:
        command = codec.decode_command(value)
    except UnreadableValueError as error:
        unreadable = error.reason
    # For confluent-kafka a header's name is a C string: all readers of a record have to see the same.
    headers = [(name.partition("\0")[0], held) for name, held in headers]
    digest = record_digest(stamped_at_ms, key, value, headers)
    return Submission(
        offset, stamped_at_ms, _market(key), command, unreadable, _credentials(headers), value or b"", digest
    )


def readable_headers(read: Callable[[], object]) -> list[tuple[str, bytes | None]]:
    """The headers of a message of confluent-kafka, whose method `headers` is given.

    Anybody may store a header whose name is no UTF-8, which no client library reads: such a record counts as one
    without headers, and so as unsigned.
    """
    try:
        found = read()
    # Where the bad name is not the only one, confluent-kafka forgets to hand on its own UnicodeDecodeError.
    except (UnicodeDecodeError, SystemError):
        return []
    listed = found if isinstance(found, list) else []
    return [(str(name), held if isinstance(held, bytes) else None) for name, held in listed]


def record_digest(
    stamped_at_ms: int, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> bytes:
    """SHA-256 over a record as stored: stamp, key, value and headers, each prefixed by its length (-1 for null)."""
    parts = [struct.pack(">q", stamped_at_ms), key, value]
    for name, header in headers:
        parts += [name.encode(), header]
    sized = (struct.pack(">i", -1) if p is None else struct.pack(">i", len(p)) + p for p in parts)
    return hashlib.sha256(b"".join(sized)).digest()


def _market(key: bytes | None) -> str | None:
    try:
        name = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    return None if name_problem(name) else name


def _credentials(headers: Iterable[tuple[str, bytes | None]]) -> Credentials | None:
    found: dict[str, bytes] = {}
    for name, value in headers:
        if name in found or value is None:
            return None
        found[name] = value
    sizes = {"key": KEY_BYTES, "salt": SALT_BYTES, "seq": SEQUENCE_BYTES, "sig": SIGNATURE_BYTES}
    if {n: len(v) for n, v in found.items()} != sizes:
        return None
    return Credentials(found["key"], found["salt"], struct.unpack(">q", found["seq"])[0], found["sig"])
