"""A bid that is stored before it is sent: after a crash the same bid is sent again, and counts once."""

import asyncio
from pathlib import Path

from contractnet import Agent, credits
from contractnet.client.stored import from_text, to_text
from contractnet.errors import OutcomeTimeoutError

STORED = Path("bid.json")


async def main() -> None:
    async with Agent.connect("agent.json") as agent:
        if not STORED.exists():
            cfp = await anext(agent.cfps("gpu"))
            STORED.write_text(to_text(agent.prepare_bid(cfp, credits(5), task="train-42")))
        sealed, bid = from_text(STORED.read_text()), None
        while bid is None:
            try:
                bid = await agent.submit_bid(sealed, timeout_s=5)
            except OutcomeTimeoutError:  # its `.sealed` is this bid too: that is how agent.bid() is repeated
                print("no answer yet, sending the same bid again")
        award = await bid.outcome()
        print(f"bid {bid.id.hex()}: {'won' if award else 'lost'}")
        STORED.unlink()


asyncio.run(main())
