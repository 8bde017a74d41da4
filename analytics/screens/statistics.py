"""The seven screens of a tender's bids, and where they are not defined.

Bids are amounts above 0 in one currency; every screen but `bids` is free of scale: all bids times 100 change none. A
screen is None where too few bids, or equal ones, leave it undefined. Sources: Huber & Imhof, "Machine learning with
screens for detecting bid-rigging cartels", Int. J. Industrial Organization 2019; García Rodríguez et al., "Collusion
detection in public procurement auctions with machine learning algorithms", Automation in Construction 2022, whose data
have the columns CV, SPD, DIFFP, RD, KURT, SKEW, KSTEST that tests compare these with.

Rounding: CV, KURT, SKEW come from sums of squared differences to the mean, relative error about 1e-12 for bids whose
spread is at least a millionth of their size. Equal bids are compared exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Screens:
    """The screens of one tender. `rd` takes the losing bids (all but the lowest), `rd_low` all but the highest: that
    is what the column RD of the published data has (251 of 278 Italian tenders, 99 of 101 Brazilian ones)."""

    bids: int
    cv: float | None
    spd: float | None
    diffp: float | None
    rd: float | None
    rd_low: float | None
    kurt: float | None
    skew: float | None
    ks: float | None


def screens(amounts: Sequence[float]) -> Screens:
    """All screens of the bids of one tender, in any order. Raises ValueError without bids, or for one that is not
    above 0."""
    bids = sorted(amounts)
    if not bids or not bids[0] > 0:
        raise ValueError("a tender's bids are amounts above 0, and there is at least one")
    return Screens(
        bids=len(bids),
        cv=coefficient_of_variation(bids),
        spd=spread(bids),
        diffp=difference(bids),
        rd=relative_distance(bids, bids[1:]),
        rd_low=relative_distance(bids, bids[:-1]),
        kurt=kurtosis(bids),
        skew=skewness(bids),
        ks=kolmogorov_smirnov(bids),
    )


def deviation(bids: Sequence[float]) -> float | None:
    """The sample's standard deviation (n - 1); None for fewer than two bids."""
    if len(bids) < 2:
        return None
    mean = math.fsum(bids) / len(bids)
    return math.sqrt(math.fsum((bid - mean) ** 2 for bid in bids) / (len(bids) - 1))


def coefficient_of_variation(bids: Sequence[float]) -> float | None:
    """CV: standard deviation over mean. Cover bids that keep close to the agreed one make it small."""
    sd = deviation(bids)
    return None if sd is None else sd * len(bids) / math.fsum(bids)


def spread(bids: Sequence[float]) -> float | None:
    """SPD: (highest - lowest) / lowest, of sorted bids."""
    return (bids[-1] - bids[0]) / bids[0] if len(bids) > 1 else None


def difference(bids: Sequence[float]) -> float | None:
    """DIFFP: (second lowest - lowest) / lowest, of sorted bids."""
    return (bids[1] - bids[0]) / bids[0] if len(bids) > 1 else None


def relative_distance(bids: Sequence[float], others: Sequence[float]) -> float | None:
    """RD: (second lowest - lowest) / standard deviation of `others`: a winner kept apart from its covers raises it."""
    sd = deviation(others) if others and others[0] != others[-1] else None
    return (bids[1] - bids[0]) / sd if sd else None


def _standard_moment(bids: Sequence[float], power: int) -> float:
    """Sum of ((bid - mean) / standard deviation) ** power, of sorted bids that are not all equal."""
    mean, sd = math.fsum(bids) / len(bids), deviation(bids)
    assert sd is not None, "at least two bids"
    return math.fsum(((bid - mean) / sd) ** power for bid in bids)


def kurtosis(bids: Sequence[float]) -> float | None:
    """KURT: excess kurtosis with the sample's correction (G2); None for fewer than four bids or equal ones."""
    n = len(bids)
    if n < 4 or bids[0] == bids[-1]:
        return None
    scale = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3))
    return scale * _standard_moment(bids, 4) - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))


def skewness(bids: Sequence[float]) -> float | None:
    """SKEW: skewness with the sample's correction (G1); None for fewer than three bids or equal ones."""
    n = len(bids)
    if n < 3 or bids[0] == bids[-1]:
        return None
    return n / ((n - 1) * (n - 2)) * _standard_moment(bids, 3)


def kolmogorov_smirnov(bids: Sequence[float]) -> float | None:
    """KS: greatest distance of the sorted bids' distribution from the uniform one between the lowest and highest."""
    n = len(bids)
    if n < 2 or bids[0] == bids[-1]:
        return None
    places = [(bid - bids[0]) / (bids[-1] - bids[0]) for bid in bids]
    return max(max((i + 1) / n - place, place - i / n) for i, place in enumerate(places))
