"""Wallets on a real market: tokens are bought ahead, drawn from the reserve, spent, reported, and their order ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from benchmarks.provider import Provider, providing
from broker.interface import Broker
from contractnet import Agent, Operator, operator_credential
from contractnet.client.http import TokenTransport
from contractnet.errors import CommandUnsendableError, ConnectionClosedError, RejectedError, TokensTimeoutError
from tests.client.stage import OPERATOR, Stage, staged

pytestmark = pytest.mark.broker

GPT = "openai/gpt-5"
PRICE = 9_000


@asynccontextmanager
async def pooled(bootstrap: str, *, per_minute: int, burst: int, reserve_permille: int = 0) -> AsyncIterator[Stage]:
    """A market with a token pool that is cleared every second; the last bidder is a System agent."""
    async with staged(bootstrap, bidders=3) as stage:
        await stage.bank.create_token_pool(
            GPT,
            stage.manager.credential,
            tokens_per_minute=per_minute,
            burst_tokens=burst,
            reserve_permille=reserve_permille,
            interval_s=1.0,
            reserve_per_1000_ucr=1_000,
        )
        banker = stage.bank.credential
        async with Operator.connect(operator_credential(banker.market, keys=OPERATOR), bootstrap) as operator:
            await operator.set_priority(stage.bidders[-1].credential)
        yield stage


def test_tokens_are_bought_spent_and_reported(referee: Broker) -> None:
    """Many callers of one agent; all that the market granted is used, held or over, and what is reported is what was
    used: one token more is refused. After the close no order stands."""

    async def play() -> None:
        async with pooled(referee.bootstrap, per_minute=600_000, burst=50_000) as stage:
            ann = stage.bidders[0]
            with pytest.raises(CommandUnsendableError, match="needs a price"):
                ann.tokens(GPT, 10)
            wallet = ann.wallet(GPT, PRICE, task="chat", report_s=0.5)
            grants = ann.grants(GPT)

            async def call(number: int) -> None:
                async with ann.tokens(GPT, 500, task=f"task-{number % 2}") as spending:
                    spending.used(400 + number)

            await asyncio.gather(*(call(number) for number in range(40)))
            assert ann.wallet(GPT) is wallet
            held, used = wallet.held, sum(400 + number for number in range(40))
            await wallet.close()
            granted = [grants._backlog.popleft() for _ in range(len(grants._backlog))]
            total = sum(grant.tokens for grant in granted)
            assert total >= used + held
            assert wallet._reporter.refused == 0
            for grant in granted:
                assert grant.paid_ucr <= grant.tokens * PRICE // 1_000
            left = {one.grant.id: one.left for one in wallet.holdings._held}
            for grant in granted:
                if left[grant.id]:
                    await ann.report_usage(grant, left[grant.id])
                with pytest.raises(RejectedError, match="GRANT_SPENT"):
                    await ann.report_usage(grant, 1)
            with pytest.raises(RejectedError, match="UNKNOWN_ORDER"):
                await ann.cancel_order(next(reversed(wallet._orders)))
            with pytest.raises(ConnectionClosedError, match=GPT):
                async with ann.tokens(GPT, 1):
                    pass

    asyncio.run(play())


def test_a_system_agent_is_served_while_others_buy_everything(referee: Broker) -> None:
    """Two agents ask for many times what there is. The System agent draws from the reserve, within two intervals each
    time; an ordinary agent, whose price is the lowest, times out and is told why."""

    async def play() -> None:
        async with pooled(referee.bootstrap, per_minute=60_000, burst=10_000, reserve_permille=300) as stage:
            ann, bob, ops = stage.bidders
            await ann.order_tokens(GPT, 1_000_000, 50_000)
            system = ops.wallet(GPT, None, task="incident", system=True, draw_after_s=0.1)
            poor = bob.wallet(GPT, 1_000, task="batch")
            waiting = asyncio.create_task(_waits(bob, 5_000, timeout_s=5.0))
            waits = []
            for _ in range(8):
                began = time.monotonic()
                async with ops.tokens(GPT, 400):
                    waits.append(time.monotonic() - began)
                await asyncio.sleep(0.3)
            assert max(waits) < 2 * 1.0 + 1.0, f"two intervals of a second, and a second for a busy machine: {waits}"
            with pytest.raises(TokensTimeoutError, match="openai/gpt-5"):
                await waiting
            assert system.debt == poor.debt == 0

    asyncio.run(play())


async def _waits(agent: Agent, tokens: int, timeout_s: float) -> None:
    async with agent.tokens(GPT, tokens, timeout_s=timeout_s):
        pass


def test_requests_take_tokens_first_and_are_not_throttled(referee: Broker) -> None:
    """The same burst of requests: without tokens the provider refuses many, with them none."""

    async def burst(url: str, transport: httpx.AsyncBaseTransport) -> list[int]:
        async with httpx.AsyncClient(transport=transport, base_url=url, timeout=60) as client:
            body = {"prompt_tokens": 800, "completion_tokens": 200}
            answers = await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(30)))
        return [answer.status_code for answer in answers]

    async def play() -> None:
        async with pooled(referee.bootstrap, per_minute=300_000, burst=5_000) as stage:
            # The provider allows 5,000 tokens a second and 10,000 at once; all requests take 30,000.
            async with providing(Provider(10_000, minute_s=2.0)) as alone:
                statuses = await burst(alone.url, httpx.AsyncHTTPTransport())
                assert statuses.count(429) >= 10
            async with providing(Provider(10_000, minute_s=2.0)) as provider:
                wallet = stage.bidders[0].wallet(GPT, PRICE, task="chat", margin=0.0)
                transport = TokenTransport(httpx.AsyncHTTPTransport(), wallet, lambda _: 900)
                assert set(await burst(provider.url, transport)) == {200}
                assert provider.refused <= 1, f"{provider.refused} of 30 were refused"
            await stage.bidders[0].close()

    asyncio.run(play())
