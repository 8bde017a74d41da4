"""The rules checked a second time, from the ledger as stored and by other code than market/.

Written from DESIGN, the reference values and the schemas. It works on plain dictionaries, decides nothing, and raises
BrokenRuleError for the first thing that does not add up: double entry, holds that resolve once, one outcome a command,
bids before the deadline, one award a slot, winners and critical values (checker_prices.py), capacity at each instant,
keys, and the chain.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from analytics.checker_books import Book
from analytics.checker_parts import BrokenRuleError, need
from contractnet.messages.partition import partition_of

OUTCOMES = {"CommandAccepted", "CommandRejected", "CommandRepeated", "CommandUnreadable"}

__all__ = ["BrokenRuleError", "Checker"]


@dataclass(slots=True)
class Checker:
    """One partition's ledger. For each command: `begin`, `take` each of its records in order, `end`."""

    partition: int
    partitions: int
    operator_key: bytes
    head: bytes = bytes(32)
    books: dict[str, Book] = field(default_factory=dict)
    checked: int = 0
    _offset: int = -1
    _tick: bool = False
    _digest: bytes = b""
    _before: bytes = b""
    _index: int = 0
    _outcomes: int = 0
    _markets: set[bytes] = field(default_factory=set)

    def load(self, state: bytes) -> None:
        """Begin with canonical state bytes, whose signature somebody else has checked."""
        plain = json.loads(state)
        self._offset = plain["next_offset"] - 1
        self.head = bytes.fromhex(plain["head"])
        self.books = {m["name"]: Book.from_plain(m) for m in plain["markets"]}

    def begin(self, offset: int, is_tick: bool, digest: bytes, head: bytes) -> None:
        """The next command: where it lies, whether it is a tick, and the SHA-256 of its record as stored.

        `head` is the chain head before it as the ledger had it.
        """
        need(offset > self._offset, f"command {offset} comes after {self._offset}")
        need(head == self.head, "the chain goes on from its last head")
        self._offset, self._tick, self._digest, self._before = offset, is_tick, digest, head
        self._index = self._outcomes = 0
        self._markets.clear()

    def take(
        self, key: bytes, timestamp: int, headers: list[Any], value: bytes, kind: str, event: dict[str, Any]
    ) -> None:
        """One ledger record of the command. Raises BrokenRuleError."""
        source = event["source"]
        need(source["offset"] == self._offset, f"its source is command {source['offset']}, not {self._offset}")
        need(source["index"] == self._index, f"its index is {source['index']}, not {self._index}")
        need(timestamp == source["at_ms"], "its timestamp is market time")
        place = struct.pack(">iqi", self.partition, self._offset, self._index)
        self.head = hashlib.sha256(self.head + place + self._digest + value).digest()
        need(headers == [("chain", self.head)], "its chain follows from what lies before it")
        self._index += 1
        self._markets.add(key)
        self._outcomes += kind in OUTCOMES
        self._apply(key, kind, event, source)
        self.checked += 1

    def end(self) -> None:
        """The command has no more records."""
        wanted = 0 if self._tick else 1
        need(self._outcomes == wanted, f"command {self._offset} has {self._outcomes} outcomes, not {wanted}")
        need(len(self._markets) <= 1, "a command concerns one market")
        for key in self._markets:
            book = self.books.get(key.decode("utf-8", "replace"))
            if book is not None:
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

    def _apply(self, key: bytes, kind: str, event: dict[str, Any], source: dict[str, Any]) -> None:
        name = key.decode("utf-8", "replace")
        book = self.books.get(name)
        if kind == "MarketOpened":
            need(book is None, "a market is opened once")
            need(event["operator_key"] == self.operator_key, "only the trusted operator opens markets")
            need(partition_of(name, self.partitions) == self.partition, "a market lives on one partition")
            need(event["partitions"] == self.partitions, "the genesis names the number of partitions")
            self.books[name] = Book.opened(name, event, source)
            return
        if book is None:
            need(kind in {"CommandRejected", "CommandUnreadable"}, f"no {kind} without a market")
            return
        book.take(kind, event, source, self._before)
