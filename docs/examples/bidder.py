"""An agent that bids 5 credits on every call for proposals until it has won once."""

import asyncio
from contextlib import suppress

from contractnet import Agent, credits
from contractnet.errors import RejectedError


async def main() -> None:
    async with Agent.connect("agent.json") as agent:
        async for cfp in agent.cfps():
            with suppress(RejectedError):  # such as CFP_CLOSED: the bid came too late
                bid = await agent.bid(cfp, credits(5), task="train-42")
                if award := await bid.outcome():
                    print(f"won {award.units} x {award.pool} for {award.price_ucr} micro-credits, token {award.token}")
                    break


asyncio.run(main())
