"""An agent that needs its GPU no longer sells the rest of its lease back to the pool's owner: both bargain by Zeuthen's
strategy, and one step of the market moves lease and credits, after a call for the lease where the operator has them."""

import asyncio

from contractnet import Agent, Offer, credits
from contractnet.strategies.bargaining import Domain, Zeuthen

PRICES = [credits(str(n)) for n in range(1, 10)]
OFFERS = [Offer((), price) for price in PRICES]
# The rest is worth 2 credits to the agent, which will not use it, and 8 to the owner, who can sell it again.
DOMAIN = Domain([price - credits(2) for price in PRICES], [credits(8) - price for price in PRICES])


async def buy(owner: Agent) -> None:
    async for negotiation in owner.negotiations():
        await negotiation.join(credits(8), task="buy back")
        deal = await owner.negotiate(negotiation, Zeuthen, DOMAIN, OFFERS)
        if deal is None:
            return
        # Where the operator says so, others may bid for a few seconds: None, if one of them has bid more.
        award = deal.award or await negotiation.award()
        print(f"bought {award.units} x {award.pool}, token {award.token}" if award else "outbid")
        break


async def main() -> None:
    async with Agent.connect("manager.json") as owner, Agent.connect("agent.json") as agent:
        cfp = await owner.call_for_proposals("gpu", 1, duration_s=60, open_s=1, pricing="FIRST")
        lease = await (await agent.bid(cfp, credits(9))).outcome()
        assert lease is not None, "nobody else bids"
        assert owner.credential.account is not None
        buying = asyncio.create_task(buy(owner))
        negotiation = await agent.open_negotiation(lease, owner.credential.account)
        deal = await agent.negotiate(negotiation, Zeuthen, DOMAIN, OFFERS)
        print(f"sold for {deal.price_ucr} micro-credits" if deal else "no deal")
        await buying


asyncio.run(main())
