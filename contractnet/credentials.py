"""Credential files: who somebody is in a market, and the secrets that prove it.

A file is JSON, one object, mode 0600, written to a temporary name beside it and renamed. Binary fields are in
lowercase hex.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from contractnet.access import PLAINTEXT, Access, access_of, is_off, load_access, role_file
from contractnet.errors import CredentialError
from contractnet.files import write_secret
from contractnet.signing import KeyPair

VERSION = 1
FILE_BYTES_MAX = 64 * 1024
RETIRED_SEEDS_MAX = 8
"""Seeds of former keys that a file keeps, so that the passes of leases won under them can still be derived."""


class Role(StrEnum):
    """What a credential lets its holder be."""

    AGENT = "agent"
    BANK = "bank"
    OPERATOR = "operator"


def fingerprint(public_key: bytes) -> str:
    """Fingerprint of a public key: SHA-256 in lowercase hex."""
    return hashlib.sha256(public_key).hexdigest()


@dataclass(frozen=True, slots=True)
class PendingRotation:
    """A key rotation that was sent and may or may not have been accepted: the same command can be sealed again."""

    seed: bytes = field(repr=False)
    salt: bytes
    sequence: int
    expires_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """A member of a market. `keys` sign its commands; `inbox_key` (32 bytes) opens what is addressed to it alone.

    `genesis` (32 bytes) binds every signature to one market; None only before the market was opened. `account`
    (16 bytes) is None for the operator. `operator` is the fingerprint of the operator's key. `bootstrap` is a hint,
    for markets on a broker that is not the embedded one. `kafka` is what its holder shows that broker (None: nothing,
    or what CONTRACTNET_ACCESS names).
    """

    role: Role
    market: str
    name: str
    keys: KeyPair
    operator: str
    genesis: bytes | None = None
    account: bytes | None = None
    inbox_key: bytes | None = field(default=None, repr=False)
    partitions: int | None = None
    bootstrap: str | None = None
    retired_seeds: tuple[bytes, ...] = field(default=(), repr=False)
    kafka: Access | None = None
    pending: PendingRotation | None = field(default=None, repr=False)

    def seed_of(self, public_key: bytes) -> bytes | None:
        """The seed of the current or a former key of this credential, None where it has none."""
        seeds = (self.keys.seed, *self.retired_seeds)
        return next((s for s in seeds if KeyPair.from_seed(s).public == public_key), None)

    def promoted(self) -> Credential:
        """This credential after its pending rotation took effect."""
        assert self.pending is not None
        return self.with_keys(KeyPair.from_seed(self.pending.seed))

    def with_keys(self, keys: KeyPair) -> Credential:
        """This credential with other keys in place of its own, whose seed it goes on to hold."""
        retired = (self.keys.seed, *self.retired_seeds)[:RETIRED_SEEDS_MAX]
        return replace(self, keys=keys, retired_seeds=retired, pending=None)


def access_for(credential: Credential, path: str | Path | None = None) -> Access | None:
    """What the holder of a credential shows the broker: what it says, else what the folder of its file does.

    None: what CONTRACTNET_ACCESS names. Raises CredentialError.
    """
    # <data>/agents/ann.json, <data>/keys/bank-default.json
    data = None if path is None else Path(path).absolute().parent.parent
    if data is not None and is_off(data):
        return PLAINTEXT
    if credential.kafka is None and data is not None and credential.role is not Role.AGENT:
        file = role_file(data, "operator")
        return load_access(file) if file.is_file() else None
    return credential.kafka


def access_of_file(path: str | Path) -> Access | None:
    """What the holder of a credential file shows the broker. Raises CredentialError."""
    return access_for(load(path), path)


def save(credential: Credential, path: str | Path) -> None:
    """Write a credential file, mode 0600, atomically. Raises CredentialError when the folder cannot be written."""
    path = Path(path)
    text = json.dumps(_to_json(credential), indent=2, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_secret(path, text)
    except OSError as error:
        raise CredentialError(f"cannot write {path}: {error.strerror}") from error


def load(path: str | Path) -> Credential:
    """Read a credential file. Raises CredentialError when it is missing, open to others, or not such a file."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = json.loads(file.read(FILE_BYTES_MAX))
    except FileNotFoundError as error:
        raise CredentialError(f"no credential file {path}: `contractnet enroll NAME` writes one") from error
    except OSError as error:
        raise CredentialError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError):
        # Not `from error`: its text may quote the file.
        raise CredentialError(f"{path} is no credential file: it is not JSON") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise CredentialError(f"{path} is no credential file of version {VERSION}")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialError(f"{path} is open to others (mode {mode:04o}): run `chmod 600 {path}`")
    try:
        return _from_json(data)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        # The values may be secrets: name the kind of problem, never the content, nor an error that quotes it.
        raise CredentialError(f"{path} is no credential file: a field is missing or malformed") from None


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: str | None, size: int) -> bytes | None:
    if value is None:
        return None
    raw = bytes.fromhex(value)
    if len(raw) != size:
        raise ValueError("wrong size")
    return raw


def _seed(value: str) -> bytes:
    raw = _bytes(value, 32)
    if raw is None:
        raise ValueError("a seed is missing")
    return raw


def _to_json(c: Credential) -> dict[str, Any]:
    p = c.pending
    pending = None
    if p is not None:
        pending = {"seed": p.seed.hex(), "salt": p.salt.hex(), "sequence": p.sequence, "expires_at_ms": p.expires_at_ms}
    return {
        "version": VERSION,
        "role": str(c.role),
        "market": c.market,
        "name": c.name,
        "account": _hex(c.account),
        "genesis": _hex(c.genesis),
        "operator": c.operator,
        "partitions": c.partitions,
        "bootstrap": c.bootstrap,
        "signing_key": c.keys.public.hex(),
        "signing_seed": c.keys.seed.hex(),
        "inbox_key": _hex(c.inbox_key),
        "kafka": None if c.kafka is None else dict(c.kafka.settings),
        "retired_seeds": [s.hex() for s in c.retired_seeds],
        "pending": pending,
    }


def _from_json(data: dict[str, Any]) -> Credential:
    keys = KeyPair.from_seed(_seed(data["signing_seed"]))
    if keys.public.hex() != data["signing_key"]:
        raise ValueError("the signing key is not that of the seed")
    pending = data["pending"]
    texts = (data["market"], data["name"], data["operator"])
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a text is missing")
    return Credential(
        role=Role(data["role"]),
        market=data["market"],
        name=data["name"],
        keys=keys,
        operator=data["operator"],
        genesis=_bytes(data["genesis"], 32),
        account=_bytes(data["account"], 16),
        inbox_key=_bytes(data["inbox_key"], 32),
        partitions=None if data["partitions"] is None else int(data["partitions"]),
        bootstrap=data["bootstrap"],
        kafka=access_of(data.get("kafka")),  # files of version 0.1 have none
        retired_seeds=tuple(_seed(s) for s in data["retired_seeds"]),
        pending=None if pending is None else _pending(pending),
    )


def _pending(data: dict[str, Any]) -> PendingRotation:
    expires = data.get("expires_at_ms")  # files of before keys could expire have none
    salt, sequence = _bytes(data["salt"], 16) or b"", int(data["sequence"])
    return PendingRotation(_seed(data["seed"]), salt, sequence, None if expires is None else int(expires))
