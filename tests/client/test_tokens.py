"""Token pools through the SDK and a real market: orders are cleared, a System agent draws, usage is reported."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Agent, Grant, Operator, operator_credential
from contractnet.errors import CommandUnsendableError, RejectedError, TokensTimeoutError
from tests.client.stage import OPERATOR, Stage, staged

pytestmark = pytest.mark.broker

GPT = "openai/gpt-5"


async def first(agent: Agent) -> Grant:
    """The next grant that an agent hears of."""
    async with asyncio.timeout(30):
        async for grant in agent.grants(GPT):
            return grant
    raise AssertionError("the connection was closed")


async def made_system(stage: Stage, agent: Agent, bootstrap: str) -> None:
    """The operator gives an agent priority."""
    banker = stage.bank.credential
    who = operator_credential(banker.market, keys=OPERATOR)
    async with Operator.connect(who, bootstrap) as operator:
        await operator.set_priority(agent.credential)


def test_tokens_are_bought_drawn_and_reported(referee: Broker) -> None:
    """Two agents with orders are granted tokens each interval and pay no more than their limits; a System agent draws
    from the reserve at once; nobody reports more than it was granted."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=3) as stage:
            ann, bob, ops = stage.bidders
            await stage.bank.create_token_pool(
                GPT,
                stage.manager.credential,
                tokens_per_minute=60_000,
                burst_tokens=10_000,
                reserve_permille=500,
                interval_s=1,
                grant_s=30,
                reserve_per_1000_ucr=1_000,
            )
            with pytest.raises(RejectedError, match="BELOW_RESERVE"):
                await ann.order_tokens(GPT, 1_000, 999)
            orders = [await ann.order_tokens(GPT, 4_000, 9_000, task="chat"), await bob.order_tokens(GPT, 4_000, 5_000)]
            grants = await asyncio.gather(first(ann), first(bob))
            for grant, limit, order in zip(grants, (9_000, 5_000), orders, strict=True):
                assert grant.order == order
                assert 0 < grant.tokens <= 4_000
                assert grant.tokens * 1_000 // 1_000 <= grant.paid_ucr <= grant.tokens * limit // 1_000
                assert grant.expires_at_ms - grant.at_ms == 30_000
            with pytest.raises(RejectedError, match="NOT_SYSTEM"):
                await ops.draw_tokens(GPT, 100, "incident")
            await made_system(stage, ops, referee.bootstrap)
            drawn = await ops.draw_tokens(GPT, 5_000, "incident")
            assert (drawn.tokens, drawn.paid_ucr, drawn.system, drawn.order) == (5_000, 0, True, None)
            await ann.report_usage(grants[0], grants[0].tokens, calls=3, task="chat")
            with pytest.raises(RejectedError, match="GRANT_SPENT"):
                await ann.report_usage(grants[0].id, 1)
            with pytest.raises(RejectedError, match="NOT_OWNER"):
                await bob.report_usage(grants[0], 1)
            await ann.cancel_order(orders[0])
            with pytest.raises(RejectedError, match="UNKNOWN_ORDER"):
                await ann.cancel_order(orders[0])
            with pytest.raises(RejectedError, match="NOT_OWNER"):
                await ann.resize_token_pool(GPT, tokens_per_minute=1, burst_tokens=1)
            await stage.manager.resize_token_pool(GPT, tokens_per_minute=120_000, burst_tokens=20_000)

    asyncio.run(play())


def test_a_wallet_buys_for_no_demand_that_is_gone(referee: Broker) -> None:
    """After callers that gave up nothing is bought; what the pool or a budget can never give is refused at once."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            (ann,) = stage.bidders
            await stage.bank.create_token_pool(
                GPT,
                stage.manager.credential,
                tokens_per_minute=60_000,
                burst_tokens=10_000,
                reserve_permille=500,
                interval_s=1,
                grant_s=3,
                reserve_per_1000_ucr=1_000,
            )
            wallet = ann.wallet(GPT, 5_000, task="chat")
            async with ann.tokens(GPT, 100) as tokens:
                tokens.used(100)
            for _ in range(2):
                with pytest.raises(TokensTimeoutError):
                    async with ann.tokens(GPT, 8_000, timeout_s=0.3):
                        pass
            await asyncio.sleep(2)
            balance = ann.balance()
            await asyncio.sleep(5)
            assert wallet.held <= 500
            before, after = balance, ann.balance()
            assert before is not None
            assert after is not None
            assert before.available_ucr - after.available_ucr <= 5 * 500, "a forecast of 100, not of thousands"
            with pytest.raises(CommandUnsendableError, match=r"a burst of 10,000, 5,000 .* at most 8,000"):
                async with ann.tokens(GPT, 8_001):
                    pass
            await stage.bank.set_budget(ann.credential, 2_000, window_s=86_400)
            async with asyncio.timeout(10):
                while ann.budget() is None:
                    await asyncio.sleep(0.05)
            with pytest.raises(CommandUnsendableError, match=r"has 0\.002 credits, .* at most 2,000"):
                async with ann.tokens(GPT, 2_001):
                    pass

    asyncio.run(play())
