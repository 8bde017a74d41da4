"""What a reserve by opportunity cost is worth: value served by a pool whose leases nobody preempts.

Jobs arrive, each worth something an hour to its budget root, and take the units that they need now or never. Sold to
whoever comes, sold at the best fixed reserve that hindsight finds, and sold at the reserve that a manager learns from
the offers as they come (contractnet.strategies.OpportunityReserve): of all, or of all but the root that asks ("named").
All against a clairvoyant who may preempt: at each instant the most valuable of those that would be there. That is more
than any schedule without preemption gets.

OPENB_TRACE=openb_pod_list_default.csv has arrivals, GPUs and lengths of a real cluster; without it they are made up.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from contractnet.messages import Priority
from contractnet.strategies import OpportunityReserve, PricedOffer
from services.demo import trace

TRACE = "OPENB_TRACE"
ROOTS = 12
VALUES = {Priority.LOW: (200, 900), Priority.NORMAL: (500, 2_000), Priority.HIGH: (1_500, 5_000)}
"""Micro-credits a unit and hour, from which a job's value is drawn."""
JOBS_MAX = 4_000
LEAST = 50
NAMES = ("whoever comes", "best fixed", "opportunity cost", "named")
FIXED = (0, 200, 300, 400, 500, 600, 700, 800, 900, 1_000, 1_200, 1_500, 2_000, 2_500, 3_000)


@dataclass(frozen=True, slots=True)
class Job:
    """`hourly_ucr` is what a unit is worth to `root` for an hour; times are seconds."""

    at_s: float
    lasts_s: float
    units: int
    root: str
    hourly_ucr: int

    @property
    def value(self) -> float:
        """What it is worth to serve it."""
        return self.hourly_ucr * self.units * self.lasts_s / 3_600


Admits = Callable[[Job, float], bool]
"""Whether a job is served at a utilization, where it fits."""


def jobs(seed: int) -> tuple[list[Job], str]:
    """In the order of arrival, and where they come from."""
    dice = random.Random(f"reserve {seed}")
    path = os.environ.get(TRACE)
    if path:
        pods = trace.read(Path(path))[-JOBS_MAX:]
        shapes = [(p.created_s, p.lasted_s, p.gpus, p.priority) for p in pods]
    else:
        at_s, shapes = 0.0, []
        for _ in range(JOBS_MAX):
            at_s += dice.expovariate(1 / 60) * dice.choice((0.2, 0.2, 2.6))
            priority = dice.choices((Priority.HIGH, Priority.NORMAL, Priority.LOW), (2, 4, 4))[0]
            shapes.append(
                (at_s, min(12 * 3_600, dice.lognormvariate(7.5, 1.2)), dice.choice((1, 1, 1, 2, 4)), priority)
            )
    made = [
        Job(at, lasts, n, f"root {dice.randrange(ROOTS)}", dice.randint(*VALUES[who])) for at, lasts, n, who in shapes
    ]
    return made, "openb" if path else "synthetic"


def served(all_jobs: Sequence[Job], units: int, admits: Admits) -> float:
    """The value of what was served."""
    running: list[tuple[float, int]] = []
    used, value = 0, 0.0
    for job in all_jobs:
        while running and running[0][0] <= job.at_s:
            used -= heapq.heappop(running)[1]
        if used + job.units <= units and admits(job, used / units):
            heapq.heappush(running, (job.at_s + job.lasts_s, job.units))
            used += job.units
            value += job.value
    return value


def clairvoyant(all_jobs: Sequence[Job], units: int) -> float:
    """At each instant the most valuable units of those jobs that are there then, parts of jobs included."""
    steps = sorted({at for job in all_jobs for at in (job.at_s, job.at_s + job.lasts_s)})
    arriving = sorted(all_jobs, key=lambda job: job.at_s)
    there: list[Job] = []
    value, number = 0.0, 0
    for at_s, until_s in itertools.pairwise(steps):
        while number < len(arriving) and arriving[number].at_s <= at_s:
            there.append(arriving[number])
            number += 1
        there = sorted((j for j in there if j.at_s + j.lasts_s > at_s), key=lambda j: -j.hourly_ucr)
        left = units
        for job in there:
            if not left:
                break
            value += min(left, job.units) * job.hourly_ucr * (until_s - at_s) / 3_600
            left -= min(left, job.units)
    return value


def learning(*, named: bool = False) -> Admits:
    """The manager's reserve, learned as jobs come; with `named` from all but the job's own root, as by invitation."""
    reserve = OpportunityReserve(least_ucr=LEAST)

    def admits(job: Job, utilization: float) -> bool:
        asked = reserve.hourly_ucr(utilization, bidders=[job.root] if named else None)
        reserve.observe(PricedOffer(job.root, job.hourly_ucr))
        return job.hourly_ucr >= asked

    return admits


def fixed(reserve: int) -> Admits:
    """The same reserve for all."""
    return lambda job, _: job.hourly_ucr >= reserve


def compare(loads: Sequence[float], seeds: int) -> list[dict[str, object]]:
    """A row a load (mean demand over capacity): shares of the clairvoyant's value, means over seeds."""
    rows: list[dict[str, object]] = []
    for load in loads:
        shares: dict[str, list[float]] = {name: [] for name in NAMES}
        source = ""
        for seed in range(seeds):
            made, source = jobs(seed)
            span_s = made[-1].at_s - made[0].at_s
            units = max(8, round(sum(job.units * job.lasts_s for job in made) / span_s / load))
            best = clairvoyant(made, units)
            shares["whoever comes"].append(served(made, units, fixed(0)) / best)
            shares["best fixed"].append(max(served(made, units, fixed(reserve)) for reserve in FIXED) / best)
            shares["opportunity cost"].append(served(made, units, learning()) / best)
            shares["named"].append(served(made, units, learning(named=True)) / best)
        means = {name: sum(found) / len(found) for name, found in shares.items()}
        ratio = means["opportunity cost"] / means["whoever comes"]
        rows.append(
            {"demand": source, "demand/capacity": load}
            | {name: round(mean, 3) for name, mean in means.items()}
            | {"against whoever comes": round(ratio, 3), "jobs": JOBS_MAX, "seeds": seeds}
        )
    return rows
