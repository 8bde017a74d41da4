"""A share of the agents, in one process over one connection.

    python -m services.demo.bidders PLAN INDEX PROCESSES

An agent seeks slots for its tasks (seeking.py), buys urgent work that finds none, bargains over leases, and some call a
language model.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from contractnet.client import Agent, Connection
from contractnet.credentials import access_of_file, load
from services.demo.backlog import Backlog
from services.demo.calling import Caller
from services.demo.plan import Plan, on_parent_end, report
from services.demo.purchases import Outsourcer
from services.demo.resale import LeaseBuyer, Reseller
from services.demo.seeking import RESOLD, Seeker
from services.demo.tally import Tally
from services.demo.tenancy import Tenant

_REPORT_S = 0.5


class Trader:
    """One agent and its tasks."""

    def __init__(self, agent: Agent, plan: Plan, tally: Tally, neighbours: Sequence[bytes]) -> None:
        name = agent.credential.name
        rng = random.Random(f"bidder {plan.seed} {name}")
        self._agent = agent
        self._eagerness = plan.eagerness
        self._rng = rng
        backlog = Backlog(plan, name, tally)
        tenant = Tenant(agent, plan, tally, rng, Reseller(agent, neighbours, RESOLD, tally, rng).sell)
        self._lease_buyer = LeaseBuyer(agent, backlog, tally, tenant, rng)
        self._seeker = Seeker(agent, plan, backlog, tally, tenant, self._lease_buyer)
        self._outsourcer = Outsourcer(agent, backlog, tally, rng, plan.patience)
        calls = plan.calls.get(name)
        self._caller = Caller(agent, calls, plan.starts_at_s, tally, rng) if calls else None

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
            if self._rng.random() <= self._eagerness:
                self._seeker.seek(cfp, group)

    async def _answer(self, group: asyncio.TaskGroup) -> None:
        async for negotiation in self._agent.negotiations():
            group.create_task(self._lease_buyer.answer(negotiation))


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
