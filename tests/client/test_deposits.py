"""Deposits through the SDK: the operator sets the rate, a manager deposits, and who was not served is paid."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from broker.interface import Broker
from contractnet import Agent, Code, Operator, credits, operator_credential
from contractnet.errors import RejectedError
from tests.client.stage import OPERATOR, POOL, staged

pytestmark = pytest.mark.broker


async def told(agent: Agent, is_news: Callable[[int], bool]) -> int:
    """What the agent may spend, as soon as it was told of the sum that is waited for."""
    async with asyncio.timeout(20):
        while (found := agent.balance()) is None or not is_news(found.available_ucr):
            await asyncio.sleep(0.02)
    return found.available_ucr


def test_a_manager_deposits_and_pays_for_a_cancel(referee: Broker) -> None:
    """Without credits it cannot call; with them it can, and a call that it takes back pays the bidder."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            (alice,) = stage.bidders
            manager = stage.manager
            credential = operator_credential(stage.bank.credential.market, keys=OPERATOR)
            async with Operator.connect(credential, referee.bootstrap) as operator:
                await operator.set_deposit(1_000_000)
            with pytest.raises(RejectedError) as no:
                await manager.call_for_proposals(POOL, duration_s=5, open_s=36, reserve_ucr=1_000)
            assert no.value.code is Code.INSUFFICIENT_CREDIT
            await stage.bank.issue(manager.credential.account or b"", 10_000)
            cfp = await manager.call_for_proposals(POOL, duration_s=5, open_s=36, reserve_ucr=1_000)
            await alice.bid(cfp, 2_000)
            await asyncio.sleep(0.5)
            await manager.cancel(cfp)
            paid = await told(alice, lambda ucr: ucr > credits(100)) - credits(100)
            # 1,000 reserves an hour are 0.28 of one in a second.
            assert 100 <= paid <= 5_000
            await told(manager, lambda ucr: ucr == 10_000 - paid)

    asyncio.run(play())
