"""What one record of the commands topic lets agents know: some of it everybody, some of it one account each."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.notices import Notice

BUCKET_BYTES_MIN = 64


@dataclass(frozen=True, slots=True)
class Private:
    """A notice for the holder of an inbox key (32 bytes) alone. `notice` is None for a decoy, whose key nobody has.

    Its text is padded to at least `bucket_bytes`, so that notices of one kind have one size whatever is in them.
    """

    inbox_key: bytes
    notice: Notice | None
    bucket_bytes: int = BUCKET_BYTES_MIN


@dataclass(frozen=True, slots=True)
class Told:
    """The notices of one record, before they are sealed and encoded: first the public ones, then the private.

    `genesis` (32 bytes) and `market` say of which market, `partition` and `offset` of which command.
    """

    genesis: bytes
    market: str
    partition: int
    offset: int
    public: list[Notice]
    private: list[Private]
