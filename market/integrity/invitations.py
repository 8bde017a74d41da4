"""Does an agent bid otherwise when a certain rival is invited, although nobody tells it who is?

A lottery draws the invited of a CFP by lot, with a probability that is known, and seals the invitations. So under the
null hypothesis a rival's being invited does not depend on the agent's bid, whatever the agent bids and why. What is bet
on is the invitation, given the bid: the distribution of bids needs no model (a randomization test as an e-process:
Koning 2023; Grünwald, Henzi & Lardy 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from market.integrity.claims import rank
from market.integrity.evidence import PPM, EProcess

MATES = (1, 2, 3, 4)
"""Which bids are low: as many as there are CFPs to which at least one of so many mates is invited."""
PURITIES_PPM = (500_000, 950_000)
"""What part of the low bids are a reaction."""
SPACING = 200
KEPT = 128
LEAST_KEPT = 4
SIGNALS = 2
NO_BID = (-1, -1)


@dataclass(frozen=True, slots=True)
class Bid:
    """An invited agent's bid: price and claimed points (0: no claim), both a unit of the pool."""

    price_ucr: int
    claimed_points: int

    def signals(self) -> tuple[int, int]:
        """What is ranked among the agent's earlier bids: the price as a share of the claim, and the price. A ring that
        also lowers its claims shows in the second alone."""
        return self.price_ucr * PPM // max(1, self.claimed_points), self.price_ucr


@dataclass(frozen=True, slots=True)
class Lottery:
    """A CFP whose invited were drawn by lot among the eligible budget roots, all sets of that size alike."""

    eligible: tuple[bytes, ...]
    invited: frozenset[bytes]
    bids: Mapping[bytes, Bid]
    """Of the invited; one that is not here did not bid."""


@dataclass(slots=True)
class InvitationTest:
    """Evidence by ordered pair: (whose bids, on whose invitation they hang)."""

    among: frozenset[bytes] | None = None
    """Pairs of these alone are watched; of all where it is None."""
    pairs: dict[tuple[bytes, bytes], EProcess] = field(default_factory=dict)
    history: dict[bytes, tuple[list[int], ...]] = field(default_factory=dict)
    """The last signals of each agent, by kind, in the order of arrival."""

    def observe(self, lottery: Lottery) -> None:
        """Settle the bets on one lottery: for each of the invited, on each other eligible root."""
        others, invited = len(lottery.eligible) - 1, len(lottery.invited) - 1
        if not 0 < invited < others:
            return
        watched = [root for root in lottery.eligible if self.among is None or root in self.among]
        for agent in watched:
            if agent not in lottery.invited:
                continue
            bid = lottery.bids.get(agent)
            signals = NO_BID if bid is None else bid.signals()
            history = self.history.setdefault(agent, tuple([] for _ in range(SIGNALS)))
            if len(history[0]) >= LEAST_KEPT:
                ranks = [rank(sorted(kept), now) for kept, now in zip(history, signals, strict=True)]
                there, not_there = factors(ranks, invited, others)
                for rival in watched:
                    if rival != agent:
                        process = self.pairs.setdefault((agent, rival), EProcess.of(len(there)))
                        process.observe(there if rival in lottery.invited else not_there, SPACING)
            for kept, now in zip(history, signals, strict=True):
                kept.append(now)
                del kept[:-KEPT]


def factors(ranks_permille: Sequence[int], invited: int, others: int) -> tuple[list[int], list[int]]:
    """What each bet is multiplied by where a rival is one of the `invited` of `others`, and where not, millionths: the
    likelihood of "so many of my low bids are a reaction to it" relative to the lot's, p = invited / others.

    With a cut c and purity s the rival is invited with a low bid at q = s·p/c + (1 - s)·p, and with another one at
    (p - c·q) / (1 - c), so that it is p on the whole.
    """
    chance_ppm = invited * PPM // others
    there: list[int] = []
    not_there: list[int] = []
    for rank_permille in ranks_permille:
        for mates in MATES:
            cut_ppm = PPM - (PPM - chance_ppm) ** mates // PPM ** (mates - 1)
            for purity_ppm in PURITIES_PPM:
                low_ppm = purity_ppm * chance_ppm // cut_ppm + (PPM - purity_ppm) * chance_ppm // PPM
                high_ppm = max(0, chance_ppm - cut_ppm * low_ppm // PPM) * PPM // (PPM - cut_ppm)
                guess_ppm = min(PPM, low_ppm) if rank_permille * 1_000 < cut_ppm else high_ppm
                there.append(guess_ppm * others // invited)
                not_there.append((PPM - guess_ppm) * others // (others - invited))
    return there, not_there
