"""Starvation of the poor, and a floor share for them by invitation: measured (docs/guards.md).

`pytest -s tests/market/test_floor.py` prints what it found.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.market.town import bid, key_pair, small_town

RICH, POOR = tuple(f"rich {n}" for n in range(6)), ("poor 0", "poor 1")
CALLS, PACE = 160, 10
"""A rich agent bids ten times what its slot is worth in a poor one's credits: so much more it has to spend."""


def shares(floor: int, seed: int = 1) -> tuple[float, float, float]:
    """Of CALLS calls, the part that the poor win, the longest that one of them waits as a part of all calls, and the
    value that all winners have; each `floor`-th call invites the poor alone (0: none)."""
    town, ids = small_town(*RICH, *POOR)
    dice = random.Random(seed)
    owners = {ids[name]: name for name in (*RICH, *POOR)}
    invited = tuple(ids[name] for name in POOR)
    won, last, longest, served = 0, dict.fromkeys(POOR, 0), 0, 0
    for number in range(1, CALLS + 1):
        worth = {name: dice.randrange(20, 100) for name in (*RICH, *POOR)}
        closed = floor > 0 and number % floor == 0
        cfp = town.cfp(open_ms=50, duration_ms=100, invited=invited if closed else ())
        for name in POOR if closed else (*RICH, *POOR):
            town.send(bid(cfp, worth[name] * (PACE if name in RICH else 1)), key_pair(name))
        (award,) = town.settle(cfp)
        winner = owners[award.account]
        served += worth[winner]
        town.at_ms += 100
        if winner in POOR:
            won += 1
            last[winner] = number
        longest = max(longest, *(number - since for since in last.values()))
    return won / CALLS, longest / CALLS, served


def test_a_floor_share_ends_starvation(tell: Callable[[str], None]) -> None:
    """Without a floor the poor win next to nothing. With every fifth call by invitation they win a fifth at least, and
    none waits long; what it costs is the value of the slots that others would have used better."""
    share, wait, value = shares(0)
    floor_share, floor_wait, floor_value = shares(5)
    tell(
        f"the poor (2 of 8 agents, a tenth of the credits) win {share:.1%} of {CALLS} slots without a floor, "
        f"{floor_share:.1%} with one of 20%; the longest wait is {wait:.0%} and {floor_wait:.0%} of all calls; "
        f"the value served is {floor_value / value:.3f} of that without"
    )
    assert share < 0.05
    assert floor_share >= 0.2
    assert floor_wait < wait / 2
    assert floor_value > 0.9 * value
