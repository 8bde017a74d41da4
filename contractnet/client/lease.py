"""Locks on units of a pool, and the fencing tokens that order them."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Self

from contractnet.client.shown import Shown

PASS_DOMAIN = b"contractnet/pass/1"


@dataclass(frozen=True, slots=True, order=True)
class Token:
    """A fencing token: where the award stands in the commands partition. Later awards have greater tokens.

    Its text form is `partition:offset:index`.
    """

    partition: int
    offset: int
    index: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The token of a text form. Raises ValueError."""
        partition, offset, index = text.split(":")
        return cls(int(partition), int(offset), int(index))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}:{self.index}"


@dataclass(frozen=True, slots=True, repr=False)
class Award(Shown):
    """A won slot: `units` of `pool` are locked from `starts_at_ms` up to, not including, `ends_at_ms` (market time).

    `id` (16 bytes) is the winning bid's id. `token` and `secret` (32 bytes) are what a Gate asks for; whoever has them
    can use the slot, so the secret is kept out of the repr.
    """

    id: bytes
    price_ucr: int
    pool: str
    units: int
    starts_at_ms: int
    ends_at_ms: int
    token: Token
    secret: bytes = field(repr=False)


def pass_secret(seed: bytes, command_id: bytes) -> bytes:
    """The secret behind a bid's pass, 32 bytes: derived again from the signing seed whenever it is needed."""
    return hmac.digest(seed, PASS_DOMAIN + command_id, "sha256")


def pass_hash(secret: bytes) -> bytes:
    """What a bid publishes of its secret: the SHA-256."""
    return hashlib.sha256(secret).digest()
