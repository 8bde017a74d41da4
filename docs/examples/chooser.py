"""The owner of a pool offers a GPU for a minute and chooses itself: the cheapest of the bids it is shown gets it."""

import asyncio

from contractnet import Agent, credits


async def main() -> None:
    async with Agent.connect("manager.json") as manager:
        cfp = await manager.call_for_proposals(
            "gpu", 1, duration_s=60, open_s=1, reserve_ucr=credits("0.5"), award="MANAGER", decide_s=10
        )
        for bid in reversed(await manager.proposals(cfp)):
            print(f"{bid.agent} offers {bid.price_ucr} micro-credits for {bid.task or 'no task'}")
            await manager.award(bid)
            break
        print((await cfp.outcome()).outcome)


asyncio.run(main())
