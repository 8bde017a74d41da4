"""Calls a language model through a token pool: `llm.py URL` sends five requests to URL/v1/chat/completions.

Needs bank.json, manager.json and agent.json (docs/examples/market.py) and `contractnet[http]`. The bank creates the
pool first, with the limit that the provider has given to the whole team; on a broker with access control it shows the
operator's user (CONTRACTNET_ACCESS=.contractnet/access/operator.properties).
"""

import asyncio
import sys

import httpx

from contractnet import Agent, Bank, Code, credits
from contractnet.client.http import TokenTransport
from contractnet.credentials import load
from contractnet.errors import RejectedError

POOL = "openai/gpt-5"


async def create_pool() -> None:
    async with Bank.connect("bank.json") as bank:
        try:
            await bank.create_token_pool(
                POOL, load("manager.json"), tokens_per_minute=600_000, burst_tokens=60_000, interval_s=1
            )
        except RejectedError as error:
            if error.code is not Code.NAME_TAKEN:
                raise


async def main(url: str) -> None:
    await create_pool()
    async with Agent.connect("agent.json") as agent:
        # 1,000 tokens are worth 0.02 credits to this agent; what it pays is less as a rule.
        wallet = agent.wallet(POOL, credits("0.02"), task="summaries")
        transport = TokenTransport(httpx.AsyncHTTPTransport(), wallet, estimate=lambda _: 1_000)
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            body = {"model": "gpt-5", "messages": [], "prompt_tokens": 700, "completion_tokens": 150}
            answers = await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(5)))
        for answer in answers:
            print(answer.status_code, answer.json()["usage"]["total_tokens"], "tokens")

        # The same without HTTP: whatever the block does, and what it says that it used.
        async with agent.tokens(POOL, 400, task="embedding") as tokens:
            tokens.used(380)
        print(f"{wallet.held} tokens are held")


asyncio.run(main(sys.argv[1]))
