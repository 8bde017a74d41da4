"""The owner of a pool offers two of its GPUs for a minute, to the highest bid within a second."""

import asyncio

from contractnet import Agent, credits


async def main() -> None:
    async with Agent.connect("manager.json") as manager:
        cfp = await manager.call_for_proposals("gpu", 2, duration_s=60, open_s=1, reserve_ucr=credits("0.5"))
        ended = await cfp.outcome()
        print(ended.outcome)
        for winner in ended.winners:
            print(f"bid {winner.bid.hex()} pays {winner.price_ucr} micro-credits")


asyncio.run(main())
