"""What honest members do while a market is attacked, and what has to come of it."""

from __future__ import annotations

from contractnet.messages import commands as c
from faults.hostile.ground import ACCEPTED, Ground, Shot, bid

RESERVE_UCR = 10
PRICE_UCR_MAX = 100_000


def negotiation(ground: Ground, *, griefed: bool = False) -> list[Shot]:
    """A call and a bid of each agent. The best has to win at the second best price; the ground remembers it.

    `griefed`: the insider's accomplice bids more than anybody and withdraws, which must change nothing.
    """
    rng = ground.rng
    called, cfp = ground.honest(ground.calling("gpu", ground.open_ms, RESERVE_UCR), ground.manager)
    shots, offers = [called], []
    if griefed:
        high = ground.sealed(bid(cfp, PRICE_UCR_MAX * 10), ground.fence)
        leave = ground.shot(c.WithdrawBid(high.command_id), ground.fence, ACCEPTED)
        shots += [ground.shot_of(high, ACCEPTED), leave]
    for keys, price in zip(
        ground.agents, rng.sample(range(RESERVE_UCR, PRICE_UCR_MAX), len(ground.agents)), strict=True
    ):
        shot, ident = ground.honest(bid(cfp, price, "task"), keys)
        shots.append(shot)
        offers.append((price, ident))
    (_, winner), (second, _) = sorted(offers, reverse=True)[:2]
    ground.promised[cfp] = (winner, second)
    return shots
