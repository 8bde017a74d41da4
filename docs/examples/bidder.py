"""An agent that bids 5 credits on every call for proposals until it has won once."""

import asyncio

from contractnet import Agent, credits
from contractnet.errors import RejectedError


async def main() -> None:
    async with Agent.connect("agent.json") as agent:
        async for cfp in agent.cfps():
            try:
                if award := await (await agent.bid(cfp, credits(5), task="train-42")).outcome():
                    print(f"won {award.units} x {award.pool} for {award.price_ucr} micro-credits, token {award.token}")
                    break
            except RejectedError as error:  # such as CFP_CLOSED: the bid came too late
                print(error)


asyncio.run(main())
