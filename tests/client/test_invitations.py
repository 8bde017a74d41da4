"""CFPs by invitation through the SDK: the invited hear of them and bid, others are told at once that they are not."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Agent, Cfp, Code
from contractnet.errors import CommandUnsendableError, RejectedError
from tests.client.stage import POOL, staged

pytestmark = pytest.mark.broker


async def known(agent: Agent, cfp: Cfp) -> bool:
    """Whether an agent is invited, once it is known."""
    async with asyncio.timeout(20):
        while (invited := agent.is_invited(cfp)) is None:
            await asyncio.sleep(0.02)
    return invited


def test_a_manager_invites(referee: Broker) -> None:
    """Each of two agents hears of the CFPs that it may bid on; a bid of the other fails before it is sent, and one that
    is sent all the same is rejected."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, bob = stage.bidders
            account = alice.credential.account
            assert account is not None
            heard, overheard = alice.cfps(POOL), bob.cfps(POOL)
            cfp = await stage.manager.call_for_proposals(POOL, duration_s=30, open_s=3, invited=[account])
            public = await stage.manager.call_for_proposals(POOL, duration_s=30, open_s=3)
            assert (cfp.by_invitation, public.by_invitation) == (True, False)
            async with asyncio.timeout(20):
                assert {(await anext(heard)).id, (await anext(heard)).id} == {cfp.id, public.id}
                assert (await anext(overheard)).id == public.id
            assert (await known(alice, cfp), await known(bob, cfp), bob.is_invited(public)) == (True, False, True)
            assert {x.id for x in stage.connection.open_cfps} == {cfp.id, public.id}
            with pytest.raises(CommandUnsendableError, match="by invitation, and 'bidder-1' is not invited"):
                await bob.bid(cfp, 100)
            # One that has not read who is invited cannot know.
            late = stage.connection.agent(bob.credential)
            assert late.is_invited(cfp) is False, "it shares the other's inbox"
            async with Agent.connect(await stage.enroll("stranger", 1_000), referee.bootstrap) as stranger:
                unread = stranger.prepare_bid(bytes(16), 100)
                with pytest.raises(RejectedError):
                    await stranger.submit_bid(unread)
                with pytest.raises(RejectedError) as no:
                    await stranger.refuse(cfp)
                assert no.value.code is Code.NOT_INVITED
            bid = await alice.bid(cfp, 100)
            award = await bid.outcome(30)
            assert award is not None
            with pytest.raises(CommandUnsendableError, match="nobody is invited"):
                await stage.manager.call_for_proposals(POOL, duration_s=30, open_s=1, invited=[])

    asyncio.run(play())


def test_an_agent_that_comes_later_knows_its_invitations(referee: Broker) -> None:
    """With a connection of its own it reads those of the look-back; on one that was open already it cannot know."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            carol = await stage.enroll("carol", 1_000)
            assert carol.account is not None
            cfp = await stage.manager.call_for_proposals(POOL, duration_s=30, open_s=8, invited=[carol.account])
            assert await known(stage.bidders[0], cfp) is False
            shared = stage.connection.agent(carol)
            assert shared.is_invited(cfp) is None
            async with Agent.connect(carol, referee.bootstrap) as own:
                async with asyncio.timeout(20):
                    found = await anext(own.cfps(POOL))
                assert (found.id, own.is_invited(found)) == (cfp.id, True)
                await own.bid(found, 100)

    asyncio.run(play())
