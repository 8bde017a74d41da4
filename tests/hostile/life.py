"""One kind of adversary against the real writer, on the log in memory, with an audit that judges everything again."""

from __future__ import annotations

import logging
import random
import statistics
import time

from contractnet.codec import decode_entry
from contractnet.envelope import seal_tick
from contractnet.messages import Entry
from contractnet.topics import COMMANDS, LEDGER, NOTICES, SNAPSHOTS
from faults.hostile.ground import Ground, Shot, new_ground, with_neighbour
from faults.hostile.honest import negotiation
from faults.hostile.judge import Verdict, judge
from faults.hostile.kinds import TRADING, adversary
from market.invariants import violations
from streams.snapshots import write_snapshot
from streams.writer import PartitionWriter
from tests.market.town import NAME, OPERATOR, PARTITION
from tests.simulation.audit import Audit
from tests.simulation.crowd import LATER
from tests.simulation.memory import MemoryLog
from tests.simulation.run import SETTINGS

HONEST_EVERY = 20
"""Attempts for each honest negotiation, at least: a volley is never cut."""
AUDIT_EVERY = 200
logging.getLogger("streams").setLevel(logging.CRITICAL)


class Life:
    """A market from its genesis to the end of the attack."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind = kind
        self.rng = random.Random(f"{seed} {kind}")
        self.log = MemoryLog()
        self.audit = Audit(self.log)
        self.writer = PartitionWriter(SETTINGS, PARTITION, self.log.as_log())
        producer = self.log.producer({})
        self.ground = new_ground(NAME, producer, OPERATOR, self.rng)  # type: ignore[arg-type]  # a producer in memory
        self.ground.clock_ms = lambda: self.log.now_ms
        self.ground.pass_ms = self.pass_time
        self.neighbour = with_neighbour(self.ground, LATER)
        self.shots: dict[int, Shot] = {}
        self.took_s: list[float] = []

    def run(self, attempts: int) -> Verdict:
        """Attack until so many attempts are made. Raises AssertionError for a broken invariant."""
        self.begin()
        attacker, made, calm = adversary(self.kind), 0, 0
        while made < attempts:
            for shot in attacker.volley(self.ground):
                self.fire(shot, timed=shot.hostile)
                made, calm = made + shot.hostile, calm + shot.hostile
            if calm >= HONEST_EVERY:
                calm = 0
                for shot in () if self.kind in TRADING else negotiation(self.ground):
                    self.fire(shot)
                self.pass_time(self.ground.open_ms)
        return self.end()

    def begin(self) -> None:
        """Open both markets, trade once, and look at what other topics hold."""
        for shot in (*self.neighbour.found(), *self.ground.found(), *negotiation(self.ground)):
            self.fire(shot)
        self._learn()

    def end(self) -> Verdict:
        """Let everything come to its end; what came of it."""
        self._settle()
        return self._verdict()

    def entries(self) -> list[Entry]:
        """The ledger."""
        return [decode_entry(s.value) for s in self.log.committed(LEDGER.name, PARTITION, 0)]

    def fire(self, shot: Shot, *, timed: bool = False) -> None:
        """Store one record, and have it judged."""
        self.log.now_ms += self.rng.choice((0, 0, 0, 1))
        headers: list[tuple[str, bytes | None]] = list(shot.headers)
        offset = self.log.append(COMMANDS.name, PARTITION, shot.key, shot.value, headers)
        self.shots[offset] = shot
        self._work(timed=timed)
        if offset % AUDIT_EVERY == 0:
            self.audit.check()

    def _work(self, *, timed: bool = False) -> None:
        records = self.log.stored(COMMANDS.name, PARTITION, self.writer.position)
        started_s = time.thread_time()
        self.writer.process(records, sought=None)
        if timed:
            self.took_s.append(time.thread_time() - started_s)

    def pass_time(self, by_ms: int) -> None:
        """Let time go by, and the clock say so."""
        self.log.now_ms += by_ms
        self.log.append(COMMANDS.name, PARTITION, NAME.encode(), seal_tick(NAME).value, [])
        self._work()

    def _learn(self) -> None:
        """Adversaries have seen other topics: the values of each."""
        shard = self.writer.shard
        write_snapshot(self.log.producer({}), shard, 1, 0)
        for topic in (LEDGER.name, NOTICES.name, SNAPSHOTS.name):
            self.ground.results += [s.value for s in self.log.committed(topic, PARTITION, 0) if s.value]

    def _settle(self) -> None:
        for _ in range(50):
            if not any(state.cfps or state.leases for state in self.writer.shard.markets.values()):
                break
            self.pass_time(500)
        self.audit.check()
        self.audit.compare(self.writer.shard)
        assert not self.audit.unanswered(), "an attempt has no outcome"
        assert not self.audit.books.auctions, "a call never ended"
        for state in self.writer.shard.markets.values():
            assert not violations(state), violations(state)

    def _verdict(self) -> Verdict:
        verdict = judge(self.kind, self.shots, self.entries(), self.ground)
        if not self.took_s:
            return verdict
        verdict.max_ms = max(self.took_s) * 1000
        quarter = max(1, len(self.took_s) // 4)
        first, last = statistics.median(self.took_s[:quarter]), statistics.median(self.took_s[-quarter:])
        verdict.growth = last / first if first else 1.0
        return verdict


def live(kind: str, seed: int, attempts: int) -> Verdict:
    """Run one life."""
    return Life(kind, seed).run(attempts)


__all__ = ["Ground", "Life", "live"]
