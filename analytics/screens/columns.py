"""Which columns of a file may be learned from. What leaks the label or the sampling stays out, by rules, with a reason.

Rules read names first and values second; none needs a list of known files. They are conservative: a column that is
left out costs a little accuracy, one that leaks makes every number of the report worthless.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from analytics.screens.bids import Bids, number, plain

LABEL_PARTS = ("collus", "cartel", "convict", "investig", "guilty", "rigg", "suspect", "label")
DATE_WORDS = frozenset({"date", "datetime", "time", "timestamp", "year", "month", "day", "period", "quarter"})
SAMPLE_WORDS = frozenset({"id", "ids", "dataset", "source", "sample", "index", "row", "fold"})
# As whole names only: a "pre-tender estimate" is an amount.
SAMPLE_NAMES = frozenset({"tender", "tenders", "auction", "contract", "lot", "project", "bid", "number", "no", "nr"})
BIDDER_WORDS = frozenset({
    "competitor", "competitors", "bidder", "bidders", "firm", "firms", "company", "companies", "supplier", "vendor",
    "contractor", "name", "names",
})  # fmt: skip
COMPUTED = frozenset({
    "cv", "spd", "diffp", "rd", "kurt", "skew", "kstest", "ks", "number_bids", "num_bids", "n_bids", "bid_count",
})  # fmt: skip
# A unix time at midnight, 1973 to 2096: the published data has its dates so.
_DAY_S, _FIRST_S, _LAST_S = 86_400, 100_000_000, 4_000_000_000
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*")
CATEGORIES_MAX = 20
# A column of few values from which the label follows this often is the label under another name.
_TELLS_SHARE = 0.98
_UNIQUE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Chosen:
    """Columns to learn from, `numeric` and `categorical`, and for each of the others the reason why not."""

    numeric: list[str]
    categorical: list[str]
    left_out: dict[str, str]


def choose(bids: Bids) -> Chosen:
    """Sort the columns of a file into numbers, categories, and those that stay out."""
    chosen = Chosen([], [], {})
    for name, texts in bids.columns.items():
        values = [number(text) for text in texts]
        is_numeric = all(value is not None for value, text in zip(values, texts, strict=True) if text)
        if reason := _by_name(name) or _by_values(bids, texts, [v for v in values if v is not None], is_numeric):
            chosen.left_out[name] = reason
        elif is_numeric:
            chosen.numeric.append(name)
        else:
            chosen.categorical.append(name)
    return chosen


def _by_name(name: str) -> str | None:
    words = set(plain(name).split("_"))
    if any(part in plain(name) for part in LABEL_PARTS):
        return "its name says that it tells the label"
    if plain(name) in COMPUTED:
        return "computed here, from the bids"
    if words & DATE_WORDS:
        return "dates tell which years were sampled as rigged"
    if words & BIDDER_WORDS:
        return "who bids: remembering who was convicted is no screen"
    if words & SAMPLE_WORDS or plain(name) in SAMPLE_NAMES:
        return "numbers rows, tenders or samples"
    return None


def _by_values(bids: Bids, texts: Sequence[str], values: list[float], is_numeric: bool) -> str | None:
    distinct = Counter(text for text in texts if text)
    if len(distinct) < 2:
        return "one value or none"
    if is_numeric and all(value % _DAY_S == 0 and _FIRST_S < value < _LAST_S for value in values):
        return "its values are dates (unix time)"
    if not is_numeric and all(_DATE.fullmatch(text) for text in distinct):
        return "its values are dates"
    if len(distinct) <= CATEGORIES_MAX and _tells(bids.label, texts) >= _TELLS_SHARE:
        return "the label follows from it"
    if not is_numeric:
        return f"text of more than {CATEGORIES_MAX} values" if len(distinct) > CATEGORIES_MAX else None
    if all(value.is_integer() for value in values):
        if len(distinct) >= _UNIQUE_SHARE * len(texts) and _counts(values):
            return "numbers the rows"
        if _one_to_one(bids.tender, texts) and (_counts(values) or values in (sorted(values), sorted(values)[::-1])):
            return "numbers the tenders"
    return None


def _tells(label: Sequence[bool], texts: Sequence[str]) -> float:
    """How much of the way from the majority's share to all labels the column's values go: 1 where they tell each."""
    by_value: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for is_collusive, text in zip(label, texts, strict=True):
        by_value[text][is_collusive] += 1
    majority = max(sum(label), len(label) - sum(label))
    rest = len(label) - majority
    return (sum(max(counts) for counts in by_value.values()) - majority) / rest if rest else 0.0


def _counts(values: list[float]) -> bool:
    """Whether integers fill at least half of their range, as numbers do that count something through."""
    distinct = set(values)
    return max(distinct) - min(distinct) + 1 <= 2 * len(distinct)


def _one_to_one(tender: Sequence[str], texts: Sequence[str]) -> bool:
    pairs = set(zip(tender, texts, strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) > CATEGORIES_MAX // 2
