"""Open a market, enroll a manager and an agent, give the agent credits and the manager a pool."""

import asyncio

from contractnet import Bank, Operator, credits


async def main() -> None:
    async with Operator.connect("operator.json") as operator:
        await operator.open_market(bank_path="bank.json")
    async with Bank.connect("bank.json") as bank:
        manager = await bank.enroll("infra", "platform", "manager.json")
        agent = await bank.enroll("alice", "vision", "agent.json")
        await bank.create_pool("gpu", manager, 8)
        await bank.issue(agent, credits(100), "first allowance")
        print(f"market {manager.market!r} is open, {agent.name} has 100 credits")


asyncio.run(main())
