"""Ed25519 signatures of commands, and the keys they are made with.

A signature covers a domain tag, the genesis hash, the market, the key, the salt, the sequence and the value as sent,
each prefixed by its length, so that no part can be moved into another, another market, or another topic.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

DOMAIN = b"contractnet/command/1"
NO_GENESIS = bytes(32)
"""Stands for the genesis hash in the signature of the genesis itself."""

Claim = tuple[bytes, bytes, bytes]
"""Key, signature, and what it covers: the arguments of `verify`."""


def signed_bytes(genesis: bytes, market: str, key: bytes, salt: bytes, sequence: int, value: bytes) -> bytes:
    """What a signature covers."""
    parts = (DOMAIN, genesis, market.encode(), key, salt, struct.pack(">q", sequence), value)
    return b"".join(struct.pack(">I", len(p)) + p for p in parts)


def verify(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` was made with the private half of `key` (32 bytes)."""
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An Ed25519 key pair. `seed` is the secret; it is kept out of the repr, and so out of logs and tracebacks."""

    seed: bytes
    public: bytes

    @classmethod
    def generate(cls) -> KeyPair:
        """A new random key pair."""
        return cls.from_seed(bytes(SigningKey.generate()))

    @classmethod
    def from_seed(cls, seed: bytes) -> KeyPair:
        """The key pair of a 32-byte seed."""
        return cls(seed, bytes(SigningKey(seed).verify_key))

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of a message."""
        return SigningKey(self.seed).sign(message).signature

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public.hex()})"
