"""An agent with 50 credits for about 200 calls bids what a slot is worth to it, paced so that they last. It claims what
its estimates have delivered so far, and ends when it has won twice."""

import asyncio

from contractnet import Agent, Bidder, Claim, Priority, credits
from contractnet.errors import RejectedError
from contractnet.strategies import Calibrator, Paced, Pacer


async def main() -> None:
    strategy = Paced(Pacer(credits(50), rounds=200))
    calibrator = Calibrator()
    async with Agent.connect("agent.json") as agent:
        bidder = Bidder(agent, strategy, calibrator)
        async for cfp in agent.cfps("gpu"):
            claim = Claim(Priority.NORMAL, cfp.closes_at_ms + 60_000, expected_value_points=100)
            try:
                award = await bidder.bid(cfp, credits(5), task="train-42", claim=claim)
            except RejectedError as error:  # such as CFP_CLOSED: the bid came too late
                print(error)
                continue
            if award is not None:
                bidder.delivered(award, points=80)  # what the work was worth in the end
                print(f"won for {award.price_ucr} micro-credits, {strategy.pacer.left_ucr} are left")
            if calibrator.tasks == 2:
                break
        print(f"100 points of an estimate are {calibrator.claim_points(100)} in a claim")


asyncio.run(main())
