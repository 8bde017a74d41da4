"""A share of the agents, in one process over one connection.

    python -m services.demo.bidders PLAN INDEX PROCESSES

An agent bids what a slot is worth to it: in a second-price auction that is its best bid, whatever the others do. Half
of them pace that to their credits, and bid less where the winner pays its own bid. It buys urgent work that finds no
slot, bargains over leases, and some call a language model.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from contractnet.client import Agent, Award, Bidder, Cfp, Connection
from contractnet.credentials import access_of_file, load
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import Claim
from contractnet.strategies import BiddingStrategy, Outcome, Paced, Pacer, Truthful
from contractnet.strategies.bidding import Call
from services.demo.backlog import Backlog, Job
from services.demo.calling import Caller
from services.demo.demand import POOLS
from services.demo.plan import Plan, on_parent_end, report
from services.demo.purchases import Outsourcer
from services.demo.resale import LeaseBuyer, Reseller
from services.demo.tally import Tally
from services.demo.tenancy import Tenant

OUTCOME_S = 60.0
CALLS_PER_S = 35
"""About how many the managers open: a pacer is told how many to expect."""
_REPORT_S = 0.5
_RESOLD = {pool.name for pool in POOLS if pool.resold}


class Counted:
    """A strategy whose bids and losses are counted."""

    def __init__(self, strategy: BiddingStrategy, tally: Tally) -> None:
        self._strategy, self._tally = strategy, tally

    def price_ucr(self, call: Call, worth_ucr: int) -> int | None:
        """What the strategy says."""
        return self._strategy.price_ucr(call, worth_ucr)

    def observe(self, outcome: Outcome) -> None:
        """Tell it, and count."""
        self._tally.bids += outcome.bid_ucr is not None
        self._tally.lost += outcome.bid_ucr is not None and not outcome.won
        self._strategy.observe(outcome)


def strategy_of(plan: Plan, rng: random.Random) -> BiddingStrategy:
    """Truthful, or paced to the run's credits."""
    calls = max(1, round(plan.duration_s * CALLS_PER_S * plan.eagerness))
    return rng.choice((Truthful(), Paced(Pacer(plan.budget_ucr, rounds=calls))))


class Trader:
    """One agent and its tasks."""

    def __init__(self, agent: Agent, plan: Plan, tally: Tally, neighbours: Sequence[bytes]) -> None:
        name = agent.credential.name
        rng = random.Random(f"bidder {plan.seed} {name}")
        self._agent = agent
        self._eagerness = plan.eagerness
        self._tally = tally
        self._rng = rng
        self._bidder = Bidder(agent, Counted(strategy_of(plan, random.Random(f"strategy {plan.seed} {name}")), tally))
        self._backlog = Backlog(plan, name, tally)
        self._tenant = Tenant(agent, plan, tally, rng, Reseller(agent, neighbours, _RESOLD, rng).sell)
        self._outsourcer = Outsourcer(agent, self._backlog, tally, rng, plan.patience)
        self._lease_buyer = LeaseBuyer(agent, self._backlog, tally, self._tenant.use)
        calls = plan.calls.get(name)
        self._caller = Caller(agent, calls, plan.starts_at_s, tally) if calls else None

    async def run(self, ending: asyncio.Event) -> None:
        """Trade until `ending`, then see every bid, lease, piece of work and call through."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._answer(group))
            group.create_task(self._bid_on_all(group))
            sides = [self._outsourcer.run(ending)]
            if self._caller is not None:
                sides.append(self._caller.run(ending))
            await asyncio.gather(*sides)
            await self._agent.close()

    async def _bid_on_all(self, group: asyncio.TaskGroup) -> None:
        async for cfp in self._agent.cfps():
            if self._rng.random() > self._eagerness:
                continue
            best = self._best(cfp)
            if best is not None:
                group.create_task(self._compete(cfp, *best))

    async def _answer(self, group: asyncio.TaskGroup) -> None:
        async for negotiation in self._agent.negotiations():
            group.create_task(self._lease_buyer.answer(negotiation))

    def _best(self, cfp: Cfp) -> tuple[Job, int] | None:
        def worth(job: Job) -> int:
            return job.worth_ucr(cfp.units, cfp.duration_ms / 1000, cfp.pool)

        return self._backlog.best(worth, cfp.reserve_price_ucr)

    async def _compete(self, cfp: Cfp, job: Job, worth_ucr: int) -> None:
        with self._backlog.promised(job, worth_ucr) as promise:
            award = await self._bid(cfp, job, worth_ucr)
            if award is not None:
                promise.paid_ucr = award.price_ucr
                self._tally.awards.append(award.id.hex())
                self._tally.spent_ucr += award.price_ucr
                await self._tenant.use(job, award)

    async def _bid(self, cfp: Cfp, job: Job, worth_ucr: int) -> Award | None:
        deadline_ms = cfp.closes_at_ms + cfp.duration_ms
        claim = Claim(job.task.priority, deadline_ms, round(job.task.value_ucr_per_gpu_s / 1000))
        tally = self._tally
        try:
            async with asyncio.timeout(OUTCOME_S):
                award = await self._bidder.bid(cfp, worth_ucr, task=job.task.name, claim=claim)
        except RejectedError as error:
            # CFP_CLOSED: the bid came too late. Anything else is reported at the end.
            tally.rejections[error.code] += 1
            return None
        except (OutcomeTimeoutError, TimeoutError):
            tally.rejections["no outcome in time"] += 1
            return None
        if award is not None:
            tally.latencies_ms.append(time.time() * 1000 - cfp.closes_at_ms)
        return award


async def run(plan: Plan, index: int, processes: int) -> None:
    """Trade until the parent is done; then see everything through and report."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    mine = plan.members_of(index, processes)
    access = access_of_file(mine[0])
    async with Connection.open(
        plan.bootstrap, market=plan.market, genesis=bytes.fromhex(plan.genesis), access=access
    ) as connection:
        agents = [connection.agent(load(path)) for path in mine]
        neighbours = [agent.credential.account for agent in agents if agent.credential.account is not None]
        ending = asyncio.Event()
        on_parent_end(lambda: loop.call_soon_threadsafe(ending.set))
        report("ready")
        await asyncio.sleep(max(0.0, plan.starts_at_s - time.time()))
        trading = asyncio.gather(*(Trader(agent, plan, tally, neighbours).run(ending) for agent in agents))
        while not trading.done():
            await asyncio.wait([trading], timeout=_REPORT_S)
            tally.tell()
        await trading
    tally.tell(final=True)


def main() -> None:
    """Run one process of agents."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(run(Plan.read(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])))


if __name__ == "__main__":
    main()
