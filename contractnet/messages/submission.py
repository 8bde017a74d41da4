"""A record of the commands topic as read, before anybody has judged it."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from contractnet.messages.commands import Command
from contractnet.messages.types import ZERO_ID, Unreadable

ID_DOMAIN = b"contractnet/id/1"


def command_id(key: bytes, sequence: int, salt: bytes) -> bytes:
    """Id of a command, 16 bytes: the head of SHA-256 over key, sequence and a salt of 16 random bytes.

    A key uses a sequence once, so ids are unique without anyone remembering them, nobody can take another's id, and
    without the salt (which only the referee and auditors read) an id does not tell its sender.
    """
    return hashlib.sha256(ID_DOMAIN + key + struct.pack(">q", sequence) + salt).digest()[:16]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The headers of a command, well-formed but not yet proven."""

    key: bytes
    salt: bytes
    sequence: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Submission:
    """One record of the commands topic: nothing of it is proven.

    `stamped_at_ms` is the broker's stamp (LogAppendTime). `market` is None where the record key is no market name;
    `command` is None where the value is unreadable, and `unreadable` says why; `credentials` is None where the headers
    are not exactly those of a command. `digest` is the SHA-256 of the record as stored.
    """

    offset: int
    stamped_at_ms: int
    market: str | None
    command: Command | None
    unreadable: Unreadable | None
    credentials: Credentials | None
    value: bytes
    digest: bytes

    @property
    def command_id(self) -> bytes:
        """Id of the command; the zero id where the headers name none."""
        c = self.credentials
        return ZERO_ID if c is None else command_id(c.key, c.sequence, c.salt)
