"""Decoding: the fast way and the codec agree, bit for bit."""

from __future__ import annotations

import json
import random
import shutil
import struct
from pathlib import Path

import pytest

from contractnet import codec
from contractnet.codec import HEADER_BYTES, Registry, encode, schema_dir
from contractnet.errors import UnreadableValueError
from contractnet.messages import Cause, Claim, Code, Entry, Priority, Source
from contractnet.messages import events as ev
from projections import decode as decoding
from projections.decode import LedgerRecord, decode
from tests.projections.generator import History

SIGNALLING_NAN = struct.pack("<Q", 0x7FF0000000000001)
HARD_BITS = (bytes(16), b"\xff" * 16, SIGNALLING_NAN * 2, struct.pack("<dd", -0.0, float("inf")), bytes(range(16)))


def as_records(values: list[bytes]) -> list[LedgerRecord]:
    """Values as one partition would return them."""
    return [LedgerRecord(0, offset, b"m", value, None) for offset, value in enumerate(values)]


def test_fast_and_slow_decoding_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all event types, pyruhvro's batches and the codec's records give equal tables."""
    records = as_records([encode(entry) for entry in History("m", 9).take(6000)])
    fast = decode(records)
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "_fast", lambda *_: None)
        slow = decode(records)
    assert fast.tables.keys() == slow.tables.keys() == {cls.__name__ for cls in ev.Event.__subclasses__()}
    for name, table in fast.tables.items():
        assert table.equals(slow.tables[name]), name


@pytest.mark.parametrize("bits", HARD_BITS)
def test_ids_keep_every_bit(bits: bytes) -> None:
    """An id that would be a NaN, an infinity or -0.0 as a double comes out as it went in."""
    source = Source(2**62, 2**31 - 1, bits, 0, Cause.DUE)
    claim = Claim(Priority.LOW, -(2**63), 2**63 - 1)
    event = ev.BidPlaced(bits, bits, bits, 2**63 - 1, -(2**31), 0, "t", bits * 2, claim)
    table = decode(as_records([encode(Entry(source, event))])).tables["BidPlaced"]
    [row] = table.to_pylist()
    assert {row[name] for name in ("command", "bid", "cfp", "account")} == {bits}
    assert row["pass_hash"] == bits * 2
    assert row["claim"] == {"priority": "LOW", "deadline_at_ms": -(2**63), "expected_value_points": 2**63 - 1}


def test_damaged_records_are_told_apart_as_the_codec_does() -> None:
    """Whatever is flipped in or cut off a record, it becomes a row if and only if the codec takes it and its numbers
    fit their types."""
    rng = random.Random(5)
    values = [encode(entry) for entry in History("m", 5).take(2000)]
    refused = 0
    for _ in range(3000):
        value = bytearray(rng.choice(values))
        for _ in range(rng.randint(1, 3)):
            value[rng.randrange(HEADER_BYTES, len(value))] = rng.choice([0, 1, 0x80, 0xFF])
        value = value[: rng.choice([len(value), rng.randrange(HEADER_BYTES, len(value))])]
        damaged = bytes(value) + rng.choice([b"", b"", b"more"])
        try:
            codec.decode_entry(damaged)
        except UnreadableValueError:
            refused += 1
            assert len(decode(as_records([damaged])).unreadable) == 1
        else:
            reasons = [entry.reason for entry in decode(as_records([damaged])).unreadable]
            assert reasons in ([], [decoding.OUT_OF_RANGE])
    assert 500 < refused < 2900


def test_numbers_beyond_their_type_are_no_row() -> None:
    """A number that the codec reads but its type cannot hold is kept aside; the records beside it are rows."""
    good = encode(Entry(Source(0, 0, bytes(16), 5, Cause.COMMAND), ev.ClockAdvanced()))
    too_large = b"\xfe\xff\xff\xff\xff\x01"
    bad = good[: HEADER_BYTES + 1] + too_large + good[HEADER_BYTES + 2 :]
    assert isinstance(codec.decode_entry(bad), Entry)
    decoded = decode(as_records([good, good, bad, good]))
    assert [(e.record.offset, e.reason) for e in decoded.unreadable] == [(2, decoding.OUT_OF_RANGE)]
    assert decoded.tables["ClockAdvanced"].column("ledger_offset").to_pylist() == [0, 1, 3]


def test_absent_values_stay_absent() -> None:
    """An optional id, key or claim that is not there is null, also beside one that is."""
    source = Source(0, 0, bytes(16), 0, Cause.COMMAND)
    given = ev.CommandRejected(Code.BAD_NAME, "", bytes(16), bytes(32), 0, "x")
    absent = ev.CommandRejected(Code.BAD_NAME, "", None, None, None, "x")
    table = decode(as_records([encode(Entry(source, e)) for e in (given, absent)])).tables["CommandRejected"]
    assert [row["account"] for row in table.to_pylist()] == [bytes(16), None]
    assert [row["key"] for row in table.to_pylist()] == [bytes(32), None]
    assert [row["sequence"] for row in table.to_pylist()] == [0, None]


def test_entries_of_an_archived_schema_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value written with an older schema is resolved to the newest one; new fields get their defaults."""
    shutil.copytree(schema_dir(), tmp_path / "schemas")
    schema = json.loads((tmp_path / "schemas/events/BidPlaced.avsc").read_text("utf-8"))
    older = {**schema, "fields": [f for f in schema["fields"] if f["name"] != "claim"]}
    archive = tmp_path / "schemas/archive/events"
    archive.mkdir(parents=True, exist_ok=True)
    (archive / "BidPlaced.1.avsc").write_text(json.dumps(older), "utf-8")
    registry = Registry(tmp_path / "schemas")
    monkeypatch.setattr(codec, "registry", lambda: registry)
    monkeypatch.setattr(decoding, "registry", lambda: registry)
    decoding._layout.cache_clear()
    decoding._newest.cache_clear()
    event = ev.BidPlaced(bytes(16), bytes(16), bytes(16), 7, 1000, 0, "t", bytes(32), None)
    # Without claim, the last field: the older encoding is one byte (its union index) shorter, and is what is written.
    old_value = encode(Entry(Source(0, 0, bytes(16), 5, Cause.COMMAND), event))
    assert old_value.startswith(b"\xc3\x01" + codec.schema_fingerprint(older))
    value = registry.newest[ev.BidPlaced][0] + old_value[HEADER_BYTES:] + b"\x00"
    decoded = decode(as_records([value, old_value]))
    assert not decoded.unreadable
    rows = decoded.tables["BidPlaced"].sort_by("ledger_offset").to_pylist()
    assert rows[0].pop("ledger_offset") == 0
    assert rows[1].pop("ledger_offset") == 1
    assert rows[0] == rows[1]


@pytest.fixture(autouse=True)
def _fresh_layouts() -> None:
    """Layouts are cached by fingerprint; a test with a registry of its own must leave none behind."""
    decoding._layout.cache_clear()
    decoding._newest.cache_clear()


def test_a_market_name_that_is_no_text_is_escaped() -> None:
    """Record keys come from agents; whatever bytes they are, the row has a name that SQL can hold."""
    assert decoding.market_name(b"caf\xc3\xa9") == "caf\u00e9"
    assert decoding.market_name(b"\xff\x00") == "\\xff\x00"
    assert decoding.market_name(None) is decoding.market_name(b"") is None
