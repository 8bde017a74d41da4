"""E-processes in fixed point, and the choice among many of them.

Under its null hypothesis an e-process is a nonnegative process whose expectation is at most 1 at every stopping time,
so that it ever reaches 1/alpha with probability at most alpha (Ville 1939; Ramdas, Grünwald, Vovk & Shafer 2023,
"Game-theoretic statistics and safe anytime-valid inference"). All is rounded down, which makes a test slower, never
wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Name = TypeVar("Name", bound=tuple[bytes, ...])
"""Whom a hypothesis is about."""
ONE = 1 << 48
"""An e-value of 1."""
WEALTH_MAX = ONE << 40
"""More is not kept: 1e12 proves enough, and the state stays bounded."""
PPM = 1_000_000


@dataclass(slots=True)
class EProcess:
    """A mixture of bets, each begun anew after every `spacing` observations.

    `wealth` has one entry a bet: the sum over its starts so far. The k-th start puts in 1/(k·(k+1)) of the bet's share,
    which sums to 1; what is not put in yet is kept and counts as it is. So an agent that turns after n honest
    observations costs a factor of about (n / spacing)², whatever the bets have lost before (a mixture over change
    points: Shin, Ramdas & Rinaldo 2024, "E-detectors").
    """

    wealth: list[int]
    starts: int = 0
    seen: int = 0

    @classmethod
    def of(cls, bets: int) -> EProcess:
        """One that has not seen anything, of this many bets with equal shares."""
        return cls([0] * bets)

    def observe(self, factors_ppm: Sequence[int], spacing: int) -> None:
        """Multiply each bet's wealth by its factor: millionths, not negative, at most 1 on average under the null. The
        bets have to be chosen before what settles them is known."""
        assert len(factors_ppm) == len(self.wealth), "one factor a bet"
        assert min(factors_ppm) >= 0, "a bet loses no more than its wealth"
        if self.seen % spacing == 0:
            self.starts += 1
            put_in = ONE // (self.starts * (self.starts + 1))
            self.wealth = [wealth + put_in for wealth in self.wealth]
        self.seen += 1
        self.wealth = [
            min(WEALTH_MAX, wealth * factor // PPM) for wealth, factor in zip(self.wealth, factors_ppm, strict=True)
        ]

    @property
    def value(self) -> int:
        """The e-value now, in units of `ONE`: 1 before anything was seen."""
        return sum(self.wealth) // len(self.wealth) + ONE // (self.starts + 1)


def mean(values: Iterable[int]) -> int:
    """The e-value of several e-processes for one null hypothesis: their average is one again, however they depend on
    each other (Vovk & Wang 2021)."""
    found = list(values)
    return sum(found) // len(found)


def discoveries(values: Mapping[Name, int], tests: int, alpha_ppm: int) -> list[Name]:
    """The e-BH procedure (Wang & Ramdas 2022): which null hypotheses to reject so that the expected share of false
    ones is at most alpha, whatever the dependence.

    `values` are current e-values (running maxima are none) in units of `ONE` by hypothesis; `tests` is how many there
    could be: those without evidence count as 1. The k largest are rejected for the largest k with k·e_(k) >=
    tests/alpha. Ties are in the order of their names.
    """
    assert tests >= len(values), "each hypothesis is counted"
    ranked = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    enough = [k for k, (_, value) in enumerate(ranked, start=1) if k * value * alpha_ppm >= tests * ONE * PPM]
    return [name for name, _ in ranked[: max(enough, default=0)]]
