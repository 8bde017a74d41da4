"""Questions that many refusals ask: whether a number is out of its limits, a text is no name, a value is none.

Numbers are those of DESIGN and docs/, written down again: market/limits.py is the code under test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from analytics.checker.case import Case
from contractnet.messages.names import MEMO_BYTES_MAX, NAME_BYTES_MAX, name_problem

MONEY_MAX, ISSUED_MAX = 10**15, 4 * 10**18
DAY_MS, WEEK_MS, YEAR_MS = 24 * 3600 * 1000, 7 * 24 * 3600 * 1000, 366 * 24 * 3600 * 1000
MEMO = MEMO_BYTES_MAX

Refusal = Callable[[Case], bool]
Range = tuple[str, int, int]
"""A field, the least and the most."""


def out_of(*ranges: Range) -> Refusal:
    """Whether a field is out of its range. A field without a value is in it."""

    def applies(case: Case) -> bool:
        for name, least, most in ranges:
            value = getattr(case.command, name)
            if value is not None and not least <= value <= most:
                return True
        return False

    return applies


def any_of(*refusals: Refusal) -> Refusal:
    """Whether one of them applies."""
    return lambda case: any(applies(case) for applies in refusals)


def no_name(*fields: str, most: int = NAME_BYTES_MAX, empty: bool = False) -> Refusal:
    """Whether a field is no name."""

    def applies(case: Case) -> bool:
        return any(name_problem(getattr(case.command, name), most, empty=empty) is not None for name in fields)

    return applies


def bad_names(names: Iterable[str]) -> bool:
    """Whether one of them is no name."""
    return any(name_problem(name) is not None for name in names)


def no_value(*fields: str) -> Refusal:
    """Whether an enum field says nothing."""
    return lambda case: any(getattr(case.command, name) == "UNSPECIFIED" for name in fields)


def no_account(*fields: str) -> Refusal:
    """Whether a field names no account."""
    return lambda case: not all(case.knows(getattr(case.command, name)) for name in fields)
