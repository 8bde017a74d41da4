"""What `up` and `enroll` do, as a program: open one more market, enroll a manager and an agent, issue credits.

export CONTRACTNET_ACCESS=.contractnet/access/operator.properties  # the broker's user: the operator's
python docs/examples/market.py .contractnet/keys/operator.json lab
"""

import asyncio
import sys

from contractnet import Bank, Operator, credits, operator_credential
from contractnet.credentials import load


async def main() -> None:
    operator_file, market = sys.argv[1:]
    keys = load(operator_file).keys  # the services trust this key for any number of markets
    async with Operator.connect(operator_credential(market, keys=keys)) as operator:
        await operator.open_market(bank_path="bank.json")
    async with Bank.connect("bank.json") as bank:
        manager = await bank.enroll("infra", "platform", "manager.json")
        agent = await bank.enroll("alice", "vision", "agent.json")
        await bank.create_pool("gpu", manager, 8)
        await bank.issue(agent, credits(100), "first allowance")
        await bank.issue(manager, credits(1), "a bond, should it do work for others")
        print(f"market {manager.market!r} is open, {agent.name} has 100 credits")


asyncio.run(main())
