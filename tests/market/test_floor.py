"""Starvation of the poor, and a floor share for them by invitation: measured (docs/guards.md).

The floor is a habit of the manager, no rule of the market: nothing here sets it but who is invited, which
`contractnet.strategies.FloorShare` says from who bid and who won. Nobody tells it who is poor.

`pytest -s tests/market/test_floor.py` prints what it found.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import sqrt
from statistics import mean, stdev

from contractnet.strategies import FloorShare
from tests.market.town import bid, key_pair, small_town

RICH, POOR = tuple(f"rich {n}" for n in range(6)), ("poor 0", "poor 1")
SEEDS, CALLS, PACE = (1, 2, 3, 4, 5), 100, 10
"""A rich agent bids ten times what its slot is worth in a poor one's credits: so much more it has to spend."""
Z, T_OF_FIVE = 1.960, 2.776
"""Quantiles for intervals of 95%: the normal distribution's, and Student's with four degrees of freedom."""


def shares(floor: int, seed: int) -> tuple[int, int, int]:
    """How many of CALLS calls the poor win, for how many one of them waits at most, and the value that all winners
    have; each `floor`-th call invites whom a FloorShare names (0: none)."""
    town, ids = small_town(*RICH, *POOR)
    dice = random.Random(seed)
    owners = {ids[name]: name for name in (*RICH, *POOR)}
    share = FloorShare(bytes([seed]) * 16, every=floor) if floor else None
    won, last, longest, served = 0, dict.fromkeys(POOR, 0), 0, 0
    for number in range(1, CALLS + 1):
        worth = {name: dice.randrange(20, 100) for name in (*RICH, *POOR)}
        invited = share.invited(number) if share else []
        cfp = town.cfp(open_ms=50, duration_ms=100, invited=tuple(invited))
        bidders = {account: owners[account] for account in invited or owners}
        for name in bidders.values():
            town.send(bid(cfp, worth[name] * (PACE if name in RICH else 1)), key_pair(name))
        (award,) = town.settle(cfp)
        winner = owners[award.account]
        served += worth[winner]
        if share:
            share.observe(bidders, [award.account], invited)
        town.at_ms += 100
        if winner in POOR:
            won += 1
            last[winner] = number
        longest = max(longest, *(number - since for since in last.values()))
    return won, longest, served


def most_of(won: int, of: int) -> float:
    """The upper end of the 95% interval of a part, by Wilson's score: it holds where nothing was won, too."""
    part, spread = won / of, Z**2 / of
    half = sqrt(part * (1 - part) * spread + spread**2 / 4)
    return (part + spread / 2 + half) / (1 + spread)


def test_a_floor_share_ends_starvation(tell: Callable[[str], None]) -> None:
    """Without a floor the poor win next to nothing. With every fifth call by invitation they win most of those (before
    the first ones not all of the rich have won more), and none waits long; what it costs is the value of the slots that
    others would have used better."""
    without, floored = ([shares(floor, seed) for seed in SEEDS] for floor in (0, 5))
    of = CALLS * len(SEEDS)
    won, floor_won = (sum(run[0] for run in runs) for runs in (without, floored))
    most = most_of(won, of)
    wait, floor_wait = min(run[1] for run in without), max(run[1] for run in floored)
    wins = [run[0] for run in floored]
    spread = T_OF_FIVE * stdev(wins) / sqrt(len(wins))
    kept = [with_floor[2] / bare[2] for bare, with_floor in zip(without, floored, strict=True)]
    half = T_OF_FIVE * stdev(kept) / sqrt(len(kept))
    tell(
        f"the poor (2 of 8 agents, a tenth of the credits) win {won} of {of} slots without a floor (95%: at most "
        f"{most:.1%}), {floor_won} with one of 20% ({mean(wins)} +- {spread:.1f} a seed); one of them waits for {wait} "
        f"of {CALLS} calls at least, and for {floor_wait} at most; the value served is {mean(kept):.3f} +- {half:.3f} "
        f"of that without (95%, {len(SEEDS)} seeds)"
    )
    assert most < 0.05
    assert floor_won >= 0.7 * of / 5
    assert floor_wait < wait / 2
    assert mean(kept) - half > 0.9
