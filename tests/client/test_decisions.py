"""A manager that awards itself, through the SDK: it is shown the bids, chooses, declines; bidders hear of it."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Agent, CfpOutcome, Code
from contractnet.errors import OutcomeTimeoutError, RejectedError
from tests.client.stage import POOL, Stage, staged

pytestmark = pytest.mark.broker


async def freed(agent: Agent, held_ucr: int) -> None:
    """Return once the market has told the agent that it holds so much."""
    async with asyncio.timeout(20):
        while (balance := agent.balance()) is None or balance.held_ucr != held_ucr:
            await asyncio.sleep(0.02)


async def refused(stage: Stage) -> None:
    """A refusal stands instead of a bid, and a bid of the market's own award is no manager's to choose."""
    alice, bob, _ = stage.bidders
    cfp = await stage.manager.call_for_proposals(POOL, duration_s=5, open_s=2)
    assert cfp.decide_ms == 0
    await alice.refuse(cfp, "no need")
    with pytest.raises(RejectedError, match="OUT_OF_SEQUENCE"):
        await alice.bid(cfp, 100)
    bid = await bob.bid(cfp, 100)
    with pytest.raises(RejectedError, match="NOT_MANAGED"):
        await stage.manager.award(bid.id)


def test_a_manager_chooses_among_the_bids(referee: Broker) -> None:
    """The lower of two bids wins the first slot, one is declined at once, and the rest ends with the manager's time."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=3) as stage:
            manager, (alice, bob, carol) = stage.manager, stage.bidders
            cfp = await manager.call_for_proposals(POOL, duration_s=60, open_s=1, slots=3, award="MANAGER", decide_s=5)
            assert cfp.decide_ms == 5_000
            bids = [await a.bid(cfp, ucr, task="train") for a, ucr in ((alice, 300), (bob, 200), (carol, 100))]
            with pytest.raises(RejectedError, match="CFP_OPEN"):
                await manager.award(bids[0].id)
            with pytest.raises(OutcomeTimeoutError, match="no bids of CFP"):
                await manager.proposals(cfp, 0.05)
            shown = await manager.proposals(cfp, 20)
            assert [(p.id, p.price_ucr, p.task) for p in shown] == [(b.id, b.price_ucr, "train") for b in bids]
            assert [p.agent for p in shown] == ["bidder-0", "bidder-1", "bidder-2"]
            with pytest.raises(RejectedError) as no:
                await bids[0].withdraw()
            assert no.value.code is Code.BID_BINDING
            await manager.award(shown[1])
            award = await bids[1].outcome(20)
            assert award is not None
            assert (award.price_ucr, award.units) == (200, 1)
            await manager.reject(shown[0])
            assert await bids[0].outcome(20) is None
            await freed(alice, 0)
            ended = await cfp.outcome(30)
            assert (ended.outcome, [w.bid for w in ended.winners]) == (CfpOutcome.AWARDED, [bids[1].id])
            assert await bids[2].outcome(20) is None
            await refused(stage)

    asyncio.run(play())


def test_nothing_to_choose(referee: Broker) -> None:
    """A CFP without a bid that can win ends at its deadline: the manager is shown none, also when it asks later."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            cfp = await stage.manager.call_for_proposals(
                POOL, duration_s=5, open_s=0.2, reserve_ucr=50, award="MANAGER", decide_s=5
            )
            assert await stage.manager.proposals(cfp, 20) == []
            assert (await cfp.outcome(20)).outcome is CfpOutcome.UNAWARDED
            assert await stage.manager.proposals(cfp, 20) == []

    asyncio.run(play())
