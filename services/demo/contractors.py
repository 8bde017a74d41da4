"""Who else serves the agents, in the managers' process: contractors, who own GPUs and do work that is bought; and a
System agent, which draws tokens for incidents."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

from contractnet.client import Agent, Award, Cfp
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import Direction
from services.demo.demand import CHAT, CLOUD_SPEED, CLOUD_UNITS

COST_UCR_PER_GPU_S = 400_000
"""What a second of one l4's work costs a contractor; each has a factor of its own."""
MARGIN = (1.05, 1.6)
START_S = 0.1
FAILS, LATE, LATE_S = 0.05, 0.15, 0.3
"""Shares of work that fails and that starts late, and how late."""
OUTCOME_S = 60.0
INCIDENT_TOKENS, INCIDENT_EVERY_S = 2_000, 2.0


class Contractor:
    """Asks wherever it has units, at its cost and a margin. `refused` counts the market's refusals."""

    def __init__(self, agent: Agent, pool: str, rng: random.Random) -> None:
        self._agent = agent
        self._pool = pool
        self._rng = rng
        self._factor = rng.uniform(0.7, 1.5)
        self._promised = 0
        self.refused: Counter[str] = Counter()

    async def run(self, ending: asyncio.Event) -> None:
        """Answer calls until `ending`, then see all work through."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._answer(group))
            await ending.wait()
            await self._agent.close()

    async def _answer(self, group: asyncio.TaskGroup) -> None:
        async for cfp in self._agent.cfps(direction=Direction.BUY):
            if self._promised + cfp.units <= CLOUD_UNITS:
                group.create_task(self._compete(cfp))

    async def _compete(self, cfp: Cfp) -> None:
        work_gpu_s = cfp.units * cfp.duration_ms / 1000 * CLOUD_SPEED
        cost_ucr = COST_UCR_PER_GPU_S * self._factor * work_gpu_s
        price_ucr = round(cost_ucr * self._rng.uniform(*MARGIN))
        if price_ucr > cfp.reserve_price_ucr:
            return
        self._promised += cfp.units
        try:
            ask = await self._agent.ask(cfp, price_ucr, self._pool, start_delay_s=START_S)
            award = await ask.outcome(OUTCOME_S)
            if award is not None:
                await self._work(award, cfp.duration_ms / 1000)
        except RejectedError as error:
            # Too late, by a deadline or by the end of its time, which costs the bond; or no credits for one.
            self.refused[error.code] += 1
        except OutcomeTimeoutError:
            return
        finally:
            self._promised -= cfp.units

    async def _work(self, award: Award, seconds: float) -> None:
        late_s = LATE_S if self._rng.random() < LATE else 0.0
        await asyncio.sleep(START_S + late_s)
        if self._rng.random() < FAILS:
            await self._agent.failed(award, "a unit has failed")
            return
        await self._agent.started(award)
        await asyncio.sleep(seconds)
        await self._agent.done(award, f"done on {self._pool}")


class OnCall:
    """A System agent: every few seconds it draws for an incident. `refused` are draws that got nothing."""

    def __init__(self, agent: Agent, starts_at_s: float) -> None:
        self._agent = agent
        self._starts_at_s = starts_at_s
        self.draws = self.refused = 0

    async def run(self, ending: asyncio.Event) -> None:
        """Draw until `ending`."""
        await asyncio.sleep(max(0.0, self._starts_at_s - time.time()))
        while not ending.is_set():
            self.draws += 1
            try:
                await self._agent.draw_tokens(CHAT, INCIDENT_TOKENS, task=f"incident {self.draws}")
            except (RejectedError, OutcomeTimeoutError):
                self.refused += 1
            try:
                async with asyncio.timeout(INCIDENT_EVERY_S):
                    await ending.wait()
            except TimeoutError:
                continue
        await self._agent.close()
