"""How an agent seeks slots: it bids what a slot is worth to it, some of them by bids of a group, of which one wins; and
who was outbid may claim the lease.

In a second-price auction the worth is the best bid, whatever the others do. Half of the agents pace that to what they
may spend, and bid less where the winner pays its own bid. What a task delivers is estimated with an error; half of the
agents learn from what came of it.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import dataclass, field

from contractnet.client import Agent, Award, Bidder, Cfp
from contractnet.client.groups import BidGroup
from contractnet.errors import BudgetExceededError, OutcomeTimeoutError, RejectedError
from contractnet.messages import CfpOutcome, Claim
from contractnet.strategies import BiddingStrategy, Calibrator, Outcome, Paced, Pacer, Truthful, should_stop
from contractnet.strategies.bidding import Call
from services.demo.backlog import Backlog, Job
from services.demo.demand import POOLS
from services.demo.plan import Plan
from services.demo.resale import LeaseBuyer
from services.demo.tally import Tally
from services.demo.tenancy import Tenant

OUTCOME_S = 60.0
CALLS_PER_S = 35
"""About how many the managers open: a pacer is told how many to expect."""
GROUPED, GROUP_BIDS_MAX = 1 / 3, 3
"""The share of the agents that bid in groups, and on how many calls for one job."""
NOISE = 0.25
"""Of an estimate: the standard deviation of its logarithm."""
POINTS_UCR = 1_000
"""What a point of a claim stands for."""
OVER_BUDGET_PAUSE_S = 2.0
"""How long an agent whose bid a budget has refused waits before the next one."""
RESOLD = {pool.name for pool in POOLS if pool.resold}


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


def strategy_of(plan: Plan, name: str) -> BiddingStrategy:
    """Truthful, or paced to what the agent may spend in the run."""
    rng = random.Random(f"strategy {plan.seed} {name}")
    calls = max(1, round(plan.duration_s * CALLS_PER_S * plan.eagerness))
    budget_ucr = min(plan.budget_ucr, plan.budgets.get(name, plan.budget_ucr))
    return rng.choice((Truthful(), Paced(Pacer(budget_ucr, rounds=calls))))


@dataclass(slots=True)
class Search:
    """Bids of a group for one job, of which one may win. `most_ucr` is what none of them exceeds."""

    job: Job
    group: BidGroup
    most_ucr: int
    bids: set[asyncio.Task[Award | None]] = field(default_factory=set)
    placed: int = 0
    over: bool = False

    def takes_more(self) -> bool:
        """Whether another bid may still be placed."""
        return not self.over and self.placed < GROUP_BIDS_MAX

    async def won(self) -> Award | None:
        """What it wins; None once all its bids have lost."""
        while self.bids:
            done, _ = await asyncio.wait(self.bids, return_when=asyncio.FIRST_COMPLETED)
            self.bids -= done  # others may have come meanwhile
            found = next((award for bid in done if (award := bid.result()) is not None), None)
            if found is not None:
                self.over = True
                return found
        self.over = True
        return None


class Seeker:
    """Bids for the jobs of one agent, and uses what it wins."""

    def __init__(
        self, agent: Agent, plan: Plan, backlog: Backlog, tally: Tally, tenant: Tenant, lease_buyer: LeaseBuyer
    ) -> None:
        name = agent.credential.name
        self._agent = agent
        self._backlog = backlog
        self._tally = tally
        self._tenant = tenant
        self._lease_buyer = lease_buyer
        self._rng = random.Random(f"seeker {plan.seed} {name}")
        self._calibrator = self._rng.choice((Calibrator(), None))
        self._estimates: dict[bytes, int] = {}
        self._bidder = Bidder(agent, Counted(strategy_of(plan, name), tally))
        self._grouped = self._rng.random() < GROUPED
        self._search: Search | None = None
        self._pause_until = 0.0

    def seek(self, cfp: Cfp, tasks: asyncio.TaskGroup) -> None:
        """Bid on a call, if that is worth it to some job."""
        if self._spent_out(cfp.reserve_price_ucr) or self._joins(cfp, tasks):
            return

        def worth(job: Job) -> int:
            return self._backlog.worth_ucr(job, cfp.units, cfp.duration_ms / 1000, cfp.pool)

        best = self._backlog.best(worth, cfp.reserve_price_ucr)
        if best is not None:
            tasks.create_task(self._search_for(cfp, *best, tasks) if self._grouped else self._compete(cfp, *best))

    async def use(self, job: Job, award: Award) -> float:
        """Use a lease, and learn what came of an estimate."""
        done_gpu_s = await self._tenant.use(job, award)
        points = job.task.value_ucr_per_gpu_s * done_gpu_s / POINTS_UCR
        if self._calibrator is not None:
            self._calibrator.learn(self._estimates.pop(award.id), points)
        self._tally.delivered_points[self._kind] += round(points)
        return done_gpu_s

    @property
    def _kind(self) -> str:
        return "calibrated" if self._calibrator is not None else "raw"

    def _spent_out(self, cost_ucr: int) -> bool:
        """Whether a budget leaves less than something costs at least, by what the market has told; or has refused a bid
        just now, by what others hold."""
        budgets = (self._agent.budget(), self._agent.budget(of_project=True))
        left = [budget.unspent_ucr for budget in budgets if budget is not None and budget.unspent_ucr is not None]
        return min(left, default=cost_ucr) < cost_ucr or time.monotonic() < self._pause_until

    def _joins(self, cfp: Cfp, tasks: asyncio.TaskGroup) -> bool:
        """Bid for the job that is sought for already, by the same group."""
        search = self._search
        if search is None or not search.takes_more():
            return False
        worth_ucr = self._backlog.worth_ucr(search.job, cfp.units, cfp.duration_ms / 1000, cfp.pool)
        worth_ucr = min(worth_ucr, search.most_ucr)
        if should_stop(cfp.reserve_price_ucr, worth_ucr):
            return False
        self._place(search, cfp, worth_ucr, tasks)
        return True

    def _place(self, search: Search, cfp: Cfp, worth_ucr: int, tasks: asyncio.TaskGroup) -> None:
        search.placed += 1
        search.bids.add(tasks.create_task(self._bid(cfp, search.job, worth_ucr, search.group)))

    async def _search_for(self, cfp: Cfp, job: Job, worth_ucr: int, tasks: asyncio.TaskGroup) -> None:
        self._search = search = Search(job, self._agent.bid_group(1), worth_ucr)
        with self._backlog.promised(job, worth_ucr) as promise:
            self._place(search, cfp, worth_ucr, tasks)
            award = await search.won()
            if award is not None:
                self._tally.groups_won += 1
                promise.paid_ucr = award.price_ucr
                await self.use(job, award)

    async def _compete(self, cfp: Cfp, job: Job, worth_ucr: int) -> None:
        with self._backlog.promised(job, worth_ucr) as promise:
            award = await self._bid(cfp, job, worth_ucr)
            if award is not None:
                promise.paid_ucr = award.price_ucr
                await self.use(job, award)
                return
        if cfp.pool in RESOLD:  # a long lease: it may be claimed
            ended = self._agent.connection.book.settled.get(cfp.id)
            if ended is not None and ended.outcome is CfpOutcome.AWARDED:
                await self._lease_buyer.claim(job, ended.winners[0].bid, cfp.pool, cfp.units, cfp.duration_ms / 1000)

    async def _bid(self, cfp: Cfp, job: Job, worth_ucr: int, group: BidGroup | None = None) -> Award | None:
        tally = self._tally
        fits_gpu_s = job.fits_gpu_s(cfp.units, cfp.duration_ms / 1000, cfp.pool)
        points = job.task.value_ucr_per_gpu_s * fits_gpu_s / POINTS_UCR
        noise = self._rng.lognormvariate(-NOISE * NOISE / 2, NOISE)
        estimate, seen_ucr = max(1, round(points * noise)), math.floor(worth_ucr * min(1.0, noise))
        claimed = estimate if self._calibrator is None else self._calibrator.claim_points(estimate)
        claim = Claim(job.task.priority, self._backlog.deadline_ms(job), claimed)
        try:
            async with asyncio.timeout(OUTCOME_S):
                award = await self._bidder.bid(cfp, seen_ucr, task=job.task.name, claim=claim, group=group)
        except RejectedError as error:
            # CFP_CLOSED: the bid came too late. GROUP_WON: another one of the group has won. What else is told at the
            # end.
            tally.refuse(error)
            if isinstance(error, BudgetExceededError):
                self._pause_until = time.monotonic() + OVER_BUDGET_PAUSE_S
            return None
        except (OutcomeTimeoutError, TimeoutError):
            tally.rejections["no outcome in time"] += 1
            return None
        if award is not None:
            tally.latencies_ms.append(time.time() * 1000 - cfp.closes_at_ms)
            tally.awards.append(award.id.hex())
            tally.spent_ucr += award.price_ucr
            tally.claimed_points[self._kind] += claimed
            self._estimates[award.id] = estimate
        return award
