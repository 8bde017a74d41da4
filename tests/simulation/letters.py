"""What the simulation's agents send."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.signing import KeyPair


@dataclass(frozen=True, slots=True)
class Unsigned(KeyPair):
    """A key pair that saves the work of signing: for markets that do not look."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes that are no signature."""
        return bytes(64)


@dataclass(frozen=True, slots=True)
class Letter:
    """A record on its way: what `commands` will store. `id` is None where it carries no command of ours."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    id: bytes | None
