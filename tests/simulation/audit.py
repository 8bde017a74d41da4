"""Watches the log as it grows: every committed record is what judging the commands again gives, byte for byte.

Reads the log only. The market is run again from nothing, command by command; the books are kept from what was written.
"""

from __future__ import annotations

from collections import Counter, deque

from contractnet.chain import CHAIN_START, chain
from contractnet.codec import encode
from contractnet.envelope import is_proven, open_record
from contractnet.messages import Entry
from contractnet.messages.commands import Tick
from contractnet.sealing import values_of
from contractnet.topics import COMMANDS, LEDGER, NOTICES
from market import Shard, told
from market.invariants import violations
from market.snapshot import dump
from streams.restore import CHAIN_HEADER
from tests.market.town import NAME, OPERATOR, PARTITION, PARTITIONS, outcome_of
from tests.simulation.books import Books
from tests.simulation.memory import MemoryLog

Row = tuple[bytes | None, bytes | None, int, bytes, Entry | None]
"""Key, value, timestamp and chain head (empty for notices) of a record, and the entry that it has to be."""


class Audit:
    """Follows one partition's commands, ledger and notices."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.shard = Shard(PARTITION, PARTITIONS, OPERATOR.public, is_proven, head=CHAIN_START)
        self.books = Books()
        self.codes: Counter[str] = Counter()
        self.outcomes: Counter[int] = Counter()
        self.judged = 0
        self._asked: list[int] = []
        self._heads: dict[int, bytes] = {}
        self._next = {LEDGER.name: 0, NOTICES.name: 0}
        self._expected: dict[str, deque[Row]] = {LEDGER.name: deque(), NOTICES.name: deque()}

    def check(self) -> None:
        """Look at all that was committed since the last time. Raises AssertionError for whatever does not fit."""
        for topic in (LEDGER.name, NOTICES.name):
            for record in self.log.committed(topic, PARTITION, self._next[topic]):
                self._next[topic] = record.offset + 1
                while not self._expected[topic]:
                    assert self._judge_next(), f"{topic}: a record that no command explains"
                headers = dict(record.headers)
                row = (record.key, record.value, record.timestamp, headers.get(CHAIN_HEADER) or b"")
                *expected, entry = self._expected[topic].popleft()
                assert row == tuple(expected), f"{topic}[{record.offset}] diverges"
                if entry is not None:
                    self._write_down(record.key, entry)
        assert not self._expected[LEDGER.name], "a command's entries are torn"
        assert not self._expected[NOTICES.name], "a command's notices are torn"
        self.books.check()

    def _judge_next(self) -> bool:
        """Judge the next stored command again; False at the end."""
        found = self.log.stored(COMMANDS.name, PARTITION, self.judged, 1)
        if not found:
            return False
        r = found[0]
        self.judged = r.offset + 1
        submission = open_record(r.offset, r.timestamp, r.key, r.value, r.headers)
        if not isinstance(submission.command, Tick):
            self._asked.append(r.offset)
        self._heads[r.offset] = self.shard.head
        entries = self.shard.apply(submission)
        key = (submission.market or "").encode()
        for entry in entries:
            value, source = encode(entry), entry.source
            head = chain(self.shard.head, PARTITION, source.offset, source.index, submission.digest, value)
            self.shard.head = head
            self._expected[LEDGER.name].append((key, value, source.at_ms, head, entry))
        for value in values_of(told(self.shard, submission.market, entries)) if entries else ():
            self._expected[NOTICES.name].append((key, value, entries[-1].source.at_ms, b"", None))
        return True

    def _write_down(self, key: bytes | None, entry: Entry) -> None:
        code = outcome_of(entry.event)
        if code is not None:
            self.outcomes[entry.source.offset] += 1
            assert self.outcomes[entry.source.offset] == 1, "a command has two outcomes"
            self.codes[code] += 1
        if key == NAME.encode():
            self.books.head = self._heads[entry.source.offset]
            self.books.take(entry)
        else:
            self.books.events[type(entry.event).__name__] += 1

    def compare(self, live: Shard) -> None:
        """The live state is that of judging everything again, and sound."""
        assert live.head == self.shard.head, "the live chain is not the ledger's"
        assert live.next_offset == self.shard.next_offset, "the live position is not the ledger's"
        assert dump(live) == dump(self.shard), "the live state is not the ledger's"
        for state in live.markets.values():
            assert not violations(state), violations(state)

    def unanswered(self) -> list[int]:
        """Offsets of data records, ticks aside, that have no outcome."""
        while self._judge_next():
            pass
        return [offset for offset in self._asked if not self.outcomes[offset]]
