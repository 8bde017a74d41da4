"""One seed: a market under trouble, in one thread and in simulated time; then all trouble ends, and all must be well.

Everything follows from the seed: the same seed gives the same run, byte for byte.
"""

from __future__ import annotations

import heapq
import logging
import random
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from confluent_kafka import KafkaException

from contractnet.envelope import seal_tick
from contractnet.topics import COMMANDS, LEDGER, SNAPSHOTS
from streams.clock import Clock
from streams.restore import restore
from streams.settings import Settings
from streams.snapshotter import Snapshotter
from streams.writer import PartitionWriter
from tests.market.play import with_small_limits
from tests.market.town import NAME, OPERATOR, PARTITION, PARTITIONS
from tests.simulation.audit import Audit
from tests.simulation.crowd import Crowd
from tests.simulation.faults import Crash, Trouble, of_another_ledger
from tests.simulation.letters import Letter
from tests.simulation.memory import MemoryLog, Stored
from tests.simulation.report import Report

COMMANDS_MIN, CRASHES_MIN, AWARDS_MIN = 200, 3, 1
STEPS_MAX, HEALING_STEPS_MAX = 4_000, 2_000
SETTINGS = Settings("memory", Path(), "contractnet", PARTITIONS, 1, OPERATOR.public, 0, 0, 10.0)

logging.getLogger("streams").setLevel(logging.CRITICAL)


@dataclass(slots=True)
class Worker:
    """A process that owns the partition, or thinks so: its writer, its clock, and where it reads."""

    writer: PartitionWriter
    clock: Clock
    position: int
    sought: int | None


class Simulation:
    """One market, its worker, its snapshotter, the network between them, and their enemy."""

    def __init__(self, seed: int) -> None:
        self.report = Report(seed)
        self.dice = random.Random(seed)
        self.signed = seed % 8 == 0
        self.log = MemoryLog()
        self.log.is_late = lambda: self.dice.random() < 0.3
        self.log.catches_up = lambda: self.dice.random() < 0.3
        self.audit = Audit(self.log)
        self.crowd = Crowd(self.dice, self.audit.books, signed=self.signed)
        self.trouble = Trouble(self.dice, self.log, self._replaced, self._before_fence)
        self.worker: Worker | None = None
        self.zombies: list[tuple[Worker, list[Stored], int | None]] = []
        self.snapshotter: Snapshotter | None = None
        self.wire: list[tuple[int, int, Letter]] = []
        self.sent: dict[bytes, Letter] = {}
        self._numbers = count()

    def run(self) -> Report:
        """Trouble first, then peace. Raises AssertionError for a broken promise."""
        patch = with_small_limits() if self.report.seed % 2 else None
        try:
            for letter in self.crowd.founding():
                self._post(letter, 0)
            for _ in range(STEPS_MAX):
                if self._is_enough():
                    break
                self._step()
            assert self._is_enough(), f"too little happened: {self.report}"
            self._heal()
        finally:
            if patch is not None:
                patch.undo()
        books = self.audit.books
        self.report.awards, self.report.events, self.report.codes = len(books.awards), books.events, self.audit.codes
        self.report.happened.update(self.trouble.happened)
        self.report.digest = zlib.crc32(self.audit.shard.head)
        return self.report

    def _is_enough(self) -> bool:
        r = self.report
        awards = len(self.audit.books.awards)
        return r.commands >= COMMANDS_MIN and r.crashes >= CRASHES_MIN and awards >= AWARDS_MIN

    def _step(self) -> None:
        dice = self.dice
        self.log.now_ms += dice.choice((0, 1, 5, 20, 60))
        if dice.random() < 0.01:
            self.log.now_ms += dice.choice((5_000, 40_000, 200_000))
        if dice.random() < 0.2:
            self.trouble.arm()
        if dice.random() < 0.85:
            self._send(letter for _ in range(dice.randrange(1, 5)) for letter in self.crowd.act())
        self._deliver()
        if dice.random() < 0.5:
            self.log.complete()
        if dice.random() < 0.08:
            self._mishap()
        if dice.random() < 0.9:
            self._work()
        if dice.random() < 0.25:
            self._fold()
        self.audit.check()

    # The network: in any order between senders; what a client goes on sending arrives, perhaps twice.

    def _send(self, letters: Iterable[Letter]) -> None:
        for letter in letters:
            if self.dice.random() < 0.03:  # and its sender died: later commands refer to what never was
                self.report.happened["commands lost"] += 1
                continue
            self._count(letter)
            delay_ms = self.dice.choice((0, 0, 0, 1, 5, 30))
            if self.dice.random() < 0.04:  # slow, or the answer is lost: the same bytes are sent again, both may arrive
                delay_ms += self.dice.choice((100, 500, 3_000))
                self._post(letter, self.dice.choice((10, 800)))
            if self.dice.random() < 0.04:
                delay_ms = self.dice.choice((200, 2_000, 70_000))
            self._post(letter, delay_ms)

    def _count(self, letter: Letter) -> None:
        """A letter that gets to `commands` sooner or later: it has to have an outcome."""
        self.report.commands += 1
        if letter.id is not None:
            self.sent[letter.id] = letter

    def _post(self, letter: Letter, delay_ms: int) -> None:
        heapq.heappush(self.wire, (self.log.now_ms + delay_ms, next(self._numbers), letter))

    def _deliver(self, *, everything: bool = False) -> None:
        while self.wire and (everything or self.wire[0][0] <= self.log.now_ms):
            _, _, letter = heapq.heappop(self.wire)
            self.log.append(COMMANDS.name, PARTITION, letter.key, letter.value, letter.headers)

    # The worker: started by a supervisor, killed by anything.

    def _start(self) -> None:
        if self.dice.random() < 0.5:
            self.log.now_ms += self.dice.choice((10, 2_000))
        log = self.log.as_log()
        self._guarded(None, lambda: self._started(PartitionWriter(SETTINGS, PARTITION, log)))

    def _started(self, writer: PartitionWriter) -> None:
        self.audit.check()
        self.audit.compare(writer.shard)
        self.worker = Worker(writer, Clock("memory", self.log.as_log()), writer.position, writer.position)

    def _guarded(self, worker: Worker | None, work: Callable[[], None]) -> None:
        """Do a worker's work; whatever ends the process ends this worker."""
        try:
            work()
        except Crash:
            self._end(worker, "crashes")
        except KafkaException as error:
            kind = error.args[0]
            if kind.retriable() or kind.txn_requires_abort():
                raise AssertionError(f"no reason to end a worker: {error}") from error
            self._end(worker, "faults")

    def _end(self, worker: Worker | None, how: str) -> None:
        self.report.crashes += how == "crashes"
        self.report.happened[how] += 1
        if worker is not None:
            worker.writer.close()
        if worker is self.worker:
            self.worker = None

    def _work(self) -> None:
        if self.worker is None:
            self._start()
            return
        worker = self.worker
        self._guarded(worker, lambda: self._judge(worker))
        if self.worker is worker:
            self._guarded(worker, lambda: self._tick(worker))

    def _tick(self, worker: Worker) -> None:
        worker.clock.tick([worker.writer])

    def _judge(self, worker: Worker) -> None:
        records = self._poll(worker)
        if not records:
            return
        sought, worker.sought = worker.sought, None
        self.trouble.step("poll", None)
        outcome = worker.writer.process(records, sought=sought)
        assert worker is self.worker, "a worker that was replaced in the middle of a transaction went on"
        if outcome.seek is not None:
            worker.position = worker.sought = outcome.seek
            self.report.happened["seeks"] += 1
        self.audit.check()
        if self.dice.random() < 0.1:
            self._compare(worker)

    def _compare(self, worker: Worker) -> None:
        # Ticks without effect move the writer's position beyond the audit's, never its state.
        assert worker.writer.position >= worker.writer.shard.next_offset
        self.log.complete()
        self.audit.check()
        self.audit.compare(worker.writer.shard)

    def _poll(self, worker: Worker) -> list[Stored]:
        records = self.log.stored(COMMANDS.name, PARTITION, worker.position, self.dice.choice((1, 3, 8, 20, 60)))
        if records:
            worker.position = records[-1].offset + 1
        return records

    # Zombies.

    def _freeze(self) -> None:
        """The worker stops between two batches, with records in hand; somebody else takes over."""
        worker = self.worker
        if worker is None:
            return
        records = self._poll(worker)
        self.zombies.append((worker, records, worker.sought))
        self.worker = None
        self.report.happened["frozen"] += 1

    def _wake(self) -> None:
        """A frozen worker goes on: it must commit nothing."""
        if not self.zombies or self.worker is None:
            return
        zombie, records, sought = self.zombies.pop()
        before = len(self.log.committed(LEDGER.name, PARTITION, 0))
        fenced = False
        self.trouble.enabled = False
        try:
            if records:
                zombie.writer.process(records, sought=sought)
        except KafkaException:
            fenced = True
        zombie.clock.tick([zombie.writer])
        self.trouble.enabled = True
        assert len(self.log.committed(LEDGER.name, PARTITION, 0)) == before, "a zombie wrote to the ledger"
        self.report.happened["zombies fenced" if fenced else "zombies harmless"] += 1
        zombie.writer.close()

    def _before_fence(self) -> None:
        """Right before somebody takes over, a frozen worker goes on: it owns the partition still, and may commit."""
        if not self.zombies or self.dice.random() < 0.5:
            return
        zombie, records, sought = self.zombies.pop()
        enabled, self.trouble.enabled = self.trouble.enabled, False
        try:
            if records:
                zombie.writer.process(records, sought=sought)
            self.report.happened["commits right before the fence"] += 1
        except KafkaException:
            self.report.happened["zombies fenced"] += 1
        self.trouble.enabled = enabled
        zombie.writer.close()

    def _replaced(self) -> None:
        """In the middle of the worker's work another one takes over and goes on; then the first wakes up."""
        self.trouble.enabled = False
        self.worker = None
        self.log.now_ms += self.dice.choice((0, 10_000))
        self._start()
        for _ in range(self.dice.randrange(3)):
            self._deliver()
            self._work()
        self.trouble.enabled = True

    # Everything else that goes wrong.

    def _mishap(self) -> None:
        self.dice.choice(
            (self._freeze, self._wake, self._wake, self._reset, self._skew, self._strange, self._damage, self._noise)
        )()

    def _reset(self) -> None:
        """The consumer's position is lost: it starts early, or too late."""
        if self.worker is not None:
            end = len(self.log.partition(COMMANDS.name, PARTITION).slots)
            self.worker.position, self.worker.sought = self.dice.choice((0, self.dice.randrange(end + 1), end)), None
            self.report.happened["offset resets"] += 1

    def _skew(self) -> None:
        """The broker's clock jumps."""
        self.log.skew_ms = self.dice.choice((0, 0, 40, -40, 3_000, -3_000, 300_000, -300_000))
        self.report.happened["clock jumps"] += 1

    def _strange(self) -> None:
        """Somebody writes to `commands` in transactions: committed, aborted, or left open.

        Whatever becomes of them, what is stored there is judged, an agent's true commands as well: else a stranger that
        hangs would stop a market.
        """
        stranger = self.log.producer({"transactional.id": "stranger"})
        stranger.init_transactions()
        for end in self.dice.sample((stranger.commit_transaction, stranger.abort_transaction, None), 2):
            stranger.begin_transaction()
            tick = seal_tick(NAME)
            stranger.produce(COMMANDS.name, self.dice.choice((b"noise", tick.value)), NAME.encode(), PARTITION)
            for letter in self.crowd.act():
                self._count(letter)
                stranger.produce(COMMANDS.name, letter.value, letter.key, PARTITION, headers=[*letter.headers])
            if end is None:
                break
            end()
        self.report.happened["strangers"] += 1

    def _damage(self) -> None:
        """A snapshot is lost, or is not what it says."""
        stored = self.log.stored(SNAPSHOTS.name, PARTITION)
        if stored:
            key = self.dice.choice(stored).key
            newest = [s for s in stored if s.key == key][-1].value or b"x"
            cut = self.dice.randrange(len(newest))
            flipped = newest[:cut] + bytes([newest[cut] ^ 1]) + newest[cut + 1 :]
            bad = self.dice.choice((None, b"garbage", flipped, newest[:cut], of_another_ledger(newest)))
            self.log.append(SNAPSHOTS.name, PARTITION, key, bad, [])
            self.report.happened["snapshots damaged"] += 1

    def _noise(self) -> None:
        """Anybody may tick; now and then nothing else happens for long."""
        tick = seal_tick(NAME)
        pause_ms = self.dice.choice((0, 0, 0, 31_000))
        for _ in range(self.dice.randrange(1, 4)):
            self.log.now_ms += pause_ms
            self.log.append(COMMANDS.name, PARTITION, NAME.encode(), tick.value, [])

    def _fold(self) -> None:
        """The snapshotter follows the ledger; it may die at any step, and starts again."""
        try:
            if self.snapshotter is None:
                self.snapshotter = Snapshotter(SETTINGS, self.log.as_log(), self.dice.choice((20, 60)))
                self.snapshotter.restore()
            for record in list(self.log.read("", LEDGER.name, PARTITION, self.snapshotter.next_offset(PARTITION))):
                self.snapshotter.take(PARTITION, record)
                if self.dice.random() < 0.1:  # its batches end anywhere, also in the middle of an award
                    self.snapshotter.snapshot_due()
            self.snapshotter.snapshot_due()
        except Crash:
            self.snapshotter = None
            self.report.crashes += 1
            self.report.happened["snapshotter crashes"] += 1

    # Peace.

    def _heal(self) -> None:
        self.trouble.calm()
        self.log.skew_ms = 0
        for _ in range(len(self.zombies)):
            self._work()
            self._wake()
        self._deliver(everything=True)
        # A consumer that was put to the very end learns with the next record that it has missed some.
        self.log.append(COMMANDS.name, PARTITION, NAME.encode(), seal_tick(NAME).value, [])
        for _ in range(HEALING_STEPS_MAX):
            self._work()
            self.log.complete()
            self.audit.check()
            if self._is_well():
                break
            self.log.now_ms += self.dice.choice((50, 1_000, 5_000))
        assert not self.audit.unanswered(), f"no outcome for offsets {self.audit.unanswered()[:5]}"
        missing = [i.hex() for i in self.sent if i not in self.audit.books.answered]
        assert not missing, f"no outcome for commands {missing[:5]}"
        assert not self.audit.books.auctions, "a CFP never ended"
        assert self.worker is not None
        self._compare(self.worker)
        self._end(self.worker, "stops")
        self._start()
        self._check_snapshots()

    def _check_snapshots(self) -> None:
        """A snapshot of the end saves all of the fold, and is the state."""
        self.snapshotter = Snapshotter(SETTINGS, self.log.as_log(), entries=0)
        self.snapshotter.restore()
        self.snapshotter.snapshot_due()
        restored = restore("", PARTITION, PARTITIONS, OPERATOR.public, self.log.as_log())
        assert restored.snapshot is not None, "a good snapshot is passed over"
        assert restored.entries == 0
        self.audit.compare(restored.shard)

    def _is_well(self) -> bool:
        end = len(self.log.partition(COMMANDS.name, PARTITION).slots)
        return self.worker is not None and self.worker.position >= end and not self.audit.books.auctions


def simulate(seed: int) -> Report:
    """Run one seed. Raises AssertionError where a promise is broken."""
    return Simulation(seed).run()
