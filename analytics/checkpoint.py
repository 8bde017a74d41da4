"""Checkpoints: what a verified log was at some offset, signed, so that later changes to it show.

JSON, one object: `key` (public key, hex), `signature` (Ed25519, hex) over a domain tag and the canonical bytes of
`content` (JSON with sorted keys and no spaces). Each partition has the offsets that come next, the chain head, running
hashes of everything seen, the snapshot records seen, and the canonical state of market/snapshot.py with its hash.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contractnet.errors import CheckpointError
from contractnet.files import write_secret
from contractnet.signing import KeyPair, verify

VERSION = 9
DOMAIN = b"contractnet/checkpoint/1"


@dataclass(frozen=True, slots=True)
class Part:
    """One partition. `*_next` are the offsets to read on from; `snapshots` holds offset, key and digest of records."""

    partition: int
    commands_next: int
    ledger_next: int
    notices_next: int
    head: bytes
    commands_hash: bytes
    ledger_hash: bytes
    notices_hash: bytes
    snapshots: tuple[tuple[int, str, str], ...]
    state: bytes

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "partition": self.partition,
            "commands_next": self.commands_next,
            "ledger_next": self.ledger_next,
            "notices_next": self.notices_next,
            "head": self.head.hex(),
            "commands_hash": self.commands_hash.hex(),
            "ledger_hash": self.ledger_hash.hex(),
            "notices_hash": self.notices_hash.hex(),
            "snapshots": [list(record) for record in self.snapshots],
            "state_hash": hashlib.sha256(self.state).hexdigest(),
            "state": self.state.decode(),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Part:
        """From JSON values; raises KeyError, TypeError or ValueError for others."""
        state = plain["state"].encode()
        if hashlib.sha256(state).hexdigest() != plain["state_hash"]:
            raise ValueError("the state has another hash")
        return cls(
            partition=int(plain["partition"]),
            commands_next=int(plain["commands_next"]),
            ledger_next=int(plain["ledger_next"]),
            notices_next=int(plain["notices_next"]),
            head=bytes.fromhex(plain["head"]),
            commands_hash=bytes.fromhex(plain["commands_hash"]),
            ledger_hash=bytes.fromhex(plain["ledger_hash"]),
            notices_hash=bytes.fromhex(plain["notices_hash"]),
            snapshots=tuple((int(offset), str(key), str(digest)) for offset, key, digest in plain["snapshots"]),
            state=state,
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A market's topics at one moment. `made_at_ms` is the word of whoever signed it."""

    operator_key: bytes
    made_at_ms: int
    parts: tuple[Part, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "version": VERSION,
            "operator_key": self.operator_key.hex(),
            "made_at_ms": self.made_at_ms,
            "parts": [part.plain() for part in self.parts],
        }


def _signed(content: dict[str, Any]) -> bytes:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return DOMAIN + hashlib.sha256(canonical.encode()).digest()


def write(checkpoint: Checkpoint, keys: KeyPair, path: Path) -> None:
    """Sign and write, atomically, mode 0600: the states in it show open bids. Raises CheckpointError."""
    content = checkpoint.plain()
    signature = keys.sign(_signed(content))
    document = {"key": keys.public.hex(), "signature": signature.hex(), "content": content}
    try:
        write_secret(path, json.dumps(document, ensure_ascii=False))
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {path}: {error.strerror}") from error


def read(path: Path, trusted: frozenset[bytes]) -> Checkpoint:
    """Read a checkpoint signed by one of the `trusted` keys (32 bytes each).

    Raises CheckpointError for a file that is missing, no checkpoint, of another version, or not so signed.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
        key, signature = bytes.fromhex(document["key"]), bytes.fromhex(document["signature"])
        content = document["content"]
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is no checkpoint: write one with `contractnet verify --write-checkpoint`"
        ) from error
    if key not in trusted:
        raise CheckpointError(
            f"{path} is signed by {key.hex()}, which is not trusted. If it is your auditor's key, name it with "
            f"--trust-key."
        )
    if not verify(key, signature, _signed(content)):
        raise CheckpointError(f"{path}: the signature does not hold: the file was changed after it was signed")
    try:
        if content["version"] != VERSION:
            raise CheckpointError(f"{path} has version {content['version']}, this version reads {VERSION}")
        parts = tuple(map(Part.from_plain, content["parts"]))
        return Checkpoint(bytes.fromhex(content["operator_key"]), int(content["made_at_ms"]), parts)
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is no checkpoint of version {VERSION}: {error}") from error
