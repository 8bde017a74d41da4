"""The records behind an award: which commands asked for it, who signed them, and the chain head that draws ties."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from analytics.award import Case
from analytics.verify.source import RecordSource, StoredRecord
from contractnet import codec
from contractnet.envelope import is_proven, open_record
from contractnet.messages import Entry, Event
from contractnet.messages import events as e
from contractnet.topics import COMMANDS, LEDGER

_CHAIN = "chain"
_GENESIS = "SELECT genesis_hash FROM markets WHERE market = $market"
_SIGNER = """
SELECT coalesce(accounts.name, 'the operator') FROM keys LEFT JOIN accounts USING (market, account_id)
WHERE market = $market AND signing_key = $key
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """A command that led to an event of the award: what it was, where both are stored, and whose signature it has."""

    what: str
    ledger_offset: int
    command_offset: int
    record_sha256: str
    key: str | None
    by: str
    """Whose key it is, by name; nobody's where the market does not know it."""
    holds: bool
    """Whether the signature is one of that key over the command as it is stored."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of an award: the commands of its call and its bid, the chain head before the record that awarded, and after the
    award."""

    signed: list[Signed]
    head_before: bytes
    head_after: bytes

    def draw(self, cfp_id: str, who: bytes) -> str:
        """What a budget root (its name) or an account (its id) drew in ties of a call, hex: the smallest is first
        (docs/decisions/0005, 0029)."""
        return hashlib.sha256(self.head_before + bytes.fromhex(cfp_id) + who).hexdigest()


def evidence_of(connection: duckdb.DuckDBPyConnection, source: RecordSource, case: Case) -> Evidence:
    """Read what is stored of an award's call, from its opening to the award. Raises ValueError where it is not there,
    and what the source raises."""
    partition = case.award["partition"]
    entries = _entries(source, case)
    places = {what: stored for stored in entries if (what := _what(case, stored.entry.event)) is not None}
    if "award" not in places:
        raise ValueError(f"partition {partition} of the ledger has no award {case.award['award_id']}")
    offsets = {stored.entry.source.offset for stored in places.values()}
    commands = {r.offset: r for r in _between(source, COMMANDS.name, partition, min(offsets), max(offsets))}
    made = places["award"]
    # The market draws before the record that settles: by the head after the last record of another command.
    before = [s.head for s in entries if s.offset < made.offset and s.entry.source.offset != made.entry.source.offset]
    signed = [
        _signed(connection, case.market, what, stored.offset, commands[stored.entry.source.offset])
        for what, stored in places.items()
        if stored.entry.source.offset in commands
    ]
    return Evidence(signed, before[-1], made.head)


@dataclass(frozen=True, slots=True)
class _Stored:
    """An entry of the ledger, and the chain head after it."""

    offset: int
    entry: Entry
    head: bytes


def _entries(source: RecordSource, case: Case) -> list[_Stored]:
    """What a call's partition has from its opening to the award."""
    found = []
    first, last = case.cfp["ledger_offset"], case.award["ledger_offset"]
    for record in _between(source, LEDGER.name, case.award["partition"], first, last):
        head = next((held for name, held in record.headers if name == _CHAIN and held is not None), b"")
        found.append(_Stored(record.offset, codec.decode_entry(record.value), head))
    return found


def _what(case: Case, event: Event) -> str | None:
    """What an event is to the award, if anything."""
    match event:
        case e.CfpOpened(cfp=ident) if ident.hex() == case.cfp["cfp_id"]:
            return "call"
        case e.BidPlaced(bid=ident) if ident.hex() == case.award["bid_id"]:
            return "bid"
        case e.AwardMade(award=ident) if ident.hex() == case.award["award_id"]:
            return "award"
    return None


def _between(source: RecordSource, topic: str, partition: int, first: int, last: int) -> Iterator[StoredRecord]:
    for record in source.read(topic, partition, first):
        if record.offset > last:
            return
        yield record


def _signed(
    connection: duckdb.DuckDBPyConnection, market: str, what: str, ledger_offset: int, record: StoredRecord
) -> Signed:
    submission = open_record(record.offset, record.timestamp, record.key, record.value, record.headers)
    credentials = submission.credentials
    digest = submission.digest.hex()
    if credentials is None:
        return Signed(what, ledger_offset, record.offset, digest, None, "", holds=False)
    key = credentials.key.hex()
    [(genesis,)] = connection.execute(_GENESIS, {"market": market}).fetchall()
    signer = connection.execute(_SIGNER, {"market": market, "key": key}).fetchone()
    proven = is_proven(submission, bytes.fromhex(genesis))
    return Signed(what, ledger_offset, record.offset, digest, key, str(signer[0]) if signer else "nobody", holds=proven)
