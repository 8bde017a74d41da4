"""What a bidder on several CFPs wins with a group of bids, to what it wins when each bid holds its price. No Kafka.

It needs two slots, and has credits for the two that it values most. There are six CFPs, on each of which it values a
slot differently, and three rivals a CFP. Everybody bids what a slot is worth to it. With a group it bids on all at
once. Else it has as many bids standing as it still needs, on the CFPs that it values most, and bids anew when one has
lost.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.scaling import BANK, NAME, Town
from contractnet.messages import commands as c

CFPS, RIVALS, NEEDED, OPEN_MS = 6, 3, 2, 600
BIDDER, GROUP = b"x" * 32, b"g" * 16


@dataclass(frozen=True, slots=True)
class Bought:
    """What a bidder won: its worth to it, and what it paid, credits of the draw."""

    value: int
    paid: int


def buys(seed: int, *, grouped: bool, at_once: bool) -> Bought:
    """One market. `at_once`: all CFPs close together, in place of one after the other."""
    dice = random.Random(f"groups/{seed}")
    values = [dice.randrange(50, 151) for _ in range(CFPS)]
    rivals = [[dice.randrange(20, 151) for _ in range(RIVALS)] for _ in range(CFPS)]
    town = Town(RIVALS)
    funds = sum(sorted(values)[-NEEDED:])
    account = town.send(c.OpenAccount("bidder", "p", "p", BIDDER, bytes(32)), BANK)
    town.send(c.IssueCredits(account, funds, ""), BANK)
    state = town.shard.markets[NAME]
    cfps = [town.call(OPEN_MS if at_once else OPEN_MS * (place + 1) // CFPS) for place in range(CFPS)]
    for cfp, prices in zip(cfps, rivals, strict=True):
        for key, price in zip(town.keys, prices, strict=True):
            town.bid(cfp, key, price)
    best = sorted(range(CFPS), key=lambda place: -values[place])
    bids: dict[bytes, int] = {}
    for _ in range(CFPS + 1):
        for place in best:
            open_to_it = cfps[place] in state.cfps and place not in bids.values()
            standing = sum(bid in state.bids or bid in town.won for bid in bids)
            if open_to_it and (grouped or standing < NEEDED):
                terms = (GROUP, NEEDED) if grouped else (None, 0)
                bid = c.PlaceBid(cfps[place], values[place], 0, "t", bytes(32), None, *terms)
                bids[town.send(bid, BIDDER)] = place
        town.at_ms += OPEN_MS // CFPS
        town.send(c.Tick(), BIDDER)
    won = [place for bid, place in bids.items() if bid in town.won]
    return Bought(sum(values[place] for place in won), funds - state.accounts[account].balance_ucr)
