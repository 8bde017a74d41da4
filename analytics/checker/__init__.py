"""The rules checked a second time, from commands and ledger as stored and by other code than market/.

Written from DESIGN, the reference values and the schemas. It decides of each command whether it is proven and whether a
rule speaks against it (outcomes.py, refusals.py), and what an accepted one leads to (asks.py).
Events it takes as plain dictionaries, and raises BrokenRuleError for the first thing that does not add up: double
entry, holds that resolve once, one outcome a command, bids before the deadline, one award a slot, winners and critical
values (prices.py), capacity at each instant, keys, and the chain.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from analytics.checker.asks import check_asked, check_complete, check_due
from analytics.checker.books import Book
from analytics.checker.case import Case
from analytics.checker.outcomes import (
    ACCEPTED,
    OUTCOMES,
    Verifier,
    check_before_rules,
    check_by_rules,
    genesis_refusal,
    is_proven,
    kind_of,
    verdict,
)
from analytics.checker.parts import BrokenRuleError, need, tag_of
from contractnet.messages.commands import Tick
from contractnet.messages.partition import partition_of
from contractnet.messages.submission import Submission

STEP_MS_MAX = 60_000
"""How far one record may move market time."""

__all__ = ["BrokenRuleError", "Checker"]


@dataclass(slots=True)
class Checker:
    """One partition's ledger. For each command: `begin`, `take` each of its records in order, `end`.

    `verifier` says whether a signature holds in the market with some genesis hash, and is no part of market/ either.
    """

    partition: int
    partitions: int
    operator_key: bytes
    verifier: Verifier
    head: bytes = bytes(32)
    books: dict[str, Book] = field(default_factory=dict)
    checked: int = 0
    proven: int = 0
    """Commands whose signature holds, or of whose market none is asked."""
    _offset: int = -1
    _told: Submission | None = None
    _ident: bytes = b""
    _key: bytes = b""
    _at_ms: int = 0
    _case: Case | None = None
    """The command of the record at hand, once it is accepted."""
    _before: bytes = b""
    _index: int = 0
    _outcomes: int = 0

    def load(self, state: bytes) -> None:
        """Begin with canonical state bytes, whose signature somebody else has checked."""
        plain = json.loads(state)
        self._offset = plain["next_offset"] - 1
        self.head = bytes.fromhex(plain["head"])
        self.books = {m["name"]: Book.from_plain(m) for m in plain["markets"]}

    def begin(self, told: Submission, head: bytes) -> None:
        """The next command as stored; `head` is the chain head before it as the ledger had it."""
        need(told.offset > self._offset, f"command {told.offset} comes after {self._offset}")
        need(head == self.head, "the chain goes on from its last head")
        self._offset, self._told, self._before = told.offset, told, head
        self._ident, self._key = told.command_id, (told.market or "").encode()
        self._at_ms = told.stamped_at_ms
        book = self._book()
        if book is not None:
            self._at_ms = max(book.now_ms, min(told.stamped_at_ms, book.now_ms + STEP_MS_MAX))
        self._case = None
        self._index = self._outcomes = 0

    def take(
        self, key: bytes, timestamp: int, headers: list[Any], value: bytes, kind: str, event: dict[str, Any]
    ) -> None:
        """One ledger record of the command. Raises BrokenRuleError."""
        source, told = event["source"], self._told
        assert told is not None, "a command begins before it has records"
        need((source["offset"], source["index"]) == (self._offset, self._index), "its source is its place")
        need(timestamp == source["at_ms"], "its timestamp is market time")
        need(timestamp == self._at_ms, "market time is the stamp, a minute after the last one at most")
        need(source["command"] == self._ident, "its source is the id of its command")
        need(key == self._key, "it lies with the market of its command")
        place = struct.pack(">iqi", self.partition, self._offset, self._index)
        self.head = hashlib.sha256(self.head + place + told.digest + value).digest()
        need(headers == [("chain", self.head)], "its chain follows from what lies before it")
        self._index += 1
        self._apply(kind, event, source, told)
        self.checked += 1

    def end(self) -> None:
        """The command has no more records."""
        assert self._told is not None, "a command begins before it ends"
        wanted = 0 if isinstance(self._told.command, Tick) else 1
        need(self._outcomes == wanted, "a command has one outcome, and a tick none")
        if self._case is not None:
            check_complete(self._case)
        book = self._book()
        if book is not None and self._index:
            book.end_command()

    def look_over(self) -> None:
        """What must hold of each market between two commands."""
        for book in self.books.values():
            book.look_over()

    def agree(self, state: bytes) -> None:
        """Balances, holds, open CFPs, leases and keys are those of canonical state bytes."""
        plain = {m["name"]: m for m in json.loads(state)["markets"]}
        need(set(plain) == set(self.books), "both know the same markets")
        for name, book in self.books.items():
            book.agree(plain[name])

    def _book(self) -> Book | None:
        """The market of the command at hand, if there is one."""
        assert self._told is not None
        return None if self._told.market is None else self.books.get(self._told.market)

    def _apply(self, kind: str, event: dict[str, Any], source: dict[str, Any], told: Submission) -> None:
        book = self._book()
        asked = self._case is not None or kind in OUTCOMES or kind == "MarketOpened"
        need(source["cause"] == ("COMMAND" if asked else "DUE"), "what is due comes before the outcome, the rest after")
        if kind == "MarketOpened":
            book = self._open(event, source, told)
        if kind in OUTCOMES:
            self._outcomes += 1
            self._outcome(kind, event, told, book)
        elif self._case is None:
            check_due(kind, event)
        need(book is not None or kind in OUTCOMES, "without a market there are outcomes alone")
        if book is not None and kind != "MarketOpened":
            if kind == "ClockJumped":
                jumped = self._at_ms < told.stamped_at_ms == event["stamped_at_ms"]
                need(jumped, "the clock jumps where the stamp is more than a minute ahead")
            book.take(kind, event, source, self._before)
        if self._case is not None and kind not in OUTCOMES:
            check_asked(self._case, kind, event)

    def _open(self, event: dict[str, Any], source: dict[str, Any], told: Submission) -> Book:
        """A genesis: the signature holds, and nothing else speaks against it."""
        need(self._book() is None, "a market is opened once")
        need(event["operator_key"] == self.operator_key, "only the trusted operator opens markets")
        need(self._verdict(told, None) == ("", ""), "a genesis is proven, and lies on its market's partition")
        need(not self._genesis_refusal(told), "a genesis is the operator's, and knows partitions and rules")
        assert told.market is not None
        assert told.credentials is not None
        book = self.books[told.market] = Book.opened(event, source, hashlib.sha256(told.value).digest())
        public = told.credentials.key
        self._case = Case(book, told.command, "OpenMarket", self._ident, self._at_ms, public, None)
        return book

    def _outcome(self, kind: str, event: dict[str, Any], told: Submission, book: Book | None) -> None:
        """The outcome is the one that follows from the command, its key and the rules."""
        credentials = told.credentials
        if self._case is not None:
            assert credentials is not None
            who = (event["account"], event["key"], event["sequence"], event["kind"])
            same = kind == ACCEPTED and who == (None, credentials.key, credentials.sequence, "OpenMarket")
            need(same, "a market that was opened was asked for")
            self._case.book.keys[credentials.key].remember(credentials.sequence, tag_of(self._ident), "ACCEPTED")
            return
        found = self._verdict(told, book)
        if found == ("", "") and book is None:
            code = self._genesis_refusal(told)
            need(code != "", "a genesis with nothing against it opens its market")
            found = ("CommandRejected", code)
        if found != ("", ""):
            check_before_rules(found, kind, event, told, book)
            return
        assert book is not None
        assert credentials is not None
        sender = book.keys[credentials.key].account
        case = Case(book, told.command, kind_of(told), self._ident, self._at_ms, credentials.key, sender)
        check_by_rules(case, kind, event, credentials.sequence)
        self._case = case if kind == ACCEPTED else None

    def _verdict(self, told: Submission, book: Book | None) -> tuple[str, str]:
        proven = is_proven(told, book, self.verifier)
        self.proven += proven
        home = told.market is not None and partition_of(told.market, self.partitions) == self.partition
        return verdict(told, self._ident, book, self._at_ms, proven=proven, home=home)

    def _genesis_refusal(self, told: Submission) -> str:
        return genesis_refusal(told, self.partitions, self.operator_key)
