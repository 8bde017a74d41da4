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
from contractnet.messages import notices as n
from contractnet.sealing import values_of
from market import Shard, told
from market.rules import RULES
from market.snapshot import dump
from tests.market import make_golden
from tests.market.town import OPERATOR, PARTITION, PARTITIONS, outcome_of

VERSIONS = sorted(RULES)
NEVER_THERE = {"RulesActivated"}
"""Each session keeps to one version."""
BUDGETS = {"BudgetSet", "BudgetCleared", "BudgetToppedUp", "BudgetWarned", "BudgetWindowStarted"}
DECISIONS = {"AwardDeferred", "CfpRefused", "DecisionOpened"}
NEGOTIATIONS = {"NegotiationOpened", "NegotiationJoined", "OfferMade", "OffersOpened", "NegotiationClosed"}
GROUPS = {"BidGrouped", "HoldResized"}
INVITATIONS = {"AccountInvited"}
PURCHASES = {"PurchaseOpened", "UnitsOffered", "WorkReported"}
OF_6 = GROUPS | INVITATIONS | NEGOTIATIONS | PURCHASES
OF_7 = {
    "PolicySet",
    "PriorityChanged",
    "StandingOrderEnded",
    "StandingOrderPlaced",
    "TokenPoolCleared",
    "TokenPoolCreated",
    "TokenPoolResized",
    "TokenRateChanged",
    "TokensGranted",
    "UsageReported",
}
OF_8 = {"DepositSet"}
OF_9 = {"DecayOwed", "LeaseClaimed", "ResaleCallSet"}
EVENTS_LATER = {
    1: {"KeyExpires", "OperatorKeyRotated"} | BUDGETS | DECISIONS | OF_6 | OF_7 | OF_8 | OF_9,
    3: BUDGETS | DECISIONS | OF_6 | OF_7 | OF_8 | OF_9,
    4: DECISIONS | OF_6 | OF_7 | OF_8 | OF_9,
    5: OF_6 | OF_7 | OF_8 | OF_9,
    6: OF_7 | OF_8 | OF_9,
    7: OF_8 | OF_9,
    8: OF_9,
    9: set[str](),
    10: set[str](),
    11: set[str](),
}
OF_BUDGETS = {Code.BAD_BUDGET, Code.UNKNOWN_BUDGET, Code.BUDGET_EXCEEDED}
OF_DECISIONS = {
    Code.BAD_PRICING,
    Code.NOT_MANAGED,
    Code.CFP_OPEN,
    Code.BID_BINDING,
    Code.BELOW_RESERVE,
    Code.NO_CAPACITY,
    Code.OUT_OF_SEQUENCE,
}
OF_NEGOTIATIONS = {
    Code.UNKNOWN_NEGOTIATION,
    Code.NEGOTIATION_CLOSED,
    Code.NOT_A_PARTY,
    Code.BAD_COUNTERPART,
    Code.LEASE_IN_NEGOTIATION,
    Code.BAD_ISSUES,
    Code.BAD_ROUNDS,
    Code.BAD_OFFER,
    Code.ABOVE_CAP,
    Code.NOT_MONOTONIC,
    Code.OUT_OF_TURN,
    Code.ROUND_OVER,
    Code.WRONG_PROTOCOL,
}
CODES_OF_6 = OF_NEGOTIATIONS | {
    Code.BAD_GROUP,
    Code.GROUP_DIFFERS,
    Code.GROUP_WON,
    Code.NOT_INVITED,
    Code.BAD_INVITATION,
}
CODES_OF_7 = {
    Code.ISSUE_EXCEEDED,
    Code.BAD_TOKENS,
    Code.UNKNOWN_ORDER,
    Code.UNKNOWN_GRANT,
    Code.GRANT_SPENT,
    Code.NO_TOKENS,
    Code.NOT_SYSTEM,
}
CODES_OF_9 = set[Code]()
CODES_LATER = {
    1: OF_BUDGETS | OF_DECISIONS | CODES_OF_6 | CODES_OF_7 | CODES_OF_9,
    3: OF_BUDGETS | OF_DECISIONS | CODES_OF_6 | CODES_OF_7 | CODES_OF_9,
    4: OF_DECISIONS | CODES_OF_6 | CODES_OF_7 | CODES_OF_9,
    5: CODES_OF_6 | CODES_OF_7 | CODES_OF_9,
    6: CODES_OF_7 | CODES_OF_9,
    7: CODES_OF_9,
    8: CODES_OF_9,
    9: set[Code](),
    10: set[Code](),
    11: set[Code](),
}
"""What earlier versions did not know."""


def records(version: int) -> Iterator[dict[str, Any]]:
    """The lines of a version's file."""
    for line in make_golden.file_of(version).read_text("utf-8").splitlines():
        yield json.loads(line)


def unhex(text: str | None) -> bytes | None:
    """Bytes of a field that may be null."""
    return None if text is None else bytes.fromhex(text)


def entries_of(record: dict[str, Any]) -> list[Entry]:
    """The ledger entries of a line."""
    return [codec.decode_entry(bytes.fromhex(value)) for value in record["entries"]]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_byte_is_reproduced(version: int) -> None:
    """The same records lead to the same ledger, the same notices and the same chain; a fold of it to the same state."""
    live = Shard(PARTITION, PARTITIONS, OPERATOR.public, is_proven)
    folded = Shard(PARTITION, PARTITIONS, OPERATOR.public, is_proven)
    for record in records(version):
        headers = [(name, bytes.fromhex(value)) for name, value in record["headers"]]
        key, value = unhex(record["key"]), unhex(record["value"])
        submission = open_record(record["offset"], record["stamped_at_ms"], key, value, headers)
        entries = live.apply(submission)
        stored = [codec.encode(entry) for entry in entries]
        where = f"offset {record['offset']}"
        assert [value.hex() for value in stored] == record["entries"], where
        notices = values_of(told(live, submission.market, entries)) if entries else []
        assert [value.hex() for value in notices] == record["notices"], where
        for entry, value in zip(entries_of(record), stored, strict=True):
            live.head = chain(live.head, PARTITION, entry.source.offset, entry.source.index, submission.digest, value)
            folded.fold(submission.market or "", entry)
        folded.head = live.head
        assert live.head.hex() == record["head"], where
    assert dump(live) == dump(folded)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_session_covers_the_rules(version: int) -> None:
    """300 records or more, with every kind of event and every outcome of this version in them."""
    events: list[Event] = [entry.event for record in records(version) for entry in entries_of(record)]
    assert sum(1 for _ in records(version)) >= 300
    kinds = {k.__name__ for k in Event.__subclasses__()} - NEVER_THERE - EVENTS_LATER[version]
    assert {type(event).__name__ for event in events} == kinds
    codes = set(Code) - {Code.UNSPECIFIED} - CODES_LATER[version]
    assert {outcome_of(event) for event in events} - {None} == codes
    assert sum(isinstance(event, e.AwardMade) for event in events) >= 30


def test_private_notices_begin_with_version_3() -> None:
    """No record of version 1 has one; many of version 3 have."""
    sealed = {
        version: sum(
            isinstance(codec.decode_notice(bytes.fromhex(value)), n.SealedNotice)
            for record in records(version)
            for value in record["notices"]
        )
        for version in VERSIONS
    }
    assert sealed[1] == 0
    assert sealed[3] >= 300


def test_a_released_version_is_never_written_again(capsys: pytest.CaptureFixture[str]) -> None:
    """The script refuses to overwrite a file."""
    before = [make_golden.file_of(version).read_bytes() for version in VERSIONS]
    assert make_golden.main() == 1
    assert "never written again" in capsys.readouterr().out
    assert [make_golden.file_of(version).read_bytes() for version in VERSIONS] == before


def test_the_session_can_be_made_again() -> None:
    """The session has no clock and no randomness of its own: made again, it is the file. The newest has every part."""
    newest = max(VERSIONS)
    assert make_golden.lines(newest) == make_golden.file_of(newest).read_text("utf-8").splitlines()
