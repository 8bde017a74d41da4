"""What the audit of claims finds, and whom it accuses wrongly: made-up populations, whose outcomes it watches.

Each auction draws some bidders of a population. A bidder sees the task's value to it with noise, claims and bids what
its calibrator makes of that, and the highest bid wins. What it delivers is the true value, with noise, attested by one
of forty independent roots. No market runs here: this is about the statistics of `market.integrity`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from contractnet.messages import Priority
from contractnet.strategies import PRIORITY_WEIGHTS, Calibrator
from market.integrity.claims import ClaimAudit, Outcome
from market.integrity.evidence import discoveries

ATTESTORS = tuple(b"attestor %d" % number for number in range(40))
POINTS = 10_000
"""Of a task of the usual size."""
DELIVERY_NOISE = 0.1
LEARNED = 40
"""Tasks that an agent's calibrator has learned from before it is audited: the null is about calibrated agents."""
LOW = PRIORITY_WEIGHTS[Priority.LOW] / PRIORITY_WEIGHTS[Priority.CRITICAL]
"""What a liar that claims CRITICAL delivers, of what it claims."""


@dataclass(frozen=True, slots=True)
class Lies:
    """About which tasks a liar lies: a share of them by lot, of the `largest` part, `after` so many honest ones."""

    share: float = 1.0
    largest: float = 1.0
    after: int = 0

    def about(self, dice: random.Random, smaller: float, done: int) -> bool:
        """Whether about one that is larger than this share of all, after so many done."""
        return done >= self.after and smaller >= 1 - self.largest and dice.random() < self.share


@dataclass(frozen=True, slots=True)
class Crowd:
    """How a population is: `bidders` of `agents` an auction, each auction's bidders drawn anew."""

    agents: int = 10
    bidders: int = 5
    noise: float = 0.2
    """Relative standard deviation of an estimate."""
    calibrated: bool = True
    shading: tuple[float, float] = (1.0, 1.0)
    """What part of its worth an agent bids, between these two, by agent."""
    specialists: bool = False
    """Each agent is twice as good at a fifth of the tasks, and knows."""
    roots: int = 0
    """So many budget roots have all the agents; 0: one each."""
    shocks: bool = False
    """At times everybody delivers between a half and all of what it would have, for 200 tasks."""
    liars: int = 0
    lies: Lies = Lies()


class Population:
    """Draws auctions one after another."""

    def __init__(self, crowd: Crowd, seed: str) -> None:
        self.crowd, self.dice = crowd, random.Random(seed)
        self.calibrators = [Calibrator() for _ in range(crowd.agents)]
        self.shade = [self.dice.uniform(*crowd.shading) for _ in range(crowd.agents)]
        self.done = [0] * crowd.agents
        self.shock, self.shock_ends = 1.0, 0
        self.tasks = 0
        self.liars = 0
        if crowd.calibrated:
            while min(c.tasks for c in self.calibrators) < LEARNED:
                self._task()
        self.liars = crowd.liars
        self.done = [0] * crowd.agents

    def outcomes(self, auctions: int) -> Iterator[tuple[int, Outcome]]:
        """(who won, the outcome as the audit sees it) of each auction."""
        roots = self.crowd.roots or self.crowd.agents
        for _ in range(auctions):
            winner, claimed, delivered, size = self._task()
            if claimed > 0:
                root, attestor = b"root %d" % (winner % roots), self.dice.choice(ATTESTORS)
                yield winner, Outcome(root, attestor, claimed, max(0, round(delivered)), round(size * POINTS))

    def _task(self) -> tuple[int, int, float, float]:
        """Who wins a task, what it claimed, what it delivers, both in points, and its size."""
        crowd, dice = self.crowd, self.dice
        rank = dice.random()
        size = 1 / (1.05 - rank)
        best = (-1.0, 0, 0.0, 0.0, 0)
        kind = dice.randrange(5)
        for agent in dice.sample(range(crowd.agents), crowd.bidders):
            skill = 2.0 if crowd.specialists and agent % 5 == kind else 1.0
            value = POINTS * size * skill * dice.lognormvariate(0.0, 0.3)
            estimate = value * max(0.0, dice.gauss(1.0, crowd.noise))
            # Learned by the unit of size, as tasks of one kind are compared.
            claim = self.calibrators[agent].calibrated(estimate / size) * size if crowd.calibrated else estimate
            bid = claim * self.shade[agent]
            if bid > best[0]:
                best = (bid, agent, value, estimate, round(claim))
        _, winner, value, estimate, claimed = best
        delivered = value * max(0.0, dice.gauss(1.0, DELIVERY_NOISE)) * self._shock()
        if winner < self.liars and crowd.lies.about(dice, rank, self.done[winner]):
            delivered *= LOW
        elif crowd.calibrated:
            self.calibrators[winner].learn(estimate / size, delivered / size)
        self.done[winner] += 1
        return winner, claimed, delivered, size

    def _shock(self) -> float:
        self.tasks += 1
        if self.crowd.shocks and self.tasks >= self.shock_ends:
            hit = self.shock == 1.0 and self.dice.random() < 0.2
            self.shock = self.dice.uniform(0.5, 1.0) if hit else 1.0
            self.shock_ends = self.tasks + 200
        return self.shock


class Watch:
    """The audit of a population, looked at after each outcome."""

    def __init__(self, crowd: Crowd) -> None:
        self._audit, self._roots = ClaimAudit(), crowd.roots or crowd.agents
        self._values: dict[tuple[bytes], int] = {}

    def observe(self, outcome: Outcome) -> None:
        """Count a task."""
        if self._audit.observe(outcome):
            # Nobody else's evidence has changed.
            self._values[(outcome.agent,)] = self._audit.standings[outcome.agent].value

    def accused(self, alpha_ppm: int) -> set[bytes]:
        """The roots that are accused now."""
        return {root for (root,) in discoveries(self._values, self._roots, alpha_ppm)}


def first_flag(crowd: Crowd, seed: str, auctions: int, alphas_ppm: tuple[int, ...]) -> dict[int, int | None]:
    """After how many auctions anybody is accused at each level, continuously watched; None where nobody ever is."""
    watch, population = Watch(crowd), Population(crowd, seed)
    found: dict[int, int | None] = dict.fromkeys(alphas_ppm)
    for number, (_, outcome) in enumerate(population.outcomes(auctions), start=1):
        watch.observe(outcome)
        for alpha_ppm, at in found.items():
            if at is None and watch.accused(alpha_ppm):
                found[alpha_ppm] = number
        if all(found.values()):
            break
    return found


def tasks_to_detection(crowd: Crowd, seed: str, tasks: int, alpha_ppm: int) -> tuple[int | None, int]:
    """How many tasks liar 0 had done when it was accused, None: not within so many tasks; and how many honest roots
    were accused in that time."""
    watch, population = Watch(crowd), Population(crowd, seed)
    liars = {b"root %d" % number for number in range(crowd.liars)}
    done, wrong = 0, set[bytes]()
    for winner, outcome in population.outcomes(tasks * crowd.agents * 10):
        done += winner == 0
        if done > tasks:
            break
        watch.observe(outcome)
        accused = watch.accused(alpha_ppm)
        wrong |= accused - liars
        if b"root 0" in accused:
            return done, len(wrong)
    return None, len(wrong)
