"""What two parties bargain over: a finite set of outcomes, each worth something to each of them."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from copy import copy
from fractions import Fraction
from typing import Any

Utility = int | float | Fraction
"""In units of the party's own: only its ratios matter, and two parties' utilities are never added or compared. NumPy's
integers and floats are taken as well, so that an array of them is a sequence of utilities."""

Exact = int | Fraction

_SCALE_BITS_MAX = 4096
"""Above the 1,074 bits that any float needs. Fractions with wilder denominators stay fractions: slower, as exact."""


class Domain:
    """Outcomes 0 to n - 1 with the utility of each to party 0 and to party 1, and what each has without a deal.

    `reserves` are the utilities of the conflict deal. The *gain* of an outcome is its utility minus the reserve. The
    *negotiation set* are the outcomes without a negative gain; its Pareto-optimal part is the *frontier* (Rosenschein
    & Zlotkin 1994, ch. 3). All comparisons are exact: a float counts as the binary fraction that it is, so 0.1 + 0.2
    is not 0.3. Give ints or Fractions where ties matter.

    Raises ValueError for arrays of different length, and for a utility that is no finite number.
    """

    def __init__(
        self, first: Sequence[Utility], second: Sequence[Utility], reserves: tuple[Utility, Utility] = (0, 0)
    ) -> None:
        if len(first) != len(second):
            raise ValueError(f"{len(first)} utilities of party 0 and {len(second)} of party 1")
        self.gains: tuple[list[Exact], list[Exact]] = (_gains(first, reserves[0]), _gains(second, reserves[1]))
        """By party and outcome, each party's in a scale of its own (a positive multiple of what was given)."""
        self._allowed: frozenset[int] | None = None
        self.frontier = self._pareto()
        """One outcome for each undominated pair of gains (the smallest number of those alike), party 0's best first."""

    def __len__(self) -> int:
        return len(self.gains[0])

    def only(self, outcomes: Iterable[int]) -> Domain:
        """The same outcomes with the same gains, of which none but these can be agreed on, nor those of the rest that
        this domain has left out already."""
        left = copy(self)
        left._allowed = frozenset(filter(self.acceptable, outcomes))
        left.frontier = left._pareto()
        return left

    def acceptable(self, outcome: int) -> bool:
        """Whether the outcome is in the negotiation set: no worse than no deal for either."""
        if self._allowed is not None:
            return outcome in self._allowed
        return 0 <= outcome < len(self) and self.gains[0][outcome] >= 0 and self.gains[1][outcome] >= 0

    def product(self, outcome: int) -> Exact:
        """The product of both gains, which Nash's solution maximizes (Nash 1950)."""
        return self.gains[0][outcome] * self.gains[1][outcome]

    def nash_product(self) -> Exact:
        """The greatest product of gains. Raises ValueError when the negotiation set is empty."""
        return max(self.product(outcome) for outcome in self.frontier)

    def order(self, side: int) -> list[int]:
        """The frontier from `side`'s best to its worst, which is from the other's worst to its best: what strategies
        walk along. Raises ValueError when the negotiation set is empty."""
        if not self.frontier:
            raise ValueError("no outcome is at least as good as no deal for both: there is nothing to offer")
        return self.frontier if side == 0 else self.frontier[::-1]

    def _pareto(self) -> list[int]:
        first, second = self.gains
        candidates = [outcome for outcome in range(len(self)) if self.acceptable(outcome)]
        candidates.sort(key=lambda outcome: (-first[outcome], -second[outcome], outcome))
        frontier: list[int] = []
        for outcome in candidates:
            if not frontier or second[outcome] > second[frontier[-1]]:
                frontier.append(outcome)
        return frontier


def ratio(number: Any, otherwise: str) -> tuple[int, int]:
    """Numerator and denominator of a finite number of any type. Raises ValueError, which begins as `otherwise` says."""
    try:
        # NumPy's integers have no such method.
        own = getattr(number, "as_integer_ratio", None)
        pair: tuple[int, int] = own() if own else (operator.index(number), 1)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{otherwise}, not {number!r}") from None
    return pair


def _gains(utilities: Sequence[Utility], reserve: Utility) -> list[Exact]:
    """Utilities minus the reserve, as integers of one scale wherever that scale is not absurd."""
    pairs = [ratio(number, "a utility is a finite number") for number in (*utilities, reserve)]
    scale = 1
    for _, denominator in pairs:
        scale = math.lcm(scale, denominator)
        if scale.bit_length() > _SCALE_BITS_MAX:
            base = Fraction(*pairs[-1])
            return [Fraction(*pair) - base for pair in pairs[:-1]]
    *scaled, base_scaled = [numerator * (scale // denominator) for numerator, denominator in pairs]
    return [number - base_scaled for number in scaled]
