"""What a released version of the rules answered, every later worker answers: byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contractnet import codec
from contractnet.chain import chain
from contractnet.envelope import is_proven, open_record
from contractnet.messages import Code, Entry, Event
from contractnet.messages import events as e
from market import Shard, notices_of
from market.snapshot import dump
from tests.market import make_golden
from tests.market.town import OPERATOR, PARTITION, PARTITIONS, outcome_of

NOT_IN_VERSION_1 = {"RulesActivated"}
"""No second version of the rules exists that could be activated."""


def records() -> Iterator[dict[str, Any]]:
    """The lines of the file."""
    for line in make_golden.FILE.read_text("utf-8").splitlines():
        yield json.loads(line)


def unhex(text: str | None) -> bytes | None:
    """Bytes of a field that may be null."""
    return None if text is None else bytes.fromhex(text)


def entries_of(record: dict[str, Any]) -> list[Entry]:
    """The ledger entries of a line."""
    return [codec.decode_entry(bytes.fromhex(value)) for value in record["entries"]]


def test_every_byte_is_reproduced() -> None:
    """The same records lead to the same ledger, the same notices and the same chain; a fold of it to the same state."""
    live = Shard(PARTITION, PARTITIONS, OPERATOR.public, is_proven)
    folded = Shard(PARTITION, PARTITIONS, OPERATOR.public, is_proven)
    for record in records():
        headers = [(name, bytes.fromhex(value)) for name, value in record["headers"]]
        key, value = unhex(record["key"]), unhex(record["value"])
        submission = open_record(record["offset"], record["stamped_at_ms"], key, value, headers)
        entries = live.apply(submission)
        stored = [codec.encode(entry) for entry in entries]
        where = f"offset {record['offset']}"
        assert [value.hex() for value in stored] == record["entries"], where
        assert [codec.encode(notice).hex() for notice in notices_of(entries)] == record["notices"], where
        for entry, value in zip(entries_of(record), stored, strict=True):
            live.head = chain(live.head, PARTITION, entry.source.offset, entry.source.index, submission.digest, value)
            folded.fold(submission.market or "", entry)
        folded.head = live.head
        assert live.head.hex() == record["head"], where
    assert dump(live) == dump(folded)


def test_the_session_covers_the_rules() -> None:
    """300 records or more, with every kind of event and every outcome of this version in them."""
    events: list[Event] = [entry.event for record in records() for entry in entries_of(record)]
    assert sum(1 for _ in records()) >= 300
    assert {type(event).__name__ for event in events} == {k.__name__ for k in Event.__subclasses__()} - NOT_IN_VERSION_1
    assert {outcome_of(event) for event in events} - {None} == set(Code) - {Code.UNSPECIFIED}
    assert sum(isinstance(event, e.AwardMade) for event in events) >= 30


def test_a_released_version_is_never_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The script refuses to overwrite the file."""
    before = make_golden.FILE.read_bytes()
    assert make_golden.main() == 1
    assert "never written again" in capsys.readouterr().out
    assert make_golden.FILE.read_bytes() == before


def test_the_session_can_be_made_again() -> None:
    """The session has no clock and no randomness of its own: made twice, it is the same."""
    first, second = make_golden.session(), make_golden.session()
    assert make_golden.lines(first) == make_golden.lines(second)
