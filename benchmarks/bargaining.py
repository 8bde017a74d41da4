"""Rounds, messages and time of bargaining strategies against what they reach of Nash's solution. No Kafka."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from contractnet.strategies.bargaining import (
    Domain,
    FixedStep,
    MonotonicParty,
    Negotiation,
    OutcomeAlternator,
    TimeDependent,
    Zeuthen,
    alternate,
    negotiate,
)

OUTCOMES_MAX = 6_000
ROUNDS = 100
SEED = 1


@dataclass(frozen=True, slots=True)
class Played:
    """One negotiation. `to_nash`: the deal's product of gains to the greatest one, 0 without a deal."""

    rounds: int
    messages: int
    wall_ms: float
    to_nash: float
    exact: bool


Play = Callable[[Domain], tuple[int | None, int, int]]
"""Plays a domain: the deal, the rounds, the messages."""


def monotonic(party: Callable[[Domain, int], MonotonicParty], still_rounds_max: int = 0) -> Play:
    """Two alike in the monotonic concession protocol."""

    def play(domain: Domain) -> tuple[int | None, int, int]:
        found = negotiate(domain, party(domain, 0), party(domain, 1), still_rounds_max=still_rounds_max)
        return found.deal, found.rounds, found.messages

    return play


def alternating(discount: float) -> Play:
    """Two alike in alternating offers without a horizon."""

    def play(domain: Domain) -> tuple[int | None, int, int]:
        parties = [OutcomeAlternator(domain, side, (discount, discount)) for side in (0, 1)]
        found = alternate(*parties, rounds_max=ROUNDS)
        return found.deal, found.rounds, found.messages

    return play


def unlike(domain: Domain) -> tuple[int | None, int, int]:
    """An eager party 0 against a firm party 1."""
    eager = TimeDependent(domain, 0, rounds=ROUNDS, shape=5.0)
    firm = TimeDependent(domain, 1, rounds=ROUNDS, shape=0.2)
    found = negotiate(domain, eager, firm, still_rounds_max=ROUNDS)
    return found.deal, found.rounds, found.messages


PLAYS: dict[str, Play] = {
    "Zeuthen": monotonic(Zeuthen),
    "fixed step 1%": monotonic(lambda domain, side: FixedStep(domain, side, 0.01)),
    "fixed step 5%": monotonic(lambda domain, side: FixedStep(domain, side, 0.05)),
    "fixed step 20%": monotonic(lambda domain, side: FixedStep(domain, side, 0.2)),
    "Boulware 0.2": monotonic(lambda domain, side: TimeDependent(domain, side, rounds=ROUNDS, shape=0.2), ROUNDS),
    "linear in time": monotonic(lambda domain, side: TimeDependent(domain, side, rounds=ROUNDS, shape=1.0), ROUNDS),
    "Conceder 5": monotonic(lambda domain, side: TimeDependent(domain, side, rounds=ROUNDS, shape=5.0), ROUNDS),
    "Conceder 5 against Boulware 0.2": unlike,
    "alternating offers, discount 0.9": alternating(0.9),
    "alternating offers, discount 0.99": alternating(0.99),
}


def measure(play: Play, domain: Domain) -> Played:
    """Play once, strategies built anew; the domain is there already."""
    began_s = time.perf_counter()
    deal, rounds, messages = play(domain)
    wall_ms = (time.perf_counter() - began_s) * 1e3
    best = domain.nash_product()
    product = 0 if deal is None else domain.product(deal)
    return Played(rounds, messages, wall_ms, float(product / best) if best else 1.0, product == best)


def linear(rng: random.Random, outcomes_max: int = OUTCOMES_MAX) -> tuple[list[int], list[int]]:
    """A random domain of up to five issues: each party's utility is a sum over the issues of weight times value.

    Values are 0 to 100; on about half of the issues the parties are opposed, on the others independent.
    """
    sizes = [rng.randint(2, 12)]
    for _ in range(rng.randint(0, 4)):
        size = rng.randint(2, 12)
        if size * math.prod(sizes) <= outcomes_max:
            sizes.append(size)
    tables: tuple[list[list[int]], list[list[int]]] = ([], [])
    for size in sizes:
        weights = rng.randint(1, 100), rng.randint(1, 100)
        mine = [rng.randint(0, 100) for _ in range(size)]
        yours = [100 - value for value in mine] if rng.random() < 0.5 else [rng.randint(0, 100) for _ in range(size)]
        tables[0].append([weights[0] * value for value in mine])
        tables[1].append([weights[1] * value for value in yours])
    first, second = ([sum(values) for values in itertools.product(*table)] for table in tables)
    return first, second


def domains(count: int) -> list[Domain]:
    """The seeded set: domains of two or more issues and at least 50 outcomes, all with the same reserve of a tenth."""
    rng = random.Random(SEED)
    found: list[Domain] = []
    while len(found) < count:
        first, second = linear(rng)
        if len(first) >= 50:
            found.append(Domain(first, second, (max(first) // 10, max(second) // 10)))
    return found


def drawing() -> str:
    """The SVG of one negotiation of Zeuthen's: of the smaller ones of the first domains, that with the most rounds."""
    small = [domain for domain in domains(20) if len(domain) <= 500]
    played = [(domain, negotiate(domain, Zeuthen(domain, 0), Zeuthen(domain, 1))) for domain in small]
    return draw(*max(played, key=lambda one: one[1].rounds))


def draw(domain: Domain, shown: Negotiation) -> str:
    """An SVG of a negotiation: all outcomes by both gains, the offers of each party by round, and the deal."""
    size, margin = 420, 40
    tops = [max(*gains, 1) for gains in domain.gains]

    def at(outcome: int) -> tuple[float, float]:
        x, y = (float(domain.gains[side][outcome] / tops[side]) for side in (0, 1))
        return margin + x * size, margin + (1 - y) * size

    dots = [at(outcome) for outcome in range(len(domain)) if domain.acceptable(outcome)]
    lines = [[at(offers[side]) for offers in shown.trace] for side in (0, 1)]
    parts = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.2" fill="#bbb"/>' for x, y in dots]
    for line, colour in zip(lines, ("#1f6fb4", "#c44e1b"), strict=True):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in line]
    if shown.deal is not None:
        x, y = at(shown.deal)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="none" stroke="#000" stroke-width="1.5"/>')
    side = size + 2 * margin
    labels = (
        f'<text x="{side / 2}" y="{side - 8}" text-anchor="middle">gain of party 0</text>'
        f'<text x="14" y="{side / 2}" text-anchor="middle" transform="rotate(-90 14 {side / 2})">gain of party 1</text>'
    )
    frame = f'<rect x="{margin}" y="{margin}" width="{size}" height="{size}" fill="none" stroke="#888"/>'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, f'<rect width="{side}" height="{side}" fill="#fff"/>', frame, *parts, labels, "</svg>\n"])
