"""A share of the bidding agents, in one process over one connection.

    python -m services.demo.bidders PLAN INDEX PROCESSES

An agent bids what a slot is worth to it: in a second-price auction that is its best bid, whatever the others do.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from contractnet.client import Agent, Award, Cfp, Connection
from contractnet.credentials import access_of_file, load
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import Claim, Code
from services.demo.demand import SPEEDS, Task
from services.demo.plan import Plan, on_parent_end, report

OUTCOME_S = 60.0
# An agent that shows an old pass waits this long first: a gate hears of a lease's end some 10 to 50 ms late.
STALE_AFTER_S = 0.5
STALE_SHARE = 0.1
RELEASE_SHARE = 0.5
_REPORT_S = 0.5
_GATE_S = 60.0
_GATE_LOOK_S = 0.1
_SHORTEST_LEFT_S = 0.15


@dataclass(slots=True)
class Tally:
    """What the agents of this process saw."""

    bids: int = 0
    lost: int = 0
    spent_ucr: int = 0
    tasks_done: int = 0
    work_gpu_s: float = 0.0
    stale_shown: int = 0
    stale_admitted: int = 0
    not_admitted: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)
    awards: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Job:
    """A task under way."""

    task: Task
    left_gpu_s: float
    bidding: bool = False


class Bidder:
    """One agent and its tasks."""

    def __init__(self, agent: Agent, plan: Plan, tally: Tally) -> None:
        self._agent = agent
        self._plan = plan
        self._tally = tally
        name = agent.credential.name
        self._jobs = [Job(task, task.work_gpu_s) for task in plan.tasks.get(name, [])]
        self._budget_ucr = plan.budget_ucr
        self._rng = random.Random(f"bidder {plan.seed} {name}")

    async def run(self) -> None:
        """Look at every CFP until the iterator ends, then see every bid and lease through."""
        async with asyncio.TaskGroup() as group:
            async for cfp in self._agent.cfps():
                if self._rng.random() > self._plan.eagerness:
                    continue
                chosen = self._choose(cfp)
                if chosen is not None:
                    job, price_ucr = chosen
                    job.bidding = True
                    group.create_task(self._compete(cfp, job, price_ucr))

    def _choose(self, cfp: Cfp) -> tuple[Job, int] | None:
        """The job to which the slot is worth most, and that worth; None where it is not worth the reserve price."""
        best: tuple[Job, int] | None = None
        now_s = time.time() - self._plan.starts_at_s
        for job in self._jobs:
            if job.task.arrives_s > now_s:
                break
            if job.bidding or job.left_gpu_s <= 0:
                continue
            worth_ucr = round(job.task.value_ucr_per_gpu_s * min(job.left_gpu_s, capacity_gpu_s(cfp, job.task)))
            if best is None or worth_ucr > best[1]:
                best = (job, worth_ucr)
        if best is None or best[1] < cfp.reserve_price_ucr or best[1] > self._budget_ucr:
            return None
        return best

    async def _compete(self, cfp: Cfp, job: Job, price_ucr: int) -> None:
        tally = self._tally
        self._budget_ucr -= price_ucr
        paid_ucr = 0
        try:
            award = await self._bid(cfp, job, price_ucr)
            if award is not None:
                paid_ucr = award.price_ucr
                tally.awards.append(award.id.hex())
                tally.spent_ucr += award.price_ucr
                await self._use(cfp, job, award)
        finally:
            self._budget_ucr += price_ucr - paid_ucr
            job.bidding = False
            if job.left_gpu_s <= 0 and job in self._jobs:
                self._jobs.remove(job)
                tally.tasks_done += 1

    async def _bid(self, cfp: Cfp, job: Job, price_ucr: int) -> Award | None:
        deadline_ms = cfp.closes_at_ms + cfp.duration_ms
        claim = Claim(job.task.priority, deadline_ms, round(job.task.value_ucr_per_gpu_s / 1000))
        tally = self._tally
        try:
            bid = await self._agent.bid(cfp, price_ucr, task=job.task.name, claim=claim)
            tally.bids += 1
            award = await bid.outcome(OUTCOME_S)
        except RejectedError as error:
            # CFP_CLOSED: the bid came too late. Anything else is reported at the end.
            tally.rejections[error.code] += 1
            return None
        except OutcomeTimeoutError:
            tally.rejections["no outcome in time"] += 1
            return None
        if award is None:
            tally.lost += 1
        else:
            tally.latencies_ms.append(time.time() * 1000 - cfp.closes_at_ms)
        return award

    async def _use(self, cfp: Cfp, job: Job, award: Award) -> None:
        """Show the pass at the gate, work, and leave early when done; some try their old pass once more."""
        answer = await show_pass(self._plan.gates[award.pool], award)
        if not answer["admitted"]:
            self._tally.not_admitted[str(answer["reason"])] += 1
            return
        done_gpu_s = min(job.left_gpu_s, capacity_gpu_s(cfp, job.task))
        needed_s = done_gpu_s / (min(award.units, job.task.gpus) * SPEEDS[award.pool])
        now_ms = self._agent.connection.now_ms
        left_s = max(0.0, award.ends_at_ms - now_ms()) / 1000
        await asyncio.sleep(min(needed_s, left_s))
        job.left_gpu_s = max(0.0, job.left_gpu_s - done_gpu_s) if job.left_gpu_s - done_gpu_s > 1e-6 else 0.0
        self._tally.work_gpu_s += done_gpu_s
        left_s = (award.ends_at_ms - now_ms()) / 1000
        if left_s > _SHORTEST_LEFT_S and self._rng.random() < RELEASE_SHARE:
            await self._release(award)
            left_s = 0.0
        if self._rng.random() < STALE_SHARE:
            await asyncio.sleep(max(0.0, left_s) + STALE_AFTER_S)
            self._tally.stale_shown += 1
            self._tally.stale_admitted += bool((await show_pass(self._plan.gates[award.pool], award))["admitted"])

    async def _release(self, award: Award) -> None:
        try:
            await self._agent.release(award)
        except RejectedError as error:
            # UNKNOWN_LEASE: it expired while the command was on its way.
            if error.code is not Code.UNKNOWN_LEASE:
                self._tally.rejections[error.code] += 1
        except OutcomeTimeoutError:
            # The lease ends by itself.
            self._tally.rejections["no answer to a release in time"] += 1


def capacity_gpu_s(cfp: Cfp, task: Task) -> float:
    """The work that a slot can do for a task, in seconds of one l4."""
    return min(cfp.units, task.gpus) * cfp.duration_ms / 1000 * SPEEDS[cfp.pool]


async def show_pass(port: int, award: Award) -> dict[str, object]:
    """What the pool's gate answers to the award's pass."""
    reader, writer = await _connect(port)
    try:
        pass_ = {"award": award.id.hex(), "token": str(award.token), "secret": award.secret.hex()}
        writer.write(json.dumps(pass_).encode() + b"\n")
        answer: dict[str, object] = json.loads(await reader.readline())
        return answer
    finally:
        writer.close()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a gate, which on a busy machine may open after the first awards."""
    give_up_at = time.monotonic() + _GATE_S
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            if time.monotonic() > give_up_at:
                raise
            await asyncio.sleep(_GATE_LOOK_S)


def tell(tally: Tally, *, final: bool = False) -> None:
    """Report the tally, and forget the latencies that have been told."""
    latencies, tally.latencies_ms = tally.latencies_ms, []
    report(
        "bidders",
        final=final,
        bids=tally.bids,
        lost=tally.lost,
        won=len(tally.awards),
        spent_ucr=tally.spent_ucr,
        tasks_done=tally.tasks_done,
        work_gpu_s=round(tally.work_gpu_s, 3),
        stale_shown=tally.stale_shown,
        stale_admitted=tally.stale_admitted,
        not_admitted=dict(tally.not_admitted),
        rejections=dict(tally.rejections),
        latencies_ms=[round(latency, 1) for latency in latencies],
        awards=tally.awards if final else [],
    )


async def run(plan: Plan, index: int, processes: int) -> None:
    """Bid until the parent is done; then see everything through and report."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    mine = plan.members_of(index, processes)
    access = access_of_file(mine[0])
    async with Connection.open(
        plan.bootstrap, market=plan.market, genesis=bytes.fromhex(plan.genesis), access=access
    ) as connection:
        agents = [connection.agent(load(path)) for path in mine]
        ending = asyncio.Event()
        on_parent_end(lambda: loop.call_soon_threadsafe(ending.set))
        report("ready")
        await asyncio.sleep(max(0.0, plan.starts_at_s - time.time()))
        bidding = asyncio.gather(*(Bidder(agent, plan, tally).run() for agent in agents))
        while not (ending.is_set() or bidding.done()):
            await asyncio.sleep(_REPORT_S)
            tell(tally)
        for agent in agents:
            await agent.close()
        while not bidding.done():
            await asyncio.wait([bidding], timeout=_REPORT_S)
            tell(tally)
        await bidding
    tell(tally, final=True)


def main() -> None:
    """Run one process of bidders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(run(Plan.read(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])))


if __name__ == "__main__":
    main()
