"""One section's market under load: its workers, its load, its watch; and the verdict when it has settled."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import subprocess
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from contractnet.topics import COMMANDS
from faults.acknowledged import Receipts
from faults.audit import audit
from faults.checker import Verdict, check
from faults.load import Load
from faults.mix import furnish
from faults.plan import Plan
from faults.rows import compare_rows
from faults.tally import Tally
from faults.watch import Watch
from faults.world import PARTITIONS, Market, World
from streams.referee import EXIT_FAULT

MARKETS = ("default", "tenant-42", "Ω-market", "llm-tokens")
AGENTS, PAIRS = 14, 2
"""Twelve budget roots: so many that one more or less leaves tokens cleared in both ways."""
PROJECTOR = "projections.projector"
WORKER_CODES = (1, EXIT_FAULT)
"""Other codes than 0 that a worker may end with: Faust's fetcher when it is told to leave at a bad moment, and a fence
that a worker meets late (docs/faults.md)."""
READY_S = 90.0
SETTLE_S = 180.0
QUIET_S = 1.5
"""Longer than the longest call for proposals and the lease that follows it."""


@dataclass
class Arena:
    """What a section gets to play with. `tally` is the section's to count in."""

    world: World
    plan: Plan
    markets: list[Market]
    watch: Watch
    load: Load
    tally: Tally = field(default_factory=Tally)
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    services: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def rng(self) -> random.Random:
        """The section's random numbers, from the campaign's seed."""
        return self.plan.rng

    def start_worker(self, slot: int, app: str = "streams.app", **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker, or start it again."""
        self.workers[slot] = worker = self.world.start_worker(slot, app, **environment)
        return worker

    def start_service(self, name: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start another process of the market, such as `streams.snapshotter`, or start it again."""
        self.services[name] = process = self.world.start(name, **environment)
        return process

    def kill_service(self, name: str) -> None:
        """Kill such a process."""
        process = self.services.pop(name)
        process.kill()
        code = process.wait()
        if code != -signal.SIGKILL:
            self.tally.problems.append(f"{name} ended by itself with code {code}")

    def start_projector(self) -> subprocess.Popen[bytes]:
        """Start the projector, or start it again."""
        return self.start_service(PROJECTOR)

    def start_market(self, workers: int) -> None:
        """Start snapshotter, projector and so many workers, and wait until these share the partitions."""
        self.start_service("streams.snapshotter")
        self.start_projector()
        for slot in range(workers):
            self.start_worker(slot)
        self.wait_for_split(range(workers))

    def kill_worker(self, slot: int, phase: str) -> float:
        """Kill a worker that lives; count where the kill fell, if it owned anything; returns when (monotonic)."""
        owned = list(self.owned(slot)) if len(self.workers) > 1 else range(PARTITIONS)
        self.workers[slot].kill()
        return self._died(slot, phase, owned)

    def worker_died(self, slot: int, phase: str) -> float:
        """The only worker was killed or killed itself: count where; returns when (monotonic)."""
        assert len(self.workers) == 1, "what others have open would be taken for its own"
        return self._died(slot, phase, range(PARTITIONS))

    def _died(self, slot: int, phase: str, owned: Sequence[int]) -> float:
        """`owned`: its partitions, on which an open transaction can be no other worker's. Without any, no fault."""
        code = self.workers.pop(slot).wait()
        died_at = time.monotonic()
        assert code == -signal.SIGKILL, f"worker {slot} ended by itself with code {code}"
        if owned:
            self.tally.kills += 1
            self.tally.phases[phase] += 1
            self.tally.opened[phase] += self.watch.open_transactions(owned) > 0
        else:
            self.tally.notes["idle_kills"] += 1
        self.watch.wait_for_award()
        return died_at

    def wait_for_award(self, timeout_s: float = READY_S, *, revive: bool = False, everywhere: bool = False) -> None:
        """Wait until an award appears that was made from now on, with `everywhere` one on each market's partition; with
        `revive` as a supervisor waits, who starts a worker again that the fence has ended."""

        def awarded() -> bool:
            if revive:
                self._revive()
            if everywhere:
                return self.watch.awarded_on(market.partition for market in self.markets)
            return self.watch.award_after is not None

        self.watch.wait_for_award()
        self.world.wait_for("an award is made", awarded, timeout_s)

    def owned(self, slot: int) -> dict[int, int]:
        """Partitions that a worker says it owns, and its next offset in each."""
        text = self.world.health(slot)
        return {int(p): n for p, n in json.loads(text)["next_offset"].items()} if text else {}

    def wait_for_split(self, slots: Iterable[int], timeout_s: float = READY_S) -> None:
        """Wait until exactly these workers own all partitions, none twice, and each some. A zombie that the fence has
        ended is started again."""
        wanted = list(slots)

        def split() -> bool:
            self._revive()
            shares = [list(self.owned(slot)) for slot in wanted]
            return sorted(p for share in shares for p in share) == list(range(PARTITIONS)) and all(shares)

        self.world.wait_for(f"workers {wanted} own all partitions", split, timeout_s)

    def demand_alive(self, after: str) -> None:
        """Every process lives; one that does not is a failure, and is started again."""
        processes = {f"worker {slot}": process for slot, process in self.workers.items()} | self.services
        for name, process in processes.items():
            if process.poll() is not None:
                self.tally.problems.append(f"{name} ended with code {process.returncode} after {after}")
        self._revive()
        for name in [n for n, process in self.services.items() if process.poll() is not None]:
            self.start_service(name)

    def restart_ended(self) -> None:
        """Start again what ended by a fault of its environment, as a supervisor would, and count it."""
        self._revive()
        for name, process in list(self.services.items()):
            if process.poll() is not None:
                self.tally.notes[f"{name.rpartition('.')[2]}_ended"] += 1
                if process.returncode < 0:
                    self.tally.problems.append(f"{name} ended with code {process.returncode}")
                self.start_service(name)

    def _revive(self) -> None:
        for slot, worker in list(self.workers.items()):
            if worker.poll() is not None:
                if worker.returncode != EXIT_FAULT:
                    self.tally.problems.append(f"worker {slot} ended with code {worker.returncode}")
                self.tally.notes["workers_ended"] += 1
                self.start_worker(slot)

    def settle(self) -> None:
        """Stop the load, wait until every command is judged, and stop everything but the broker."""
        self.load.stop()
        for _ in range(2):
            for market in self.markets:
                market.call(open_ms=100)
            assert self.world.producer.flush(60) == 0, "the load's own commands did not reach the broker"
            self._wait_judged({m.partition: self.watch.end_of(COMMANDS.name, m.partition) for m in self.markets})
            time.sleep(QUIET_S)
        for slot, worker in self.workers.items():
            self._end(f"worker {slot}", worker, WORKER_CODES)
        for name in self.services.keys() - {PROJECTOR}:
            self._end(name, self.services[name])

    def _end(self, name: str, process: subprocess.Popen[bytes], excused: Container[int] = ()) -> None:
        """Tell a process to end. One that ends with another code than 0, or has ended with one before, is a failure;
        where that is excused, it is told."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        if code in excused:
            self.tally.notes[f"workers_ended_with_{code}"] += 1
        elif code != 0:
            self.tally.problems.append(f"{name} ended with code {code} when it was told to end, or before")

    def judge(self) -> None:
        """Have the log judged by a pass of its own, partitions side by side, compare the DuckDB file with it, and have
        all of it verified by the checker that shares no code with market/."""
        bootstrap, operator = self.world.broker.bootstrap, self.world.operator.public
        receipts = [self.world.acknowledged.on(partition) for partition in range(PARTITIONS)]
        one = partial(_check, bootstrap, operator)
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            verdicts = list(pool.map(one, range(PARTITIONS), receipts))
        for verdict in verdicts:
            self._count(verdict)
        projected = PROJECTOR in self.services
        if projected:
            compare_rows(self.world, self.tally)
        audit(self.world, self.tally, records=sum(verdict.records for verdict in verdicts), tables=projected)

    def _count(self, verdict: Verdict) -> None:
        tally = self.tally
        tally.acknowledged += verdict.acknowledged
        tally.commands += verdict.commands
        tally.awards += verdict.awards
        tally.works += verdict.works
        tally.deals += verdict.deals
        tally.resold += verdict.resold
        tally.claims += verdict.claims
        tally.grants += verdict.grants
        tally.mix += verdict.mix
        tally.visible += verdict.visible
        tally.duplicate += verdict.duplicate
        tally.lost += verdict.lost + verdict.unclosed
        tally.torn += verdict.torn
        tally.diverged += verdict.diverged

    def _wait_judged(self, ends: dict[int, int]) -> None:
        def judged() -> bool:
            reached: dict[int, int] = {}
            for slot in self.workers:
                for partition, offset in self.owned(slot).items():
                    reached[partition] = max(reached.get(partition, 0), offset)
            return all(reached.get(partition, 0) >= end for partition, end in ends.items())

        self.world.wait_for("every command is judged", judged, SETTLE_S)


def _check(bootstrap: str, operator_key: bytes, partition: int, acknowledged: Receipts) -> Verdict:
    return check(bootstrap, partition, PARTITIONS, operator_key, acknowledged)


@contextmanager
def arena_in(world: World, plan: Plan) -> Iterator[Arena]:
    """Markets on a running world, under load."""
    markets = [world.market(name) for name in MARKETS]
    for number, market in enumerate(markets):
        market.open(agents=AGENTS, pairs=PAIRS)
        market.set_budgets()
        furnish(market, called=number % 2 == 0)
    assert world.producer.flush(30) == 0
    watch = Watch(world.broker.bootstrap, PARTITIONS)
    load = Load(markets, plan.rate, plan.seed)
    try:
        yield Arena(world, plan, markets, watch, load)
    finally:
        load.stop()
        watch.stop()
