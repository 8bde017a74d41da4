"""One partition of the commands topic: its markets, its position, and the answer to each record.

`apply` decides; `fold` repeats what was decided. Both leave the same state behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from contractnet.messages import (
    ZERO_ID,
    Cause,
    Code,
    Credentials,
    Entry,
    Event,
    Source,
    Submission,
)
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import genesis
from market.account import Key
from market.evolve import evolve, opened
from market.limits import (
    CLOCK_ADVANCE_MS,
    CLOCK_STEP_MS_MAX,
    COMMAND_TAG_BYTES,
    DUE_ENTRIES_PER_COMMAND_MAX,
    DUE_PER_COMMAND_MAX,
)
from market.rejection import Rejection
from market.rules import RULES, Context
from market.rules.due import settle
from market.rules.groups import entries_elsewhere
from market.state import State

Verifier = Callable[[Submission, bytes], bool]
"""Whether the signature of a submission holds in the market with this genesis hash."""


@dataclass(slots=True)
class Shard:
    """The markets of one partition.

    `operator_key` is the trusted operator's public key, 32 bytes. `head` is the chain head after the last entry; the
    shell that encodes the entries keeps it.
    """

    partition: int
    partitions: int
    operator_key: bytes
    verifier: Verifier
    head: bytes = bytes(32)
    next_offset: int = 0
    markets: dict[str, State] = field(default_factory=dict)

    def apply(self, submission: Submission) -> list[Entry]:
        """Answer one record: decide, evolve, and return the entries in order. A tick with nothing due has none."""
        assert submission.offset >= self.next_offset, "a record is judged once"
        record = _Record(self, submission)
        record.run()
        return record.entries

    def fold(self, market: str, entry: Entry) -> None:
        """Take one entry of the ledger; `market` is its record's key."""
        self.next_offset = entry.source.offset + 1
        state = self.markets.get(market)
        if state is not None:
            evolve(state, entry)
        elif isinstance(entry.event, e.MarketOpened):
            self.markets[market] = opened(market, entry)

    def due_at_ms(self, market: str) -> int | None:
        """When the next thing of a market falls due, market time."""
        return self.markets[market].due_at_ms


@dataclass(slots=True)
class _Record:
    """One record on its way to its entries."""

    shard: Shard
    submission: Submission
    entries: list[Entry] = field(default_factory=list)
    at_ms: int = 0
    command_id: bytes = ZERO_ID

    def run(self) -> None:
        sub = self.submission
        state = self._state()
        self.at_ms = sub.stamped_at_ms
        self.command_id = sub.command_id
        if state is not None:
            self._advance(state)
        if isinstance(sub.command, c.Tick):
            if state is not None and not self.entries and self.at_ms - state.now_ms >= CLOCK_ADVANCE_MS:
                self._emit(e.ClockAdvanced(), Cause.DUE)
            return
        self._answer(state)

    def _state(self) -> State | None:
        """The market that the record belongs to, where it lies on the right partition."""
        return None if self.submission.market is None else self.shard.markets.get(self.submission.market)

    def _advance(self, state: State) -> None:
        """Move market time to the record's stamp, at most CLOCK_STEP_MS_MAX, and let happen what is due by then."""
        stamped = self.submission.stamped_at_ms
        self.at_ms = max(state.now_ms, min(stamped, state.now_ms + CLOCK_STEP_MS_MAX))
        if stamped > self.at_ms:
            self._emit(e.ClockJumped(stamped_at_ms=stamped), Cause.DUE)
        possible = 0
        for _ in range(DUE_PER_COMMAND_MAX):
            due = state.due_at_ms
            if due is None or due > self.at_ms or len(self.entries) + possible >= DUE_ENTRIES_PER_COMMAND_MAX:
                break
            possible += state.entries_due()
            events = settle(state, state.agenda[0][1], self.at_ms, self.shard.head)
            possible -= entries_elsewhere(events)
            for event in events:
                self._emit(event, Cause.DUE)

    def _answer(self, state: State | None) -> None:
        sub = self.submission
        if sub.unreadable is not None and not self._is_proven(state):
            self._unreadable()
            return
        credentials: Credentials | None = None
        try:
            credentials = self._authenticate(state)
            if state is None:
                assert sub.market is not None
                opening = genesis.open_market(self.shard, sub, credentials)
                self._emit(opening, Cause.COMMAND)
                state = self.shard.markets[sub.market]
                self._accept(state, credentials)
                return
            key = self._known_key(state, credentials)
        except Rejection as no:
            self._reject(no, None, None if credentials is None else credentials.key, None)
            return
        self._judge(state, key, credentials)

    def _authenticate(self, state: State | None) -> Credentials:
        """The credentials of a well-formed record with a valid signature on its own partition."""
        sub = self.submission
        if sub.market is None:
            raise Rejection(Code.BAD_MARKET_NAME)
        if sub.credentials is None:
            raise Rejection(Code.MISSING_SIGNATURE)
        home = genesis.home_of(sub.market, self.shard.partitions)
        if home != self.shard.partition:
            raise Rejection(Code.WRONG_PARTITION, f"it lives on partition {home} of {self.shard.partitions}")
        if state is None and not isinstance(sub.command, c.OpenMarket):
            raise Rejection(Code.UNKNOWN_MARKET)
        if not self._is_proven(state):
            raise Rejection(Code.BAD_SIGNATURE)
        return sub.credentials

    def _is_proven(self, state: State | None) -> bool:
        """Whether the signature holds. A genesis is signed over the zero hash; an unsigned market asks nothing."""
        sub = self.submission
        if sub.credentials is None or sub.market is None:
            return False
        if isinstance(sub.command, c.OpenMarket):
            return self.shard.verifier(sub, bytes(32))
        if state is None:
            return False
        return not state.signed or self.shard.verifier(sub, state.genesis_hash)

    def _known_key(self, state: State, credentials: Credentials) -> Key:
        key = state.keys.get(credentials.key)
        if key is None:
            raise Rejection(Code.UNKNOWN_KEY)
        expired = key.expires_at_ms is not None and self.at_ms >= key.expires_at_ms
        if (key.revoked or expired) and not self._is_repeat(key, credentials):
            raise Rejection(Code.REVOKED_KEY, f"it expired at {key.expires_at_ms}" if expired else "")
        return key

    def _is_repeat(self, key: Key, credentials: Credentials) -> bool:
        """Whether a key that ended has signed this very command before: its first outcome stands."""
        tag, _ = key.seen.get(credentials.sequence, (b"", Code.UNSPECIFIED))
        return self.submission.command is not None and tag == self.command_id[:COMMAND_TAG_BYTES]

    def _judge(self, state: State, key: Key, credentials: Credentials) -> None:
        """A proven command of a live key: replay, then the rules."""
        sub = self.submission
        sequence = credentials.sequence
        if sub.command is None:
            self._unreadable()
            return
        if sequence in key.seen or sequence <= key.floor:
            self._replayed(key, credentials)
            return
        sender = None if key.account is None else state.accounts[key.account]
        ctx = Context(state, self.command_id, self.at_ms, credentials.key, sender)
        try:
            if isinstance(sub.command, c.OpenMarket):
                raise Rejection(Code.MARKET_EXISTS)
            decide = RULES[state.rules_version].get(type(sub.command))
            if decide is None:
                raise Rejection(Code.UNKNOWN_RULES, f"version {state.rules_version} has no such command")
            events = decide(ctx, sub.command)
        except Rejection as no:
            self._reject(no, key.account, credentials.key, sequence)
            return
        self._accept(state, credentials)
        for event in events:
            self._emit(event, Cause.COMMAND)

    def _replayed(self, key: Key, credentials: Credentials) -> None:
        """A sequence that its key has used, or may have used: the same command again gets its first outcome."""
        sequence = credentials.sequence
        tag, code = key.seen.get(sequence, (b"", Code.UNSPECIFIED))
        if tag == self.command_id[:COMMAND_TAG_BYTES]:
            self._emit(e.CommandRepeated(code, key.account or ZERO_ID, credentials.key, sequence), Cause.COMMAND)
            return
        why = f"another command used {sequence}" if tag else f"{sequence} is not above {key.floor}"
        self._reject(Rejection(Code.STALE_SEQUENCE, why), key.account, credentials.key, None)

    def _accept(self, state: State, credentials: Credentials) -> None:
        account = state.keys[credentials.key].account
        kind = type(self.submission.command).__name__
        self._emit(e.CommandAccepted(account, credentials.key, credentials.sequence, kind), Cause.COMMAND)

    def _reject(self, no: Rejection, account: bytes | None, key: bytes | None, sequence: int | None) -> None:
        command = self.submission.command
        kind = "" if command is None else type(command).__name__
        event = e.CommandRejected(no.code, no.detail, account, key, sequence, kind)
        self._emit(event, Cause.COMMAND)

    def _unreadable(self) -> None:
        sub = self.submission
        assert sub.unreadable is not None
        self._emit(
            e.CommandUnreadable(sub.unreadable, len(sub.value), hashlib.sha256(sub.value).digest()), Cause.COMMAND
        )

    def _emit(self, event: Event, cause: Cause) -> None:
        """Number an event, fold it, keep it."""
        sub = self.submission
        entry = Entry(Source(sub.offset, len(self.entries), self.command_id, self.at_ms, cause), event)
        self.shard.fold(sub.market or "", entry)
        self.entries.append(entry)
