"""The independent checker knows each limit of the rules, and decides by it what the market does."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import pytest

from analytics.checker import refusals_accounts as accounts
from analytics.checker import refusals_bids as bids
from analytics.checker import refusals_cfps as cfps
from analytics.checker import refusals_talks as talks
from analytics.checker import refusals_tokens as tokens
from analytics.checker.books import Book
from analytics.checker.case import Case
from analytics.checker.refusals import REFUSALS
from contractnet.messages import Command
from contractnet.signing import KeyPair
from market.snapshot import dump
from tests.market.test_limits import LIMITS
from tests.market.test_rules import busy_town

NAMES = {
    "ACCOUNTS_MAX": (accounts, "ACCOUNTS_MAX"),
    "KEYS_PER_ACCOUNT_MAX": (accounts, "KEYS_MAX"),
    "POOLS_MAX": (accounts, "POOLS_MAX"),
    "OPEN_CFPS_MAX": (cfps, "OPEN_MAX"),
    "OPEN_CFPS_PER_MANAGER_MAX": (cfps, "OPEN_PER_MANAGER_MAX"),
    "OPEN_CFPS_PER_ROOT_MAX": (cfps, "OPEN_PER_ROOT_MAX"),
    "BIDS_PER_CFP_MAX": (bids, "BIDS_PER_CFP_MAX"),
    "BIDS_PER_ROOT_AND_CFP_MAX": (bids, "BIDS_PER_ROOT_MAX"),
    "OPEN_BIDS_PER_ACCOUNT_MAX": (bids, "BIDS_PER_ACCOUNT_MAX"),
    "REFUSALS_PER_CFP_MAX": (bids, "REFUSALS_MAX"),
    "LEASES_PER_POOL_MAX": (cfps, "LEASES_PER_POOL_MAX"),
    "BUDGETS_MAX": (accounts, "BUDGETS_MAX"),
    "ACCOUNTS_PER_BUDGET_MAX": (accounts, "MEMBERS_MAX"),
    "ISSUED_UCR_MAX": (accounts, "ISSUED_MAX"),
    "NEGOTIATIONS_MAX": (talks, "TALKS_MAX"),
    "NEGOTIATIONS_PER_HOLDER_MAX": (talks, "TALKS_PER_HOLDER_MAX"),
    "CLAIMS_MAX": (talks, "CLAIMS_MAX"),
    "CLAIMS_PER_ROOT_MAX": (talks, "CLAIMS_PER_ROOT_MAX"),
    "NEGOTIATIONS_PER_ROOT_MAX": (talks, "TALKS_PER_ROOT_MAX"),
    "TOKEN_POOLS_MAX": (tokens, "POOLS_MAX"),
    "ORDERS_PER_POOL_MAX": (tokens, "ORDERS_MAX"),
    "GRANTS_PER_POOL_MAX": (tokens, "GRANTS_MAX"),
}
"""Where the checker has what market/limits.py calls so."""


@cache
def _busy() -> tuple[dict[str, bytes], Book, int]:
    town, ids = busy_town()
    ids["bank"] = town.state.bank
    (plain,) = json.loads(dump(town.shard))["markets"]
    return ids, Book.from_plain(plain), town.at_ms


@pytest.mark.parametrize(("name", "most", "sender", "command"), LIMITS, ids=[limit[0] for limit in LIMITS])
def test_a_limit(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    most: int,
    sender: KeyPair,
    command: Callable[[dict[str, bytes]], Command],
) -> None:
    """One command below it is accepted, the next one above is not, as in tests/market/test_limits.py."""
    ids, book, at_ms = _busy()
    asked = command(ids)
    kind = type(asked).__name__
    case = Case(book, asked, kind, bytes(16), at_ms, sender.public, book.keys[sender.public].account)
    for lower, reached in ((0, True), (1, False)):
        monkeypatch.setattr(*NAMES[name], most + lower)
        assert REFUSALS[kind]["LIMIT_REACHED"](case) is reached
