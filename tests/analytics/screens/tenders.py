"""Made-up tenders: what the tests of the command learn from where the published files are not there."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from pathlib import Path

HEADER = ["Tender", "Bid_value", "Collusive"]


def rows(seed: int, tenders: int = 60, collusive_cv: float = 0.02, honest_cv: float = 0.2) -> list[list[object]]:
    """Two to nine bids a tender; every third tender is collusive, with bids that much closer to each other."""
    draw = random.Random(seed)
    made: list[list[object]] = []
    for tender in range(tenders):
        collusive = tender % 3 == 0
        size, cv = draw.uniform(1e4, 1e6), collusive_cv if collusive else honest_cv
        for _ in range(draw.randint(2, 9)):
            made.append([f"T{tender}", round(size * draw.lognormvariate(0, cv), 2), int(collusive)])
    return made


def write(path: Path, lines: Iterable[list[object]], header: list[str] = HEADER, delimiter: str = ",") -> Path:
    """A CSV file of them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *lines])
    return path
