"""What the test of invitations finds of rings, and how soon: made-up lotteries, with and without agents that collude.

Each lottery invites some of all agents by lot. Everybody's worth is drawn anew, and everybody bids its worth times a
shade of its own; a ring's members know who of them is invited, and react. No market runs here: this is about the
statistics of `market.integrity`.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from market.integrity.evidence import ONE, discoveries
from market.integrity.invitations import Bid, InvitationTest, Lottery

ALPHA_PPM = 50_000
INVITATIONS = 300
CHECKED_EVERY = 5
"""Lotteries between two looks at the evidence."""


class Kind(Enum):
    """What a ring does where two or more of it are invited."""

    HONEST = "none"
    ALL_LOWER = "all bid lower"
    SUPPRESS = "all but the one with the most to gain bid lower"
    ROTATE = "all but the one whose turn it is bid lower"
    COVER = "as SUPPRESS, with claims as low as the bids"
    AWAY = "all but the one with the most to gain stay away"
    BLIND = "all bid lower by a rule that does not look at invitations"


@dataclass(frozen=True, slots=True)
class Scene:
    """`depth` is what a member bids of what it would; `noise` the relative deviation of a claim from the worth."""

    agents: int = 40
    invited: int = 8
    ring: int = 3
    kind: Kind = Kind.SUPPRESS
    depth: float = 0.5
    noise: float = 0.1
    spread: float = 0.6
    """Standard deviation of the logarithm of the worths."""


def lotteries(scene: Scene, dice: random.Random) -> Iterator[Lottery]:
    """One after another; the first agents are the ring."""
    names = tuple(b"%d" % number for number in range(scene.agents))
    ring = frozenset(names[: scene.ring] if scene.kind is not Kind.HONEST else ())
    shade = {name: dice.uniform(0.7, 1.0) for name in names}
    turn = 0
    while True:
        invited = frozenset(dice.sample(names, scene.invited))
        worth = {name: 1e6 * dice.lognormvariate(0.0, scene.spread) for name in names if name in invited}
        there = [name for name in names if name in ring & invited]
        turn += len(there) > 1
        lower = _lower(scene.kind, there, worth, turn, dice)
        bids: dict[bytes, Bid] = {}
        for name, value in worth.items():
            if name in lower and scene.kind is Kind.AWAY:
                continue
            part = scene.depth if name in lower else 1.0
            price = value * shade[name] * part
            claim = value * dice.lognormvariate(0.0, scene.noise) * (part if scene.kind is Kind.COVER else 1.0)
            bids[name] = Bid(round(price), max(1, round(claim)))
        yield Lottery(names, invited, bids)


def _lower(kind: Kind, there: list[bytes], worth: dict[bytes, float], turn: int, dice: random.Random) -> set[bytes]:
    """Who of those of the ring that are invited bids lower."""
    if kind is Kind.BLIND:
        return {name for name in there if dice.random() < 0.3}
    if len(there) < 2 or kind is Kind.HONEST:
        return set()
    if kind is Kind.ALL_LOWER:
        return set(there)
    chosen = there[turn % len(there)] if kind is Kind.ROTATE else max(there, key=worth.__getitem__)
    return set(there) - {chosen}


@dataclass(slots=True)
class FourBins:
    """What this is compared with: bets on a rival's invitation by the quarter of an agent's raw bids, with the
    frequencies so far (Krichevsky & Trofimov 1981)."""

    bids: dict[bytes, list[int]] = field(default_factory=dict)
    seen: dict[tuple[bytes, bytes], list[list[float]]] = field(default_factory=dict)
    wealth: dict[tuple[bytes, bytes], float] = field(default_factory=dict)

    def observe(self, lottery: Lottery, ring: frozenset[bytes]) -> None:
        """Settle the bets among the ring."""
        chance = (len(lottery.invited) - 1) / (len(lottery.eligible) - 1)
        for agent in sorted(ring & lottery.invited):
            kept = self.bids.setdefault(agent, [])
            price = lottery.bids[agent].price_ucr if agent in lottery.bids else -1
            place = min(3, bisect_left(sorted(kept), price) * 4 // max(1, len(kept)))
            for rival in sorted(ring - {agent}):
                there = rival in lottery.invited
                total, met = self.seen.setdefault((agent, rival), [[0.0, 0.0] for _ in range(4)])[place]
                guess = (met + chance) / (total + 1)
                gain = guess / chance if there else (1 - guess) / (1 - chance)
                self.wealth[agent, rival] = self.wealth.get((agent, rival), 1.0) * gain
                self.seen[agent, rival][place] = [total + 1, met + there]
            kept.append(price)


def invitations_to_discovery(scene: Scene, seed: str) -> tuple[int | None, int | None]:
    """How many lotteries a member was invited to (on average of the ring) when a true pair is found among all ordered
    pairs of all agents at 5%: by the test, and by four bins of raw bids. None: not within 300."""
    ring = frozenset(b"%d" % number for number in range(scene.ring))
    test, bins, tests = InvitationTest(among=ring), FourBins(), scene.agents * (scene.agents - 1)
    found: list[int | None] = [None, None]
    invited = 0
    for number, lottery in enumerate(lotteries(scene, random.Random(seed)), start=1):
        here = len(ring & lottery.invited)
        if here == 0:
            continue
        invited += here
        if invited > INVITATIONS * scene.ring or None not in found:
            break
        test.observe(lottery)
        bins.observe(lottery, ring)
        if number % CHECKED_EVERY == 0:
            by_test = {pair: process.value for pair, process in test.pairs.items()}
            by_bins = {pair: min(round(wealth * ONE), ONE << 40) for pair, wealth in bins.wealth.items()}
            for place, values in enumerate((by_test, by_bins)):
                if found[place] is None and discoveries(values, tests, ALPHA_PPM):
                    found[place] = round(invited / scene.ring)
    return found[0], found[1]


def false_share(scene: Scene, seed: str, lotteries_watched: int) -> tuple[float, bool, bool]:
    """All pairs are watched: the share of false ones among the pairs found at the end, whether any false one was ever
    found, and whether a true one was found at the end."""
    test, tests = InvitationTest(), scene.agents * (scene.agents - 1)
    ring = {b"%d" % number for number in range(scene.ring)} if scene.kind is not Kind.HONEST else set()
    ever, found = False, list[tuple[bytes, bytes]]()
    for number, lottery in zip(range(1, lotteries_watched + 1), lotteries(scene, random.Random(seed)), strict=False):
        test.observe(lottery)
        if number % CHECKED_EVERY == 0 or number == lotteries_watched:
            found = discoveries({pair: process.value for pair, process in test.pairs.items()}, tests, ALPHA_PPM)
            ever |= any(not set(pair) <= ring for pair in found)
    false = sum(not set(pair) <= ring for pair in found)
    return false / max(1, len(found)), ever, len(found) > false
