"""Budgets through the SDK: the bank sets them, an agent runs into them, and is told."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Agent, Budget, Code
from contractnet.errors import BudgetExceededError, RejectedError
from tests.client.stage import POOL, staged

pytestmark = pytest.mark.broker


async def told(agent: Agent, spent_ucr: int, *, of_project: bool = False) -> Budget:
    """The budget, as soon as the agent was told of so much spent."""
    async with asyncio.timeout(20):
        while (found := agent.budget(of_project=of_project)) is None or found.spent_ucr != spent_ucr:
            await asyncio.sleep(0.02)
    return found


def test_an_agent_runs_into_its_budget_and_is_told(referee: Broker) -> None:
    """A bid beyond it is refused with words; after a top-up there is room; spending and the warning arrive."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            (alice,) = stage.bidders
            await stage.bank.set_budget(alice.credential, 100, window_s=3600)
            await stage.bank.set_budget("project", 1_000, window_s=3600, offset_s=0)
            assert (await told(alice, 0)).unspent_ucr == 100
            cfp = await stage.manager.call_for_proposals(POOL, duration_s=5, open_s=1, reserve_ucr=90)
            with pytest.raises(
                BudgetExceededError, match="what is left of the account's or its project's budget"
            ) as no:
                await alice.bid(cfp, 101)
            assert no.value.code is Code.BUDGET_EXCEEDED
            assert no.value.transient
            await stage.bank.top_up(alice.credential, 1)
            bid = await alice.bid(cfp, 101)
            assert await bid.outcome(20) is not None
            own, project = await told(alice, 90), await told(alice, 90, of_project=True)
            assert (own.limit_ucr, own.warned, project.limit_ucr, project.warned) == (101, True, 1_000, False)
            await stage.bank.clear_budget("project")
            with pytest.raises(RejectedError, match="UNKNOWN_BUDGET"):
                await stage.bank.top_up("project", 1)
            async with asyncio.timeout(20):
                while alice.budget(of_project=True) is not None:
                    await asyncio.sleep(0.02)

    asyncio.run(play())
