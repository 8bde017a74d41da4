"""The owner of a pool that does one piece of work: it asks 20 credits, starts within 2 seconds, hands over a result."""

import asyncio

from contractnet import Agent, credits


async def main() -> None:
    async with Agent.connect("manager.json") as contractor:
        async for cfp in contractor.cfps("h100", "BUY"):
            ask = await contractor.ask(cfp, credits(20), "gpu", start_delay_s=2)
            if award := await ask.outcome():
                await contractor.started(award)
                await contractor.done(award, "sha256:9f86d081884c7d65")  # what the work came to, or where it is
                print(f"was paid {(await contractor.work(award)).paid_ucr} micro-credits")
                break


asyncio.run(main())
