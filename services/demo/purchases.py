"""Work that finds no slot is bought: contractors with GPUs of their own compete to do it."""

from __future__ import annotations

import asyncio
import random

from contractnet.client import Agent
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import CfpOutcome, Progress
from contractnet.strategies import should_stop, utility
from services.demo.backlog import Backlog, Job
from services.demo.demand import CLOUD_SPEED, CLOUD_UNITS, CLOUDS
from services.demo.tally import Tally

KIND = "gpu"
"""What the calls ask for; contractors answer with units of their own pools."""
PATIENCE_S = 1.5
"""A job that has waited so long is bought out."""
EVERY_S = 0.5
OPEN_S = 0.4
WORK_S = (0.5, 2.0)
"""The shortest and the longest piece of work that is bought."""
START_WITHIN_S = 1.5
GRACE_S = 2.0
DELAY_COST, BOND = 0.2, 0.1
"""Shares of the ceiling: what a second of delay costs the buyer, and what a contractor stakes."""
OUTCOME_S = 60.0
POOL = CLOUDS[0]
"""Units of all contractors do the same."""
PRICE_UCR_PER_GPU_S = 400_000
"""About what contractors ask for a second of one l4's work."""


class Outsourcer:
    """Buys work for the jobs of one agent, one at a time, the most valuable first."""

    def __init__(self, agent: Agent, backlog: Backlog, tally: Tally, rng: random.Random, chance: float) -> None:
        self._agent = agent
        self._backlog = backlog
        self._tally = tally
        self._rng = rng
        self._chance = chance

    async def run(self, ending: asyncio.Event) -> None:
        """Look again and again until the end; then see the last piece through."""
        while not ending.is_set():
            await asyncio.sleep(EVERY_S)
            if self._rng.random() > self._chance:
                continue
            late = [job for job in self._backlog.waiting() if self._backlog.age_s(job) > PATIENCE_S]
            if late:
                await self._buy(max(late, key=self._utility))

    def _utility(self, job: Job) -> float:
        """Of a piece of work for it: what it is worth by what it costs about."""
        units = self._units(job)
        seconds = _seconds(job, units)
        return utility(self._backlog.worth_ucr(job, units, seconds, POOL), _cost_ucr(units, seconds))

    def _units(self, job: Job) -> int:
        """As many as each add more than they cost about."""
        units = 1
        while units < min(job.task.gpus, CLOUD_UNITS) and not should_stop(
            _cost_ucr(1, WORK_S[1]), job.unit_gain_ucr(units, WORK_S[1], POOL)
        ):
            units += 1
        return units

    async def _buy(self, job: Job) -> None:
        units = self._units(job)
        seconds = _seconds(job, units)
        ceiling_ucr = self._backlog.worth_ucr(job, units, seconds, POOL)
        if should_stop(_cost_ucr(units, seconds), ceiling_ucr) or not self._backlog.affords(ceiling_ucr):
            return
        done_gpu_s = job.fits_gpu_s(units, seconds, POOL)
        with self._backlog.promised(job, ceiling_ucr) as promise:
            try:
                cfp = await self._agent.buy(
                    KIND,
                    units,
                    ceiling_ucr=ceiling_ucr,
                    bond_ucr=round(BOND * ceiling_ucr),
                    duration_s=seconds,
                    open_s=OPEN_S,
                    delay_cost_per_s_ucr=round(DELAY_COST * ceiling_ucr),
                    start_within_s=START_WITHIN_S,
                    grace_s=GRACE_S,
                )
                ended = await cfp.outcome(OUTCOME_S)
                if ended.outcome is not CfpOutcome.AWARDED:
                    return
                self._tally.bought += 1
                work = await self._agent.work(ended.winners[0].bid, OUTCOME_S)
            except RejectedError as error:
                self._tally.refuse(error)
                return
            except OutcomeTimeoutError:
                self._tally.rejections["no end of bought work in time"] += 1
                return
            promise.paid_ucr = work.paid_ucr
            self._tally.bought_paid_ucr += work.paid_ucr
            if work.progress is Progress.DONE:
                self._tally.bought_done += 1
                job.work(done_gpu_s)


def _seconds(job: Job, units: int) -> float:
    return min(max(job.needs_s(units, POOL), WORK_S[0]), WORK_S[1])


def _cost_ucr(units: int, seconds: float) -> int:
    return round(PRICE_UCR_PER_GPU_S * units * CLOUD_SPEED * seconds)
