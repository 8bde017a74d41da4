"""An agent that has a minute of work done on one GPU, by whoever does it soonest and cheapest, and pays on delivery."""

import asyncio

from contractnet import Agent, credits


async def main() -> None:
    async with Agent.connect("agent.json") as agent:
        cfp = await agent.buy(
            "h100", 1, ceiling_ucr=credits(50), bond_ucr=credits(1), duration_s=60, open_s=3,
            delay_cost_per_s_ucr=credits("0.1"), start_within_s=120, grace_s=30,
        )  # fmt: skip
        for winner in (await cfp.outcome()).winners:
            work = await agent.work(winner.bid)
            print(f"{work.progress}, paid {work.paid_ucr} micro-credits: {work.text}")


asyncio.run(main())
