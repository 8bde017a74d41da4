"""The manifest of an export: what its files have to be, as canonical JSON, signed or not.

`manifest.json` is one object: `content`, and `key` (public key, hex) with `signature` (Ed25519, hex) over a domain tag
and the SHA-256 of the canonical bytes of `content`; both are null where nobody signed. Canonical: sorted keys, no
spaces, UTF-8. It is written last: a directory without it is no export.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from contractnet.errors import ExportError
from contractnet.exports.container import RECORD, FileEntry, file_name, new_file
from contractnet.progress import Progress
from contractnet.signing import KeyPair, verify
from contractnet.topics import TOPICS

VERSION = 1
DOMAIN = b"contractnet/export/1"
FILE_NAME = "manifest.json"
_AT_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999
_SIZE_BYTES_MAX = 64 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_ADVICE = "Copy the whole export again from where it was made, or make another one: the rest of it proves nothing alone"
_MALFORMED = (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Part:
    """One partition of a topic: the offsets `low` to `end` (not included), and the files that hold what is there."""

    partition: int
    low: int
    end: int
    records: int
    files: tuple[FileEntry, ...]


@dataclass(frozen=True, slots=True)
class MarketEntry:
    """A market that the ledger opens. `genesis_hash` is hex."""

    name: str
    partition: int
    genesis_hash: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export holds. `tool` wrote it, which knew the rules up to version `rules`; `made_at_ms` is the word of
    whoever made it. `signer` is the key (32 bytes) whose signature holds, None where there is none."""

    tool: str
    rules: int
    made_at_ms: int
    markets: tuple[MarketEntry, ...]
    topics: dict[str, tuple[Part, ...]]
    signer: bytes | None = None

    @property
    def files(self) -> dict[str, FileEntry]:
        """All files by name."""
        return {file.name: file for parts in self.topics.values() for part in parts for file in part.files}

    def content(self) -> dict[str, Any]:
        """As JSON values, what is signed."""
        return {
            "version": VERSION,
            "tool": self.tool,
            "rules": self.rules,
            "record": RECORD,
            "made_at_ms": self.made_at_ms,
            "markets": [asdict(market) for market in self.markets],
            "topics": {name: [_plain(part) for part in parts] for name, parts in self.topics.items()},
        }


def _plain(part: Part) -> dict[str, Any]:
    return asdict(part) | {"files": [file._asdict() for file in part.files]}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _signed(content: dict[str, Any]) -> bytes:
    return DOMAIN + hashlib.sha256(_canonical(content)).digest()


def write(manifest: Manifest, directory: Path, keys: KeyPair | None) -> None:
    """Write the manifest of a directory that has none, signed by `keys` if there are any. Raises OSError."""
    content = manifest.content()
    key = None if keys is None else keys.public.hex()
    signature = None if keys is None else keys.sign(_signed(content)).hex()
    with new_file(directory / FILE_NAME) as file:
        file.write(_canonical({"content": content, "key": key, "signature": signature}))
        file.flush()
        os.fsync(file.fileno())


def read(directory: Path) -> Manifest:
    """Read the manifest of an export; its signature has to hold where it has one, whose ever it is.

    Raises ExportError for a directory that is no export, or a manifest that was changed or is of another version.
    """
    path = directory / FILE_NAME
    try:
        with path.open("rb") as file:
            stored = file.read(_SIZE_BYTES_MAX)
    except FileNotFoundError as error:
        raise ExportError(
            f"{directory} is no export: it has no {FILE_NAME}, as one that was interrupted. `contractnet export --avro "
            f"DIR` writes one."
        ) from error
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}") from error
    try:
        document = json.loads(stored)
        content, key, signature = document["content"], document["key"], document["signature"]
        canonical = _canonical(document)
        version, record = content["version"], content["record"]
    except _MALFORMED as error:
        raise ExportError(f"{path} is no manifest of an export: {_why(error)}") from error
    if (version, record) != (VERSION, RECORD):
        raise ExportError(
            f"{path} has version {_why(version)} of {_why(record)}, this version of contractnet reads {VERSION} of "
            f"{RECORD}: use the one that wrote it ({_why(content.get('tool'))})"
        )
    if canonical != stored:
        raise ExportError(f"{path} was changed: it is not as an export writes it (canonical JSON)")
    signer = None if key is None and signature is None else _signer(path, key, signature, content)
    try:
        return _parsed(content, signer)
    except _MALFORMED as error:
        raise ExportError(f"{path} is no manifest of an export: {_why(error)}") from error


def _why(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 80 else text[:80] + ".."


def _signer(path: Path, key: Any, signature: Any, content: dict[str, Any]) -> bytes:
    try:
        public, signed = bytes.fromhex(key), bytes.fromhex(signature)
    except _MALFORMED:
        public = signed = b""
    if not verify(public, signed, _signed(content)):
        raise ExportError(f"{path}: the signature does not hold: the manifest was changed after it was signed")
    return public


def _parsed(content: dict[str, Any], signer: bytes | None) -> Manifest:
    topics = {str(name): tuple(_part(name, found) for found in parts) for name, parts in content["topics"].items()}
    counts = {len(parts) for parts in topics.values()}
    if set(topics) != {topic.name for topic in TOPICS} or len(counts) != 1:
        raise ValueError("its topics or partitions are not those of a market")
    for parts in topics.values():
        if [part.partition for part in parts] != list(range(len(parts))):
            raise ValueError("its partitions are not in order")
    markets = tuple(
        MarketEntry(str(m["name"]), int(m["partition"]), str(m["genesis_hash"])) for m in content["markets"]
    )
    manifest = Manifest(
        str(content["tool"]), int(content["rules"]), int(content["made_at_ms"]), markets, topics, signer
    )
    if not 0 <= manifest.made_at_ms <= _AT_MS_MAX:
        raise ValueError("it was made at no time")
    if manifest.content() != content:
        raise ValueError("it has fields that an export does not write")
    return manifest


def _part(topic: str, found: dict[str, Any]) -> Part:
    files = tuple(FileEntry(**file) for file in found["files"])
    part = Part(int(found["partition"]), int(found["low"]), int(found["end"]), int(found["records"]), files)
    at = part.low
    for file in files:
        # A name is one that we would give: it leads to no other directory.
        if file.name != file_name(topic, part.partition, file.first):
            raise ValueError(f"{file.name!r} is not the name of {topic}-{part.partition} from {file.first} on")
        if not at <= file.first <= file.last < part.end or not 0 < file.records <= file.last - file.first + 1:
            raise ValueError(f"{file.name} has offsets that are out of order")
        at = file.last + 1
    if sum(file.records for file in files) != part.records:
        raise ValueError(f"{topic}-{part.partition} has another number of records than its files")
    return part


def check_files(manifest: Manifest, directory: Path, out: TextIO | None) -> None:
    """Compare all files with the manifest. Progress goes to `out`.

    Raises ExportError, which names the first file that is missing, that was added, or whose bytes are others.
    """
    files = manifest.files
    try:
        there = {entry.name: entry.stat(follow_symlinks=False) for entry in os.scandir(directory)}
    except OSError as error:
        raise ExportError(f"cannot read {directory}: {error.strerror}") from error
    for name in sorted(files.keys() - there.keys()):
        raise ExportError(f"{directory}: the file {name} is missing. {_ADVICE}.")
    for name in sorted(there.keys() - files.keys() - {FILE_NAME}):
        raise ExportError(
            f"{directory}: {name} is no file of this export: its manifest does not name it. Move it away."
        )
    progress = Progress(out)
    done, total = 0, sum(file.size_bytes for file in files.values())
    for name, file in files.items():
        if not stat.S_ISREG(there[name].st_mode) or there[name].st_size != file.size_bytes:
            raise ExportError(
                f"{directory}: the file {name} was changed: it has {there[name].st_size} bytes, not {file.size_bytes}. "
                f"{_ADVICE}."
            )
        if _sha256(directory / name) != file.sha256:
            raise ExportError(
                f"{directory}: the file {name} was changed: its SHA-256 is not that of the manifest. {_ADVICE}."
            )
        done += file.size_bytes
        progress.tell(partial(_hashed, done, total))


def _hashed(done: int, total: int, _: float) -> str:
    return f"comparing files: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                found.update(piece)
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}") from error
    return found.hexdigest()
