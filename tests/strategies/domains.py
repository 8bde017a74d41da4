"""Random bargaining domains of many shapes, and Nash's maximum by looking at every outcome."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from benchmarks.bargaining import linear
from contractnet.strategies.bargaining import Utility


@dataclass(frozen=True)
class Given:
    """A domain as a caller gives it."""

    first: list[Utility]
    second: list[Utility]
    reserves: tuple[Utility, Utility] = (0, 0)

    def exact_gains(self) -> list[tuple[Fraction, Fraction]]:
        """Utilities minus reserves as fractions, by outcome: no code is shared with what is tested."""
        less = [Fraction(reserve) for reserve in self.reserves]
        pairs = zip(self.first, self.second, strict=True)
        return [(Fraction(mine) - less[0], Fraction(yours) - less[1]) for mine, yours in pairs]

    def greatest_product(self) -> Fraction | None:
        """Over all outcomes that are no worse than no deal for both; None where there are none."""
        return max((mine * yours for mine, yours in self.exact_gains() if mine >= 0 and yours >= 0), default=None)


def _numbers(rng: random.Random, n: int) -> Given:
    return Given([rng.random() for _ in range(n)], [rng.random() for _ in range(n)])


def _few_values(rng: random.Random, n: int) -> Given:
    top = rng.randint(1, 6)
    return Given([rng.randint(0, top) for _ in range(n)], [rng.randint(0, top) for _ in range(n)])


def _opposed(rng: random.Random, n: int) -> Given:
    top = rng.randint(1, 3 * n)
    mine: list[Utility] = [rng.randint(0, top) for _ in range(n)]
    return Given(mine, [top - value for value in mine])


def _opposed_in_floats(rng: random.Random, n: int) -> Given:
    mine: list[Utility] = [rng.random() for _ in range(n)]
    return Given(mine, [1 - value for value in mine], (rng.choice((0, 0.1, 0.3)), rng.choice((0, 0.1, 0.3))))


def _round_frontier(rng: random.Random, n: int) -> Given:
    """All outcomes undominated: a curve that bulges outward or inward."""
    bend = rng.choice((0.3, 0.5, 1.0, 2.0, 4.0))
    places = sorted(rng.random() for _ in range(n))
    return Given(list(places), [(1 - place**bend) ** (1 / bend) for place in places])


def _all_products_alike(rng: random.Random, n: int) -> Given:
    """Every outcome is a maximum: 2^k times 2^(n - k)."""
    n = min(n, 600)
    order = rng.sample(range(n), n)
    return Given([2**k for k in order], [2 ** (n - k) for k in order])


def _many_zeros(rng: random.Random, n: int) -> Given:
    def zero_or() -> int:
        return 0 if rng.random() < 0.8 else rng.randint(0, 20)

    return Given([zero_or() for _ in range(n)], [zero_or() for _ in range(n)])


def _one_always_zero(rng: random.Random, n: int) -> Given:
    """At most one of the two gains anything: the greatest product is 0."""
    wins = [rng.random() < 0.5 for _ in range(n)]
    return Given([rng.randint(0, 9) * win for win in wins], [rng.randint(0, 9) * (not win) for win in wins])


def _reserves(rng: random.Random, n: int) -> Given:
    """Also worse than nothing for many; sometimes nothing at all is acceptable."""
    given = Given([rng.randint(-50, 50) for _ in range(n)], [rng.randint(-50, 50) for _ in range(n)])
    return Given(given.first, given.second, (rng.randint(-60, 60), rng.randint(-60, 60)))


def _duplicates(rng: random.Random, n: int) -> Given:
    few = [(rng.randint(0, 100), rng.randint(0, 100)) for _ in range(max(1, n // 10))]
    picked = [rng.choice(few) for _ in range(n)]
    return Given([pair[0] for pair in picked], [pair[1] for pair in picked])


def _fractions(rng: random.Random, n: int) -> Given:
    def third() -> Fraction:
        return Fraction(rng.randint(0, 50), rng.randint(1, 30))

    return Given([third() for _ in range(n)], [third() for _ in range(n)], (Fraction(1, 3), Fraction(2, 7)))


def _wild_fractions(rng: random.Random, n: int) -> Given:
    """Denominators without anything in common: no scale makes integers of them."""
    n = min(n, 500)
    return Given(
        [Fraction(rng.getrandbits(70), rng.getrandbits(70) | 1) for _ in range(n)],
        [Fraction(rng.getrandbits(70), rng.getrandbits(70) | 1) for _ in range(n)],
    )


def _far_apart(rng: random.Random, n: int) -> Given:
    """Floats of very different size: products of floats would overflow, underflow or round alike."""
    return Given(
        [rng.random() * 10.0 ** rng.randint(-300, 300) for _ in range(n)],
        [rng.random() * 10.0 ** rng.randint(-300, 300) for _ in range(n)],
    )


def _issues(rng: random.Random, n: int) -> Given:
    first, second = linear(rng, max(n, 12))
    return Given(
        [*first], [*second], (max(first) * rng.choice((0, 1, 3)) // 10, max(second) * rng.choice((0, 1)) // 10)
    )


SHAPES: dict[str, Callable[[random.Random, int], Given]] = {
    shape.__name__.strip("_"): shape
    for shape in (
        _numbers,
        _few_values,
        _opposed,
        _opposed_in_floats,
        _round_frontier,
        _all_products_alike,
        _many_zeros,
        _one_always_zero,
        _reserves,
        _duplicates,
        _fractions,
        _wild_fractions,
        _far_apart,
        _issues,
    )
}


def given_of(shape: str, seed: int) -> Given:
    """A domain of this shape: seed 0 has 2 outcomes, seed 1 has 6,000, and small ones are as likely as large ones."""
    rng = random.Random(f"{shape} {seed}")
    size = 2 * 3_000 ** rng.random()
    return SHAPES[shape](rng, (2, 6_000)[seed] if seed < 2 else round(size))
