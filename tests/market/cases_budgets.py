"""Commands about budgets that break one rule each, and no other; see test_rules.py.

They are for its busy town, in which bob has a budget of 500 and has spent 10 of it, and the project `unlimited` one
without a limit.
"""

# ruff: noqa: ARG005 - every case is given the ids, whether it needs them or not

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.signing import KeyPair
from tests.market.cases_decay import DECAY_CASES
from tests.market.town import ANN, BANK, OPERATOR, UNKNOWN_ID, bid, budget, key_pair

BOB = key_pair("bob")
INT64_MAX, INT64_MIN, INT32_MAX = 2**63 - 1, -(2**63), 2**31 - 1

Case = tuple[str, Code, KeyPair, Callable[[dict[str, bytes]], Command]]


def _of_ann(what: str, code: Code, name: str, *values: int | None) -> list[Case]:
    """A budget of ann's with one term that is out of its limits."""

    def made(value: int | None) -> Callable[[dict[str, bytes]], Command]:
        return lambda i: budget(i["ann"], **{name: value})

    return [(f"{what} of {value}", code, BANK, made(value)) for value in values]


BUDGET_CASES: list[Case] = [
    ("agent sets budget", Code.NOT_PERMITTED, ANN, lambda i: budget(i["ann"])),
    ("operator sets budget", Code.NOT_PERMITTED, OPERATOR, lambda i: budget(i["ann"])),
    ("agent clears budget", Code.NOT_PERMITTED, BOB, lambda i: c.ClearBudget(i["bob"], "")),
    ("agent tops up", Code.NOT_PERMITTED, BOB, lambda i: c.TopUpBudget(i["bob"], "", 1)),
    ("budget of the bank", Code.NOT_PERMITTED, BANK, lambda i: budget(i["bank"])),
    ("budget of nobody", Code.UNKNOWN_ACCOUNT, BANK, lambda i: budget(UNKNOWN_ID)),
    ("top up nobody", Code.UNKNOWN_ACCOUNT, BANK, lambda i: c.TopUpBudget(UNKNOWN_ID, "", 1)),
    ("budget of nothing", Code.BAD_BUDGET, BANK, lambda i: budget()),
    ("budget of both", Code.BAD_BUDGET, BANK, lambda i: budget(i["ann"], "project")),
    ("clear of both", Code.BAD_BUDGET, BANK, lambda i: c.ClearBudget(i["bob"], "project")),
    ("top up nothing", Code.BAD_BUDGET, BANK, lambda i: c.TopUpBudget(None, "", 1)),
    ("budget of a bad name", Code.BAD_NAME, BANK, lambda i: budget(None, "nul\0")),
    ("budget of a long name", Code.BAD_NAME, BANK, lambda i: budget(None, "x" * 65)),
    ("clear no budget", Code.UNKNOWN_BUDGET, BANK, lambda i: c.ClearBudget(i["ann"], "")),
    ("clear no project's budget", Code.UNKNOWN_BUDGET, BANK, lambda i: c.ClearBudget(None, "bob")),
    ("top up no budget", Code.UNKNOWN_BUDGET, BANK, lambda i: c.TopUpBudget(None, "project", 1)),
    ("top up no limit", Code.UNKNOWN_BUDGET, BANK, lambda i: c.TopUpBudget(None, "unlimited", 1)),
    *_of_ann("window", Code.BAD_DURATION, "window_ms", INT64_MIN, 0, 59_999, 366 * 24 * 3600 * 1000 + 1, INT64_MAX),
    *_of_ann("offset", Code.BAD_DURATION, "offset_ms", INT64_MIN, -1, 60_000, INT64_MAX),
    *_of_ann("limit", Code.BAD_AMOUNT, "limit_ucr", INT64_MIN, -1, 10**15 + 1, INT64_MAX),
    *_of_ann("allowance", Code.BAD_AMOUNT, "allowance_ucr", INT64_MIN, -1, 10**15 + 1, INT64_MAX),
    *_of_ann("decay", Code.BAD_BUDGET, "decay_permille", -1, 1001, INT32_MAX),
    *_of_ann("cap", Code.BAD_BUDGET, "cap_allowances", -1, 1001, INT32_MAX),
    *_of_ann("warning", Code.BAD_BUDGET, "warn_permille", -1, 0, 1001, INT32_MAX),
    *[
        (f"top up by {n}", Code.BAD_AMOUNT, BANK, lambda i, n=n: c.TopUpBudget(i["bob"], "", n))
        for n in (INT64_MIN, -1, 0, 10**15 - 499, INT64_MAX)
    ],
    ("bid more than the budget", Code.BUDGET_EXCEEDED, BOB, lambda i: bid(i["cfp"], 491)),
    *DECAY_CASES,
]
