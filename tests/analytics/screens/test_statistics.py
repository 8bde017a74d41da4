"""The screens against numbers worked out by hand, and against the columns of the published data."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics.screens.statistics import Screens, screens

ROOT = Path(__file__).resolve().parents[3]
# A directory with italy.csv and brazil.csv; nothing of it is in this repository.
TENDERS_ENV = "CONTRACTNET_TENDERS"


def published(country: str) -> list[dict[str, str]]:
    """The rows of a country's published file; skips where it is not there."""
    folder = Path(os.environ.get(TENDERS_ENV, ROOT.parent / "shared" / "data" / "bid_rigging"))
    path = folder / f"{country}.csv"
    if not path.is_file():
        pytest.skip(f"no {country}.csv in {folder}: set {TENDERS_ENV} to the folder that has it")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_by_hand() -> None:
    """100, 110, 120, 170: mean 125, deviations -25, -15, -5, 45."""
    found = screens([120, 100, 170, 110])
    assert found.bids == 4
    assert found.cv == pytest.approx((2900 / 3) ** 0.5 / 125)
    assert found.spd == pytest.approx(0.7)
    assert found.diffp == pytest.approx(0.1)
    # Losing bids 110, 120, 170; all but the highest 100, 110, 120.
    assert found.rd == pytest.approx(10 / (2066.6666666666665 / 2) ** 0.5)
    assert found.rd_low == pytest.approx(1.0)
    assert found.skew == pytest.approx(4 / 6 * (-(25**3) - 15**3 - 5**3 + 45**3) / (2900 / 3) ** 1.5)
    assert found.kurt == pytest.approx(20 / 6 * (25**4 + 15**4 + 5**4 + 45**4) / (2900 / 3) ** 2 - 27 / 2)
    # Places 0, 1/7, 2/7, 1 against steps of 1/4: the third is passed by 3/4 - 2/7.
    assert found.ks == pytest.approx(3 / 4 - 2 / 7)
    # Places 0, 7/9, 8/9, 1: the second lies 7/9 - 1/4 above the step before it.
    assert screens([100, 170, 180, 190]).ks == pytest.approx(7 / 9 - 1 / 4)


@pytest.mark.parametrize(
    ("bids", "undefined"),
    [
        ([5.0], {"cv", "spd", "diffp", "rd", "rd_low", "kurt", "skew", "ks"}),
        ([5.0, 6.0], {"rd", "rd_low", "kurt", "skew"}),
        ([5.0, 6.0, 7.0], {"kurt"}),
        ([5.0] * 6, {"rd", "rd_low", "kurt", "skew", "ks"}),
        ([0.1] * 7, {"rd", "rd_low", "kurt", "skew", "ks"}),
    ],
)
def test_what_is_not_defined(bids: list[float], undefined: set[str]) -> None:
    """Few bids and equal bids leave a screen out; they never make it 0, infinite or an error."""
    found = screens(bids)
    assert {name for name in Screens.__slots__ if getattr(found, name) is None} == undefined


@pytest.mark.parametrize("bids", [[], [0.0, 1.0], [-1.0], [float("nan")]])
def test_bids_are_above_nothing(bids: list[float]) -> None:
    """No bid, a bid of 0 or less, or one that is no number is refused."""
    with pytest.raises(ValueError, match="above 0"):
        screens(bids)


@pytest.mark.parametrize(("country", "diffp", "rd"), [("italy", 254 / 278, 251 / 278), ("brazil", 1.0, 99 / 101)])
def test_the_published_columns(country: str, diffp: float, rd: float) -> None:
    """CV, SPD, SKEW, KSTEST and KURT (from four bids on) are the published ones to their four decimals, in every
    tender; DIFFP and RD in those where the two lowest bids are not what the publication made of ties."""
    tenders = defaultdict(list)
    for row in published(country):
        tenders[row["Tender"]].append(row)
    agree: Callable[[float | None, str], bool] = lambda ours, theirs: abs((ours or 0) - float(theirs)) < 6e-5  # noqa: E731
    same: dict[str, int] = defaultdict(int)
    for rows in tenders.values():
        found, theirs = screens([float(row["Bid_value"]) for row in rows]), rows[0]
        for name, column in (("cv", "CV"), ("spd", "SPD"), ("ks", "KSTEST")):
            assert agree(getattr(found, name), theirs[column]), (name, theirs["Tender"])
        assert len(rows) < 3 or agree(found.skew, theirs["SKEW"])
        assert len(rows) < 4 or agree(found.kurt, theirs["KURT"])
        same["diffp"] += agree(found.diffp, theirs["DIFFP"])
        same["rd"] += agree(found.rd_low, theirs["RD"])
    assert same["diffp"] / len(tenders) == pytest.approx(diffp)
    assert same["rd"] / len(tenders) == pytest.approx(rd)
