"""Credits through the SDK: the bank issues and moves them, and both sides are told."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Agent, Code, credits
from contractnet.errors import RejectedError
from tests.client.stage import POOL, staged

pytestmark = pytest.mark.broker


async def told(agent: Agent, free_ucr: int, held_ucr: int = 0) -> None:
    """Wait until the agent was told that it has so much to spend, and so much held."""
    async with asyncio.timeout(20):
        while (found := agent.balance()) is None or (found.available_ucr, found.held_ucr) != (free_ucr, held_ucr):
            await asyncio.sleep(0.02)


def test_the_bank_moves_credits_between_accounts(referee: Broker) -> None:
    """What is free goes to the other account, by credential or by id; what a bid holds does not, and no more than there
    is."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            bank, (alice, bob) = stage.bank, stage.bidders
            await bank.transfer(alice.credential, bob.credential, credits(30), "a favour")
            await told(alice, credits(70))
            await told(bob, credits(130))
            cfp = await stage.manager.call_for_proposals(POOL, duration_s=5, open_s=60)
            await alice.bid(cfp, credits(50))
            account = alice.credential.account or b""
            for amount_ucr, code in (
                (credits(20) + 1, Code.INSUFFICIENT_CREDIT),
                (0, Code.BAD_AMOUNT),
                (-1, Code.BAD_AMOUNT),
                (10**15 + 1, Code.BAD_AMOUNT),
            ):
                with pytest.raises(RejectedError) as no:
                    await bank.transfer(account, bob.credential, amount_ucr)
                assert no.value.code is code
            with pytest.raises(RejectedError) as no:
                await bank.transfer(account, bytes(16), 1)
            assert no.value.code is Code.UNKNOWN_ACCOUNT
            await bank.transfer(account, bob.credential, credits(20))
            await told(bob, credits(150))
            await told(alice, 0, credits(50))
            await bank.transfer(bob.credential, bank.credential, credits(150))
            await told(bob, 0)

    asyncio.run(play())
