"""Snapshots at any entry of the ledger, and those that a crash left torn."""

from __future__ import annotations

import json
import zlib
from hashlib import sha256

import pytest

from analytics.verify import Order, snapshots, verify
from analytics.verify.plain import plain_entry
from analytics.verify.source import StoredRecord
from contractnet.chain import CHAIN_START
from contractnet.codec import decode_entry
from contractnet.envelope import is_proven
from contractnet.topics import LEDGER, SNAPSHOTS
from market import Shard
from market.snapshot import dump, load
from streams.snapshots import STATE_BYTES_MAX
from tests.analytics.towns import OPERATOR, PARTITIONS, Topics, judged, source_of, traffic
from tests.market.town import as_plain

PARTITION = 3


def empty() -> Shard:
    """A shard before its first record."""
    return Shard(PARTITION, PARTITIONS, OPERATOR.public, is_proven, head=CHAIN_START)


def plain(shard: Shard) -> list[object]:
    """The markets, derived parts included. Bids over all CFPs have no order: each CFP's own have."""
    markets = [as_plain(state, past=False) for state in shard.markets.values()]
    return [{**market, "bids": sorted(market["bids"], key=lambda bid: bid[0])} for market in markets]


def test_a_snapshot_between_the_entries_of_a_command() -> None:
    """The snapshotter stops after any entry. At each of them a snapshot restores the same state, also inside a close,
    where some holds of a CFP are resolved and the CFP is still there."""
    shard, inside = empty(), 0
    ledger = judged({PARTITION: traffic(PARTITION, 250)})[LEDGER.name][PARTITION]
    for record in ledger:
        shard.fold((record.key or b"").decode(), decode_entry(record.value))
        shard.head = record.headers[0][1] or b""
        restored = empty()
        load(restored, dump(shard))
        assert plain(restored) == plain(shard)
        entry = plain_entry(record.value)
        inside += entry is not None and entry[0] in {"HoldReleased", "HoldCaptured"}
    assert inside > 20


def torn(topics: Topics, *, newer: bool) -> Topics:
    """The first chunk of the newest snapshot has other bytes; with `newer`, from a later write."""
    records = topics[SNAPSHOTS.name][PARTITION]
    at = max(i for i, r in enumerate(records) if r.key in (b"0/0", b"1/0"))
    broken = records[at]._replace(value=b"other bytes")
    rest = records[:at] + records[at + 1 :]
    changed = (
        [*rest, broken._replace(offset=records[-1].offset + 1)]
        if newer
        else [*records[:at], broken, *records[at + 1 :]]
    )
    parts: list[list[StoredRecord]] = [*topics[SNAPSHOTS.name]]
    parts[PARTITION] = changed
    return {**topics, SNAPSHOTS.name: parts}


def test_a_snapshot_that_a_crash_tore() -> None:
    """Chunks newer than their manifest are a write that a crash cut short: passed over and told. Others diverge."""
    topics = judged({PARTITION: traffic(PARTITION, 200)})
    order = Order(OPERATOR.public)
    report, _ = verify(source_of(torn(topics, newer=True)), order)
    assert report.sound, report.lines()
    assert report.notes == [
        f"snapshots[{PARTITION}]: 1 torn by a crash, 0 of before the start or of other rules, not compared"
    ]
    report, _ = verify(source_of(torn(topics, newer=False)), order)
    assert report.divergence is not None
    assert report.divergence.topic == SNAPSHOTS.name


def claiming(topics: Topics, value: bytes | None = None, **claims: object) -> Topics:
    """The newest manifest claims something else, or is `value`."""
    records = list(topics[SNAPSHOTS.name][PARTITION])
    claim = json.loads(records[-1].value or b"")
    assert claims.keys() <= claim.keys()
    records[-1] = records[-1]._replace(value=value or json.dumps(claim | claims).encode())
    parts = [*topics[SNAPSHOTS.name]]
    parts[PARTITION] = records
    return {**topics, SNAPSHOTS.name: parts}


def test_a_snapshot_that_is_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is unpacked than workers unpack: what is larger they pass over, and so does verify, which tells it."""
    assert snapshots.STATE_BYTES_MAX == STATE_BYTES_MAX
    monkeypatch.setattr(snapshots, "STATE_BYTES_MAX", 1_000_000)
    topics = judged({PARTITION: traffic(PARTITION, 100)})
    bomb = bytes(1_000_001)
    records = topics[SNAPSHOTS.name][PARTITION]
    generation = json.loads(records[-1].value or b"")["generation"]
    place = next(i for i, r in enumerate(records) if r.key == f"{generation}/0".encode())
    for state, report_of in ((bomb, "large"), (bomb[1:], "diverged")):
        records[place] = records[place]._replace(value=zlib.compress(state))
        report, _ = verify(
            source_of(claiming(topics, chunks=1, state_hash=sha256(state).hexdigest())), Order(OPERATOR.public)
        )
        assert report.sound == (report_of == "large"), report.lines()
        if report.sound:
            [note] = report.notes
            assert note.startswith(f"snapshots[{PARTITION}]: 1 are larger than ")
    records[place] = records[place]._replace(value=zlib.compress(bomb[2:])[:-9])
    assert not verify(source_of(claiming(topics, chunks=1)), Order(OPERATOR.public))[0].sound


@pytest.mark.parametrize("chunks", [10**5, 10**12, 1.5, True, -1, "1", None])
def test_a_manifest_that_promises_any_number_of_chunks(chunks: object) -> None:
    """It costs neither time nor memory, and is a divergence at its offset."""
    topics = judged({PARTITION: traffic(PARTITION, 100)})
    changed = claiming(topics, chunks=chunks)
    report, _ = verify(source_of(changed), Order(OPERATOR.public))
    assert report.divergence is not None
    at = topics[SNAPSHOTS.name][PARTITION][-1].offset
    assert (report.divergence.topic, report.divergence.offset) == (SNAPSHOTS.name, at)


def test_a_manifest_that_nests_without_end() -> None:
    """JSON that exhausts the parser's stack is unreadable as any other."""
    topics = judged({PARTITION: traffic(PARTITION, 100)})
    report, _ = verify(source_of(claiming(topics, b"[" * 200_000)), Order(OPERATOR.public))
    assert report.divergence is not None
    assert "the manifest is unreadable" in report.divergence.what
