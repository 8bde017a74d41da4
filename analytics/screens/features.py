"""The table that a classifier learns from: one row a bid. Nothing in it is computed from a label.

Screens and a bid's place in its tender are free of scale, so that they mean the same in another market. The other
columns of a file, and the size of the bid, are its own market's. Of a column whose values differ within a tender there
is the tender's mean as well: what is alike about all who bid there says more about the tender than any one of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from analytics.screens.bids import Bids, number
from analytics.screens.columns import Chosen
from analytics.screens.statistics import Screens, deviation, screens

Table = NDArray[np.float64]
SCREENS = tuple(field.name for field in fields(Screens))
PLACE = ("rank", "above_lowest", "from_mean", "is_lowest")
# Positive numbers that span more than this are taken as logarithms: trees that draw thresholds evenly see them all.
_SPAN = 100.0


@dataclass(frozen=True, slots=True)
class Features:
    """Names and values of the columns; the first `transferable` of them are free of the file's own columns, and those
    at `of_tender` have one value in each tender."""

    names: list[str]
    values: Table
    transferable: int
    of_tender: list[int]


def build(bids: Bids, chosen: Chosen) -> Features:
    """The features of all bids, in their order. What is not defined is NaN."""
    amounts, tenders = np.array(bids.amount), tenders_of(bids)
    rows = np.full((len(amounts), len(SCREENS) + len(PLACE)), np.nan)
    for at in tenders.values():
        found = astuple(screens([bids.amount[i] for i in at]))
        rows[at, : len(SCREENS)] = [math.nan if value is None else value for value in found]
        rows[np.ix_(at, range(len(SCREENS), rows.shape[1]))] = _places([bids.amount[i] for i in at])
    columns = [np.log(amounts)]
    names = [*SCREENS, *PLACE, "log_bid"]
    for name in chosen.numeric:
        columns.append(_tamed(np.array([_or_nan(number(text)) for text in bids.columns[name]])))
        names.append(name)
    for name in chosen.categorical:
        for value in sorted(set(bids.columns[name])):
            columns.append(np.array([float(text == value) for text in bids.columns[name]]))
            names.append(f"{name}={value}")
    own = np.column_stack(columns)
    means = _means(own, tenders)
    differs = [i for i in range(own.shape[1]) if not np.array_equal(own[:, i], means[:, i], equal_nan=True)]
    width = rows.shape[1]
    of_tender = [*range(len(SCREENS)), *(width + i for i in range(own.shape[1]) if i not in differs)]
    of_tender += range(width + own.shape[1], width + own.shape[1] + len(differs))
    names += [f"mean of {names[width + i]}" for i in differs]
    return Features(names, np.column_stack([rows, own, means[:, differs]]), width, of_tender)


def tenders_of(bids: Bids) -> dict[str, list[int]]:
    """The rows of each tender."""
    found: dict[str, list[int]] = defaultdict(list)
    for i, tender in enumerate(bids.tender):
        found[tender].append(i)
    return found


def _means(columns: Table, tenders: dict[str, list[int]]) -> Table:
    """Each value replaced by its tender's mean, without the missing ones; a column's one value stays what it is."""
    means = np.full(columns.shape, np.nan)
    for at in tenders.values():
        for i, values in enumerate(columns[at].T):
            known = values[~np.isnan(values)]
            if len(known):
                means[at, i] = known[0] if np.ptp(known) == 0 else known.mean()
    return means


def _places(amounts: list[float]) -> list[list[float]]:
    """Where each bid stands in its tender: rank 0 to 1, distance to the lowest, distance to the mean in deviations."""
    ordered = sorted(amounts)
    rank = {amount: i for i, amount in reversed(list(enumerate(ordered)))}
    mean, sd = math.fsum(amounts) / len(amounts), deviation(amounts)
    return [
        [
            rank[amount] / (len(amounts) - 1) if len(amounts) > 1 else math.nan,
            amount / ordered[0] - 1,
            (amount - mean) / sd if sd else math.nan,
            float(amount == ordered[0]),
        ]
        for amount in amounts
    ]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _tamed(values: Table) -> Table:
    least, most = np.nanmin(values), np.nanmax(values)
    return np.log(values) if least > 0 and most > _SPAN * least else values
