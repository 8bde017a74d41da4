"""The owner of one partition of `commands`: judges its records and commits the answers, a batch to a transaction.

Why the answers are written exactly once: `init_transactions` fences every earlier owner and ends its open
transaction; only then the ledger is read at read_committed, and the last entry's source says which command comes
next. Group offsets decide nothing. What did not commit is judged again, from the same state, with the same bytes as
result.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException

from contractnet.access import client_settings
from contractnet.chain import chain
from contractnet.codec import encode
from contractnet.envelope import open_record
from contractnet.messages import Entry, Submission
from contractnet.messages.events import AwardMade, CommandRejected
from contractnet.sealing import values_of
from contractnet.stall import LONG_LIVED
from contractnet.topics import LEDGER, NOTICES
from market import Shard, told
from market.invariants import violations
from streams.log import KAFKA, Log
from streams.restore import CHAIN_HEADER, restore
from streams.settings import Settings
from streams.signatures import SignatureChecks

logger = logging.getLogger(__name__)

# How long one call may be repeated while the broker is away: a restart of the broker must not cost a worker its life.
PATIENCE_S = 20.0
# Much longer than PATIENCE_S, which begins anew where something gets through; the coordinator would abort a transaction
# that is still being retried.
TRANSACTION_TIMEOUT_MS = 90_000
INIT_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 5.0
# The whole state is looked over at most this often; what one entry can break is asserted with every entry.
INVARIANT_INTERVAL_S = 1.0


class CommandRecord(Protocol):
    """A record of the commands topic, as aiokafka delivers it. `timestamp` is LogAppendTime, milliseconds."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]: ...


class TransactionAborted(Exception):
    """The broker wants this transaction aborted; the state has to be rebuilt from the ledger."""


class ProducerStuckError(Exception):
    """Nothing of a transaction has got through for long: only a new writer for the partition helps."""


@dataclass(slots=True)
class Outcome:
    """What a batch came to: counts for the metrics, and `seek` where the records do not follow on from the ledger."""

    commands: int = 0
    entries: int = 0
    awards: int = 0
    commit_s: float = 0.0
    seek: int | None = None
    rejections: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Due:
    """When a market's clock has to tick: what falls due next (None: nothing), and how far its time has come."""

    market: str
    due_at_ms: int | None
    now_ms: int


class PartitionWriter:
    """Judges and commits for one partition. Not for use by two threads at once.

    `turn` is held while it judges: the writers of a process share a lock. They commit side by side, but two threads
    that compute share one interpreter and would only hand its lock to and fro (docs/decisions/0011).

    Raises KafkaException for a fatal or unknown error of Kafka, after which the process must end: the supervisor
    starts a new one, which reads the truth from the ledger. Raises ProducerStuckError where a new writer for the
    partition does as well: it fences this one's producer, whatever became of its transaction.
    """

    def __init__(
        self,
        settings: Settings,
        partition: int,
        log: Log = KAFKA,
        turn: AbstractContextManager[object] = nullcontext(),  # noqa: B008  (it has no state)
    ) -> None:
        self._log = log
        self._turn = turn
        self.partition = partition
        self._settings = settings
        self._producer = log.producer(
            {
                **client_settings(settings.bootstrap),
                "transactional.id": settings.transactional_id(partition),
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "linger.ms": 0,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 2_000_000,
                "queue.buffering.max.kbytes": 1_000_000,
                # The broker answers AddOffsetsToTxn with CONCURRENT_TRANSACTIONS while the last transaction's markers
                # are being written; librdkafka's default back-off of 100 ms would cost more than the transaction.
                "retry.backoff.ms": 5,
                "retry.backoff.max.ms": 20,
                # librdkafka waits up to 10 s between attempts to connect, and so overslept a broker that was back for a
                # second between two outages, until PATIENCE_S was over.
                "reconnect.backoff.max.ms": 500,
                **LONG_LIVED,
            }
        )
        self._producer.init_transactions(INIT_TIMEOUT_S)
        self._signatures = SignatureChecks()
        self.shard = self._restore()
        self._committed_head = self.shard.head
        self._position = self.shard.next_offset
        self.dues = self._dues()
        self.stamped_at_ms = 0
        self._in_transaction = False
        self._checked_at = 0.0

    @property
    def position(self) -> int:
        """Offset to read on from: the ledger's next one, or further where ticks without effect followed."""
        return self._position

    def process(self, records: Sequence[CommandRecord], *, sought: int | None) -> Outcome:
        """Judge records and commit the answers.

        `records` are all of the partition between the first and the last of them. `sought` is the offset of the seek
        that they are the first after, else None: only then may the first one lie beyond the next offset (a hole in
        the log).
        """
        expected = self._position
        if records[0].offset > expected and sought != expected:
            return Outcome(seek=expected)
        outcome = Outcome()
        answers: list[Entry] = []
        try:
            submissions = self._open(records)
            with self._turn:
                for submission in submissions:
                    answers += self._judge(submission)
                    outcome.commands += 1
            if answers:
                started = self._log.monotonic()
                self._commit()
                outcome.commit_s = self._log.monotonic() - started
        except TransactionAborted:
            self._abort()
            self.shard = self._rebuild()
            self._position = self.shard.next_offset
            return Outcome(seek=self._position)
        self._committed_head = self.shard.head
        self.stamped_at_ms = records[-1].timestamp
        self._position = max(expected, records[-1].offset + 1)
        outcome.entries = len(answers)
        for entry in answers:
            if isinstance(entry.event, CommandRejected):
                outcome.rejections[entry.event.code] += 1
            elif isinstance(entry.event, AwardMade):
                outcome.awards += 1
        self.dues = self._dues()
        self._check_invariants()
        return outcome

    def close(self) -> None:
        """Abandon the partition. An open transaction is left to the next owner, which ends it."""
        self._producer.purge()

    def _open(self, records: Sequence[CommandRecord]) -> list[Submission]:
        """Decode the records that are not answered, and begin to check their signatures."""
        submissions = [
            open_record(r.offset, r.timestamp, r.key, r.value, r.headers) for r in records if r.offset >= self._position
        ]
        signed = {name: state.genesis_hash for name, state in self.shard.markets.items() if state.signed}
        self._signatures.start(submissions, signed)
        return submissions

    def _judge(self, submission: Submission) -> list[Entry]:
        """Answer one record and put the answer into the open transaction."""
        shard = self.shard
        entries = shard.apply(submission)
        if not entries:
            return entries
        if not self._in_transaction:
            self._call(self._producer.begin_transaction)
            self._in_transaction = True
        key = (submission.market or "").encode()
        for entry in entries:
            value = encode(entry)
            source = entry.source
            shard.head = chain(shard.head, self.partition, source.offset, source.index, submission.digest, value)
            self._produce(LEDGER.name, key, value, source.at_ms, [(CHAIN_HEADER, shard.head)])
        at_ms = entries[-1].source.at_ms
        for value in values_of(told(shard, submission.market, entries)):
            self._produce(NOTICES.name, key, value, at_ms, [])
        return entries

    def _produce(
        self, topic: str, key: bytes, value: bytes, at_ms: int, headers: list[tuple[str, str | bytes | None]]
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key=key, partition=self.partition, timestamp=at_ms, headers=headers
                )
                return
            except BufferError:
                self._producer.poll(0.05)
            except KafkaException as exception:
                # The transaction has failed meanwhile; whether it can be aborted, the abort itself will tell.
                if exception.args[0].code() == KafkaError._STATE:
                    raise TransactionAborted(str(exception)) from exception
                raise

    def _commit(self) -> None:
        self._call(lambda: self._producer.commit_transaction(CALL_TIMEOUT_S))
        self._in_transaction = False

    def _abort(self) -> None:
        logger.warning("partition %d: transaction aborted, rebuilding from the ledger", self.partition)
        # Without the flush, aborting with messages to several partitions can be fatal (INVALID_TXN_STATE).
        self._producer.flush(CALL_TIMEOUT_S)
        self._call(lambda: self._producer.abort_transaction(CALL_TIMEOUT_S))
        self._in_transaction = False

    def _call(self, operation: Callable[[], object]) -> None:
        """Run a transactional call, the same one again while the broker says that it may work.

        Patience begins anew with every message that gets through: between outages in a row, much goes in parts.
        """
        give_up_at = self._log.monotonic() + PATIENCE_S
        least: int | None = None
        while True:
            try:
                operation()
                return
            except KafkaException as exception:
                error = exception.args[0]
                if error.txn_requires_abort():
                    raise TransactionAborted(str(error)) from exception
                left = self._producer.flush(0)
                if least is None or left < least:
                    least, give_up_at = left, self._log.monotonic() + PATIENCE_S
                if not error.retriable():
                    raise
                if self._log.monotonic() > give_up_at:
                    raise ProducerStuckError(str(error)) from exception
                logger.warning("partition %d: %s, trying again", self.partition, error)

    def _restore(self) -> Shard:
        s = self._settings
        shard = restore(s.bootstrap, self.partition, s.partitions, s.operator_key, self._log).shard
        shard.verifier = self._signatures.verify
        return shard

    def _rebuild(self) -> Shard:
        """The state after an abort.

        Kafka acknowledges a commit before its records are visible, and an abort that had nothing to undo does not wait
        for them: a ledger that does not show the last commit yet is read again, or its commands were judged twice.
        """
        give_up_at = self._log.monotonic() + PATIENCE_S
        while (shard := self._restore()).head != self._committed_head:
            assert self._log.monotonic() < give_up_at, "the ledger does not show what was committed last"
        return shard

    def _dues(self) -> list[Due]:
        return [Due(name, state.due_at_ms, state.now_ms) for name, state in self.shard.markets.items()]

    def _check_invariants(self) -> None:
        if self._log.monotonic() - self._checked_at < INVARIANT_INTERVAL_S:
            return
        self._checked_at = self._log.monotonic()
        for name, state in self.shard.markets.items():
            broken = violations(state)
            assert not broken, f"market {name}: {broken}"
