"""Snapshots checked against the fold: what a restarted worker would trust.

A snapshot is a cache and may be torn by a crash: its chunks are then newer than its manifest, and every reader passes
it over. Any other snapshot has to be whole, and its state, chain and offset those of the ledger.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analytics.checkpoint import Part
from analytics.verify.report import DivergenceError
from analytics.verify.source import RecordSource, StoredRecord
from contractnet.messages import Entry
from contractnet.topics import SNAPSHOTS
from market import Shard
from market.rules import RULES
from market.snapshot import dump, load

_KEY = re.compile(r"([01])/(manifest|0|[1-9][0-9]{0,5})")
STATE_BYTES_MAX = 2**31
"""As workers have it (streams/snapshots.py): a few KB can unpack to anything, and they pass over what is larger."""
_NUMBERS = ("generation", "number", "chunks", "ledger_offset", "rules_version")
_FIELDS = {"generation", "number", "chunks", "ledger_offset", "chain", "rules_version", "state_hash"}


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A whole snapshot: the offset of its manifest, and what it claims."""

    at: int
    chain: bytes
    state: bytes


@dataclass(slots=True)
class Snapshots:
    """The snapshots of one partition. `checked`, `torn`, `older` and `large` are counts."""

    source: RecordSource
    partition: int
    checked: int = 0
    torn: int = 0
    older: int = 0
    large: int = 0
    _begin: int = 0
    _twins: list[tuple[int, str, Shard]] = field(default_factory=list)
    _claims: dict[int, list[_Snapshot]] = field(default_factory=dict)
    _records: list[StoredRecord] = field(default_factory=list)

    def begin(self, ledger_offset: int) -> None:
        """The fold starts here: snapshots of earlier offsets cannot be compared."""
        self._begin = ledger_offset

    def read(self) -> None:
        """Read the topic and what its manifests claim. Raises DivergenceError."""
        self._records = list(self.source.read(SNAPSHOTS.name, self.partition, 0))
        newest: dict[str, StoredRecord] = {}
        for record in self._records:
            key = (record.key or b"").decode("ascii", "replace")
            if not _KEY.fullmatch(key) or record.headers or record.value is None:
                raise self._diverged(record.offset, "this is no record of a snapshot")
            newest[key] = record
        for key, record in newest.items():
            if key.endswith("/manifest"):
                self._claim(key[0], record, newest)

    def is_at(self, ledger_offset: int) -> bool:
        """Whether a snapshot claims to be the state after this ledger record."""
        return ledger_offset in self._claims

    def begin_check(self, ledger_offset: int, shard: Shard, market: str, rest: Sequence[Entry]) -> None:
        """Compare the snapshots of this offset with the fold; `shard` is already at the end of the same command.

        A snapshot may lie between the entries of a command. Folding the `rest` of them into it has to give the shard.
        """
        for snapshot in self._claims.pop(ledger_offset):
            if snapshot.chain != shard.head:
                raise self._diverged(snapshot.at, f"its chain is not that of ledger offset {ledger_offset}")
            twin = Shard(self.partition, shard.partitions, shard.operator_key, shard.verifier)
            what = f"its state is not the fold up to ledger offset {ledger_offset}"
            try:
                load(twin, snapshot.state)
                for entry in rest:
                    twin.fold(market, entry)
            except (AssertionError, KeyError, TypeError, ValueError, IndexError) as error:
                raise self._diverged(snapshot.at, f"{what}: {error!r}") from error
            if twin.head != snapshot.chain:
                raise self._diverged(snapshot.at, "state and manifest name different chain heads")
            self._twins.append((snapshot.at, what, twin))

    def end_check(self, shard: Shard) -> None:
        """At the end of the command: the twins have become the shard."""
        while self._twins:
            at, what, twin = self._twins.pop()
            twin.head = shard.head
            if dump(twin) != dump(shard):
                raise self._diverged(at, what)
            self.checked += 1

    def finish(self, ledger_end: int) -> None:
        """Every snapshot was met, except those from before the start.

        `ledger_end` was asked for after the snapshots were read, and everything below it was met.
        """
        for offset, snapshots in self._claims.items():
            if offset >= self._begin and offset < ledger_end:
                raise self._diverged(snapshots[0].at, f"ledger offset {offset} holds no record")
            if offset >= ledger_end:
                raise self._diverged(
                    snapshots[0].at, f"it is of ledger offset {offset}, the ledger ends at {ledger_end}"
                )
            self.older += len(snapshots)

    def kept(self) -> tuple[tuple[int, str, str], ...]:
        """Offset, key and digest of the records of the topic, for a checkpoint."""
        return tuple((r.offset, (r.key or b"").decode("ascii", "replace"), _digest(r)) for r in self._records)

    def compare(self, part: Part) -> None:
        """Records that a checkpoint saw are unchanged, or were compacted away by a newer one of their key."""
        there = {record.offset: record for record in self._records}
        newest = {(r.key or b"").decode("ascii", "replace"): r.offset for r in self._records}
        last = max((offset for offset, _, _ in part.snapshots), default=-1)
        seen = {offset for offset, _, _ in part.snapshots}
        for offset, key, digest in part.snapshots:
            record = there.get(offset)
            if record is not None and _digest(record) != digest:
                raise self._diverged(offset, "the record is not the one that the checkpoint saw")
            if record is None and newest.get(key, -1) < offset:
                raise self._diverged(offset, "the record that the checkpoint saw is gone, and no newer one replaces it")
        for record in self._records:
            if record.offset <= last and record.offset not in seen:
                raise self._diverged(record.offset, "the checkpoint saw no record here")

    def _claim(self, generation: str, record: StoredRecord, newest: dict[str, StoredRecord]) -> None:
        claim = self._manifest(record)
        if str(claim["generation"]) != generation:
            raise self._diverged(record.offset, f"the key says generation {generation}")
        if claim["rules_version"] != max(RULES):
            self.older += 1
            return
        # A manifest may promise any number of chunks; more than there are records are not there.
        chunks = [newest.get(f"{generation}/{i}") for i in range(min(claim["chunks"], len(newest)))]
        if any(chunk is not None and chunk.offset > record.offset for chunk in chunks):
            self.torn += 1
            return
        state = None if None in chunks else _unpacked(b"".join(chunk.value or b"" for chunk in chunks if chunk))
        if state is not None and len(state) > STATE_BYTES_MAX:
            self.large += 1
            return
        if state is None or hashlib.sha256(state).hexdigest() != claim["state_hash"]:
            raise self._diverged(record.offset, "its chunks do not give the state that it promises")
        offset = claim["ledger_offset"]
        self._claims.setdefault(offset, []).append(_Snapshot(record.offset, bytes.fromhex(claim["chain"]), state))

    def _manifest(self, record: StoredRecord) -> dict[str, Any]:
        try:
            claim: dict[str, Any] = json.loads(record.value or b"")
            sizes = all(type(claim[name]) is int and claim[name] >= 0 for name in _NUMBERS)
            sizes = sizes and len(bytes.fromhex(claim["chain"])) == 32
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._diverged(record.offset, "the manifest is unreadable") from error
        if set(claim) != _FIELDS or not sizes:
            raise self._diverged(record.offset, "the manifest is unreadable")
        return claim

    def _diverged(self, offset: int, what: str) -> DivergenceError:
        return DivergenceError(SNAPSHOTS.name, self.partition, offset, what)


def _unpacked(packed: bytes) -> bytes | None:
    """A state, at most a byte more than one may have; None for bytes that are none."""
    unpacker = zlib.decompressobj()
    try:
        state = unpacker.decompress(packed, STATE_BYTES_MAX + 1)
    except zlib.error:
        return None
    return state if unpacker.eof or len(state) > STATE_BYTES_MAX else None


def _digest(record: StoredRecord) -> str:
    parts = [struct.pack(">q", record.timestamp), record.key or b"", record.value or b""]
    return hashlib.sha256(b"".join(struct.pack(">I", len(p)) + p for p in parts)).hexdigest()
