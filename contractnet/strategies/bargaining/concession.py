"""Strategies that concede by a plan and not by risk. They reach deals, and no theorem says which."""

from __future__ import annotations

import math
from bisect import bisect_right
from fractions import Fraction

from contractnet.strategies.bargaining.domain import Domain, Exact, Utility
from contractnet.strategies.bargaining.monotonic import Standing


class Ladder:
    """The frontier from a side's best to its worst, to be looked up by an aspiration (in that side's gains).

    Raises ValueError when the negotiation set is empty.
    """

    def __init__(self, domain: Domain, side: int) -> None:
        self.order = domain.order(side)
        self.gains = domain.gains[side]
        self.best: Exact = self.gains[self.order[0]]
        self.places = {outcome: place for place, outcome in enumerate(self.order)}
        self._losses = [-self.gains[outcome] for outcome in self.order]

    def offer(self, aspiration: Exact) -> int:
        """What is best for the other among the deals that gain at least `aspiration`; the own best if none does."""
        return self.order[max(0, bisect_right(self._losses, -aspiration) - 1)]


class FixedStep:
    """Lowers its aspiration by `step`, a share of its best gain, in each round; more steps where one changes nothing.

    Of the deals at its aspiration it offers the one best for the other, and it never asks less than what the other
    offers already. It does *not* end at Nash's solution; docs/bargaining.md has what it costs.

    Raises ValueError unless 0 < step <= 1, and when the negotiation set is empty.
    """

    def __init__(self, domain: Domain, side: int, step: Utility = Fraction(1, 20)) -> None:
        if not 0 < step <= 1:
            raise ValueError(f"a step is a share of the best gain above 0 and at most 1, not {step}")
        self._ladder = Ladder(domain, side)
        self._step = Fraction(step)

    def propose(self) -> int:
        """The deal that is best for itself."""
        return self._ladder.order[0]

    def respond(self, standing: Standing) -> int:
        """The first offer down the steps that is a concession."""
        ladder = self._ladder
        next_outcome = ladder.order[ladder.places[standing.own] + 1]
        # The number of steps, rounded up, to the first deal that is better for the other.
        lost = 1 - Fraction(ladder.gains[next_outcome]) / Fraction(ladder.best)
        steps = -(-lost // self._step)
        aspiration = ladder.best * (1 - steps * self._step)
        return ladder.offer(max(aspiration, ladder.gains[standing.other]))


class TimeDependent:
    """Concedes by the clock of rounds (Faratin, Sierra & Jennings 1998, polynomial tactics).

    After round t of `rounds` it has given up the share k + (1 - k)·(t / rounds)^(1 / shape) of its best gain, k being
    `opening`. A `shape` below 1 is Boulware (holds out, then gives in), 1 linear, above 1 Conceder. Of the deals at
    its aspiration it offers the one best for the other. Boulware stands still in many rounds: play it with
    `negotiate(..., still_rounds_max=rounds)`.

    Raises ValueError unless rounds >= 1, shape > 0 and 0 <= opening <= 1, and when the negotiation set is empty.
    """

    def __init__(self, domain: Domain, side: int, *, rounds: int, shape: float, opening: float = 0.0) -> None:
        if rounds < 1 or shape <= 0 or not 0 <= opening <= 1:
            raise ValueError("rounds is at least 1, shape above 0, and opening between 0 and 1")
        self._ladder = Ladder(domain, side)
        self._rounds = rounds
        self._shape = shape
        self._opening = opening

    def conceded(self, round_: int) -> float:
        """The share of the best gain that is given up after so many rounds, from `opening` to 1."""
        elapsed = math.pow(min(round_, self._rounds) / self._rounds, 1.0 / self._shape)
        return min(1.0, self._opening + (1.0 - self._opening) * elapsed)

    def propose(self) -> int:
        """The opening offer."""
        return self._ladder.offer(self._aspiration(0))

    def respond(self, standing: Standing) -> int:
        """What the round asks for, never less than what the other offers already."""
        ladder = self._ladder
        asked = ladder.offer(max(self._aspiration(standing.round), ladder.gains[standing.other]))
        return max(asked, standing.own, key=ladder.places.__getitem__)

    def _aspiration(self, round_: int) -> Exact:
        return self._ladder.best * (1 - Fraction(self.conceded(round_)))
