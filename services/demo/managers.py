"""The supply side, all in one process: managers sell the slots of their pools, lane by lane; contractors do work that
is bought; and a System agent draws tokens.

    python -m services.demo.managers PLAN

A lane is a part of a pool that is leased as a whole. Its next CFP closes right after its present lease ends; one that
is sold on by its holder is over when it would have been. Most lanes are awarded by the market at second prices; of some
the manager chooses among the bids itself, and the winner pays what it has bid.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from contractnet.client import Agent, Cfp, Connection
from contractnet.credentials import access_of_file, load
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import Awarder, CfpOutcome, Code
from services.demo.contractors import Contractor, OnCall
from services.demo.demand import POOLS, PoolSpec
from services.demo.plan import Plan, on_parent_end, report

OPEN_S = 0.4
# Market time as a client sees it lags by the way of a notice: close a little after the lease's end, not before.
MARGIN_MS = 30
RESERVE_UCR_PER_GPU_S = 50_000
CHOSEN_EVERY = 4
"""Of so many lanes of a pool one is awarded by its manager."""
DECIDE_S = 2.0
_IDLE_S = 0.15
_REFUSED_S = 1.0
"""How long a lane waits whose call was refused: for want of a deposit, say."""
_LOOK_S = 0.03
_REPORT_S = 0.5


class Lanes:
    """All lanes of all pools, until `ending` is set."""

    def __init__(self, connection: Connection, plan: Plan) -> None:
        self._connection = connection
        self._plan = plan
        self.ending = asyncio.Event()
        self.opened = 0
        self.awarded = 0
        self.refused: Counter[str] = Counter()

    async def run(self) -> None:
        """Sell until the end, then wait for the last CFPs to close."""
        await asyncio.sleep(max(0.0, self._plan.starts_at_s - time.time()))
        async with asyncio.TaskGroup() as group:
            for pool in POOLS:
                agent = self._connection.agent(load(self._plan.managers[pool.name]))
                for number, units in enumerate(pool.lanes):
                    group.create_task(self._lane(agent, pool, units, number))

    async def _lane(self, agent: Agent, pool: PoolSpec, units: int, number: int) -> None:
        rng = random.Random(f"lane {self._plan.seed} {pool.name} {number}")
        # Spread the lanes' deadlines: real demand has no common beat.
        await asyncio.sleep(rng.random() * OPEN_S)
        while not self.ending.is_set():
            duration_s = rng.choice(pool.slot_s)
            chosen = number % CHOSEN_EVERY == CHOSEN_EVERY - 1
            try:
                cfp = await agent.call_for_proposals(
                    pool.name,
                    units,
                    duration_s=duration_s,
                    open_s=OPEN_S,
                    reserve_ucr=round(RESERVE_UCR_PER_GPU_S * units * duration_s * pool.speed),
                    award=Awarder.MANAGER if chosen else Awarder.AUTO,
                    decide_s=DECIDE_S,
                )
                self.opened += 1
                if chosen:
                    await _choose(agent, cfp)
                ended = await cfp.outcome(30)
            except RejectedError as error:
                self.refused[error.code] += 1
                await asyncio.sleep(_REFUSED_S)
                continue
            except OutcomeTimeoutError as error:
                report("event", text=f"manager of {pool.name}: {error}")
                continue
            if ended.outcome is CfpOutcome.AWARDED:
                self.awarded += 1
                await self._until_free(ended.winners[0].bid, pool)
            else:
                await asyncio.sleep(_IDLE_S)

    async def _until_free(self, award: bytes, pool: PoolSpec) -> None:
        """Return when a CFP opened now would close after the lease has ended, or when it was given back."""
        leases, lease = self._connection.book.leases, None
        while not self.ending.is_set():
            here = leases.get(award)
            lease = here if here is not None or not pool.resold else lease
            if lease is None or self._connection.now_ms() >= lease.ends_at_ms - OPEN_S * 1000 + MARGIN_MS:
                return
            await asyncio.sleep(_LOOK_S)


async def _choose(agent: Agent, cfp: Cfp) -> None:
    """Award the highest bid that can still be locked; of equal ones the first."""
    for proposal in sorted(await agent.proposals(cfp, 30), key=lambda proposal: -proposal.price_ucr):
        try:
            await agent.award(proposal)
        except RejectedError as error:
            # NO_CAPACITY, or a bid whose group has won: try the next one. CFP_CLOSED: the time to decide is over.
            if error.code in {Code.NO_CAPACITY, Code.UNKNOWN_BID}:
                continue
            if error.code is not Code.CFP_CLOSED:
                raise
        return


async def run(plan: Plan) -> None:
    """Sell, work and draw until the parent is done."""
    loop = asyncio.get_running_loop()
    access = access_of_file(plan.managers_files[0])
    async with Connection.open(
        plan.bootstrap, market=plan.market, genesis=bytes.fromhex(plan.genesis), access=access
    ) as connection:
        lanes = Lanes(connection, plan)
        contractors = [
            Contractor(connection.agent(load(file)), name, random.Random(f"contractor {plan.seed} {name}"))
            for name, file in plan.contractors.items()
        ]
        oncall = OnCall(connection.agent(load(plan.oncall)), plan.starts_at_s) if plan.oncall else None
        on_parent_end(lambda: loop.call_soon_threadsafe(lanes.ending.set))
        report("ready")
        sides = [lanes.run(), *(contractor.run(lanes.ending) for contractor in contractors)]
        if oncall is not None:
            sides.append(oncall.run(lanes.ending))
        working = asyncio.gather(*sides)
        while not working.done():
            await asyncio.wait([working], timeout=_REPORT_S)
            report(
                "managers",
                opened=lanes.opened,
                awarded=lanes.awarded,
                refused=dict(sum((contractor.refused for contractor in contractors), lanes.refused)),
                open=len(connection.open_cfps),
                draws=oncall.draws if oncall is not None else 0,
                draws_refused=oncall.refused if oncall is not None else 0,
            )
        await working


def main() -> None:
    """Run the managers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(run(Plan.read(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
