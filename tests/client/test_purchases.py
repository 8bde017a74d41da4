"""Work that is bought, through the SDK: asks, the start, the result, a failure, time that runs out."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Agent, Progress, credits
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import commands as c
from tests.client.stage import POOL, Stage, staged

pytestmark = pytest.mark.broker

BOND_UCR, OPEN_S = credits(2), 0.5


async def own_pool(stage: Stage, agent: Agent, name: str) -> None:
    """Give an agent a pool of its own."""
    assert agent.credential.account is not None
    await stage.bank.create_pool(name, agent.credential.account, 1)


async def paid_for_a_result(stage: Stage) -> int:
    """The lowest ask wins and is paid the other's price; both sides are told, and the result is the manager's.

    Returns what was paid.
    """
    buyer, alice, bob = stage.bidders
    cfp = await buyer.buy(
        "h100", ceiling_ucr=credits(50), bond_ucr=BOND_UCR, duration_s=30, open_s=OPEN_S, start_within_s=5
    )
    assert cfp.purchase is not None
    assert (cfp.purchase.bond_ucr, cfp.purchase.start_within_ms) == (credits(2), 5_000)
    async for called in alice.cfps("h100", "BUY"):
        assert called.id == cfp.id
        break
    with pytest.raises(RejectedError, match="OUT_OF_SEQUENCE"):
        await stage.manager.bid(cfp, credits(50))
    asks = [await alice.ask(cfp, credits(20), "of alice"), await bob.ask(cfp, credits(30), "of bob")]
    award = await asks[0].outcome(20)
    assert award is not None
    # The other's ask, or as little less as wins where a tie would be lost.
    assert credits(30) - award.price_ucr in (0, 1)
    assert award.pool == "of alice"
    assert await asks[1].outcome(20) is None
    with pytest.raises(RejectedError, match="OUT_OF_SEQUENCE"):
        await alice.done(award)
    await alice.started(award)
    with pytest.raises(OutcomeTimeoutError, match="has not ended"):
        await buyer.work(award.id, 0.1)
    await alice.done(award, "s3://results/1")
    for agent in (buyer, alice):
        work = await agent.work(award.id, 20)
        assert (work.progress, work.paid_ucr, work.text) == (Progress.DONE, award.price_ucr, "s3://results/1")
    return award.price_ucr


async def failed_or_forgotten(stage: Stage, paid: int) -> None:
    """One contractor says that it fails, the other says nothing: both lose their bonds to the manager."""
    buyer, alice, bob = stage.bidders
    ceiling_ucr = credits(30)
    cfp = await buyer.buy(
        "h100", ceiling_ucr=ceiling_ucr, bond_ucr=BOND_UCR, duration_s=0.5, open_s=OPEN_S, grace_s=0.5, slots=2
    )
    failing, silent = await alice.ask(cfp, 5, "of alice"), await bob.ask(cfp, 5, "of bob")
    assert await failing.outcome(20)
    await alice.failed(failing.id, "no power")
    work = await buyer.work(failing.id, 20)
    assert (work.progress, work.paid_ucr, work.text, work.delay_ms) == (Progress.FAILED, 0, "no power", None)
    assert (await buyer.work(silent.id, 30)).progress is Progress.TIMED_OUT
    async with asyncio.timeout(20):
        while (balance := buyer.balance()) is None or balance.available_ucr + paid != credits(100 + 4):
            await asyncio.sleep(0.02)


async def chosen_by_its_buyer(stage: Stage) -> None:
    """The buyer is shown the asks after the deadline, declines one and takes the other at its own price."""
    buyer, alice, bob = stage.bidders
    cfp = await buyer.buy(
        "h100",
        ceiling_ucr=credits(30),
        bond_ucr=BOND_UCR,
        duration_s=30,
        open_s=OPEN_S,
        slots=2,
        award="MANAGER",
        decide_s=60,
    )
    asks = [await alice.ask(cfp, credits(20), "of alice"), await bob.ask(cfp, credits(10), "of bob")]
    shown = await buyer.proposals(cfp, 20)
    assert [(p.id, p.price_ucr) for p in shown] == [(asks[0].id, credits(20)), (asks[1].id, credits(10))]
    await buyer.award(shown[0])
    with pytest.raises(RejectedError, match="BID_BINDING"):
        await bob.submit(bob.prepare(c.WithdrawBid(asks[1].id)))
    award = await asks[0].outcome(20)
    assert award is not None
    assert (award.price_ucr, award.pool) == (credits(20), "of alice")
    await alice.started(award)
    await alice.done(award, "by hand")
    assert (await buyer.work(award.id, 20)).paid_ucr == credits(20)
    await buyer.reject(shown[1])
    assert await asks[1].outcome(20) is None
    assert [winner.price_ucr for winner in (await cfp.outcome(20)).winners] == [credits(20)]


def test_work_is_bought(referee: Broker) -> None:
    """A buyer and two contractors on a real broker."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=3) as stage:
            for agent, name in zip(stage.bidders[1:], ("alice", "bob"), strict=True):
                await own_pool(stage, agent, f"of {name}")
            await failed_or_forgotten(stage, await paid_for_a_result(stage))
            await chosen_by_its_buyer(stage)
            # Those who want to bid are not shown what buys.
            sold = await stage.manager.call_for_proposals(POOL, duration_s=1, open_s=5)
            async for cfp in stage.bidders[0].cfps():
                assert cfp.id == sold.id
                break

    asyncio.run(play())
