"""The judge's statistics in numbers: false accusations of honest populations, and what liars and rings cost to find.

Populations and lotteries are made up (benchmarks/claims.py, benchmarks/rings.py), each from a seed of its own.
Intervals are exact (Clopper & Pearson 1934), two-sided, 95%.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, TypeVar

from scipy.stats import binomtest

from benchmarks.claims import Crowd, Lies, first_flag, tasks_to_detection
from benchmarks.rings import INVITATIONS, Kind, Scene, false_share, invitations_to_discovery

Row = dict[str, object]
T = TypeVar("T")
Over = Callable[..., list[Any]]
"""Runs something for so many seeds of a name, in several processes."""

ALPHAS_PPM = (50_000, 10_000)
HONEST = {
    "calibrated": Crowd(),
    "shading 50 to 100%": Crowd(shading=(0.5, 1.0)),
    "40% noise": Crowd(noise=0.4),
    "specialists": Crowd(specialists=True),
    "few bids (40 agents)": Crowd(agents=40),
    "three project budgets": Crowd(roots=3),
    "common shocks": Crowd(shocks=True),
    "not calibrated (known limit)": Crowd(calibrated=False),
}


LIARS = {
    "each task": (Lies(), 200),
    "60% of the tasks": (Lies(share=0.6), 200),
    "30% of the tasks": (Lies(share=0.3), 400),
    "the largest twentieth alone": (Lies(largest=0.05), 2_000),
    "each after 1,000 honest ones": (Lies(after=1_000), 1_200),
}
"""How a liar lies, and how many tasks it is watched for."""
RINGS = [Scene(agents=agents, ring=ring, kind=Kind.ALL_LOWER) for agents in (20, 50, 100) for ring in (2, 3, 5)]
CURVES = [
    *[Scene(depth=depth) for depth in (0.3, 0.5, 0.7, 0.8, 0.9)],
    *[Scene(invited=invited) for invited in (3, 5)],
    *[Scene(noise=noise) for noise in (0.3, 0.5)],
    *[Scene(kind=kind) for kind in (Kind.ROTATE, Kind.COVER, Kind.AWAY, Kind.BLIND)],
]


def rows(*, short: bool) -> list[Row]:
    """All tables, one after another; `what` says of which one a row is."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return [
            row
            for part in (_honest, _liars, _rings, _false_pairs)
            for row in part(partial(_over_seeds, pool), short=short)
        ]


def _over_seeds(pool: ProcessPoolExecutor, one: Callable[[str], T], name: object, count: int) -> list[T]:
    print(f"  {name}: {count} seeds", flush=True)
    return list(pool.map(one, [f"{name} {number}" for number in range(count)], chunksize=max(1, count // 40)))


def share(hits: int, trials: int) -> str:
    """A share and its interval."""
    low, high = binomtest(hits, trials).proportion_ci(method="exact")
    return f"{hits / trials:.3f} [{low:.3f}, {high:.3f}]"


def _flags(crowd: Crowd, auctions: int, seed: str) -> dict[int, int | None]:
    return first_flag(crowd, seed, auctions, ALPHAS_PPM)


def _honest(over: Over, *, short: bool) -> Iterable[Row]:
    auctions = 500 if short else 10_000
    for name, crowd in HONEST.items():
        count = 8 if short else 2_000 if name == "calibrated" else 100
        found = over(partial(_flags, crowd, auctions), name, count)
        for alpha_ppm in ALPHAS_PPM:
            flagged = sum(flags[alpha_ppm] is not None for flags in found)
            yield {
                "what": "honest, any accused",
                "population": name,
                "level": alpha_ppm / 1e6,
                "share": share(flagged, count),
                "n": count,
                "auctions each": auctions,
            }


def _detection(crowd: Crowd, tasks: int, seed: str) -> tuple[int | None, int]:
    return tasks_to_detection(crowd, seed, tasks, ALPHAS_PPM[0])


def _liars(over: Over, *, short: bool) -> Iterable[Row]:
    count = 8 if short else 200
    for name, (lies, tasks) in LIARS.items():
        found = over(partial(_detection, Crowd(liars=1, lies=lies), tasks), name, count)
        needed = [tasks + 1 if done is None else done - lies.after for done, _ in found]
        yield {
            "what": "liar, found",
            "population": f"CRITICAL claimed, LOW delivered: {name}",
            "median tasks": round(statistics.median(needed)),
            "in 50": share(sum(done <= 50 for done in needed), count),
            "in 200": share(sum(done <= 200 for done in needed), count),
            "honest accused": sum(wrong for _, wrong in found),
            "n": count,
        }


def _rings(over: Over, *, short: bool) -> Iterable[Row]:
    count = 8 if short else 200
    for scene in RINGS + CURVES:
        found = over(partial(invitations_to_discovery, scene), scene, count)
        ours, bins = ([each[place] for each in found] for place in (0, 1))
        needed = sorted(INVITATIONS + 1 if at is None else at for at in ours)
        middle = round(statistics.median(needed))
        yield {
            "what": "ring, true pair found",
            "kind": scene.kind.value,
            "agents": scene.agents,
            "ring": scene.ring,
            "invited": scene.invited,
            "depth": scene.depth,
            "noise": scene.noise,
            "in 300 invitations": share(sum(at is not None for at in ours), count),
            "median invitations": middle if middle <= INVITATIONS else f"over {INVITATIONS}",
            "median lotteries": round(middle * scene.agents / scene.invited) if middle <= INVITATIONS else "-",
            "four bins of raw bids": share(sum(at is not None for at in bins), count),
            "n": count,
        }


def _watched(scene: Scene, lotteries: int, seed: str) -> tuple[float, bool, bool]:
    return false_share(scene, seed, lotteries)


def _false_pairs(over: Over, *, short: bool) -> Iterable[Row]:
    count, lotteries = (4, 100) if short else (200, 750)
    for kind in (Kind.HONEST, Kind.ALL_LOWER, Kind.BLIND):
        scene = Scene(agents=20, kind=kind)
        found = over(partial(_watched, scene, lotteries), f"false {kind}", count)
        yield {
            "what": "all pairs, false ones",
            "kind": kind.value,
            "agents": scene.agents,
            "false discovery rate": round(statistics.fmean(false for false, _, _ in found), 4),
            "ever a false one": share(sum(ever for _, ever, _ in found), count),
            "true one at the end": share(sum(true for _, _, true in found), count),
            "lotteries": lotteries,
            "n": count,
        }
