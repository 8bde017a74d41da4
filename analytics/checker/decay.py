"""What accounts had under budgets that decay, as the independent checker adds it up: by number of window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analytics.checker.parts import DECAY_RULES, Account, Fields, need

if TYPE_CHECKING:
    from analytics.checker.books import Book
    from analytics.checker.budgets import Budget

Pair = tuple[bytes, bytes]
"""Budget and account."""


@dataclass(slots=True)
class Areas:
    """Micro-credits times milliseconds of one account under one budget, by number of window since the epoch."""

    until_ms: int
    by_window: Counter[int] = field(default_factory=Counter)

    def count(self, balance_ucr: int, at_ms: int, terms: Fields) -> None:
        """The account has had this balance until now."""
        while self.until_ms < at_ms:
            number = number_of(self.until_ms, terms)
            ends_ms = (number + 1) * terms["window_ms"] + terms["offset_ms"]
            step_ms = min(ends_ms, at_ms) - self.until_ms
            self.by_window[number] += balance_ucr * step_ms
            self.until_ms += step_ms


@dataclass(slots=True)
class Decay:
    """Of one market. `accounts` are the market's."""

    accounts: dict[bytes, Account]
    areas: dict[Pair, Areas] = field(default_factory=dict)

    def begin(self, ident: bytes, budget: Budget, members: Iterable[bytes], at_ms: int, version: int) -> None:
        """Under these terms time counts from now on, where they take anything."""
        self.forget(ident)
        if version >= DECAY_RULES and budget.terms["decay_permille"]:
            self.areas |= {(ident, account): Areas(at_ms) for account in members}

    def join(self, ident: bytes, account: bytes, at_ms: int) -> None:
        """One more account falls under a budget that takes something."""
        self.areas[ident, account] = Areas(at_ms)

    def forget(self, ident: bytes) -> None:
        """A budget is no more."""
        self.areas = {pair: areas for pair, areas in self.areas.items() if pair[0] != ident}

    def count(self, over: Iterable[tuple[bytes, Budget]], account: bytes, at_ms: int) -> None:
        """Right before an account's balance changes, with the budgets over it."""
        for ident, budget in over:
            if (ident, account) in self.areas:
                self.areas[ident, account].count(self.accounts[account].balance_ucr, at_ms, budget.terms)

    def take(self, ident: bytes, budget: Budget, account: bytes, at_ms: int) -> int:
        """The decay of the window that is over, micro-credits. Asked for once."""
        areas = self.areas.get((ident, account))
        if areas is None:
            return 0
        terms = budget.terms
        areas.count(self.accounts[account].balance_ucr, at_ms, terms)
        area: int = areas.by_window.pop(number_of(budget.starts_at_ms, terms), 0)
        taken: int = area * terms["decay_permille"] // (1000 * terms["window_ms"])
        return taken

    def load(self, ident: bytes, budget: Budget, rows: Iterable[tuple[str, int, list[int]]]) -> None:
        """From canonical state bytes."""
        first = number_of(budget.starts_at_ms, budget.terms)
        for account, until_ms, areas in rows:
            by_window = Counter({first + place: area for place, area in enumerate(areas)})
            self.areas[ident, bytes.fromhex(account)] = Areas(until_ms, by_window)

    def plain(self, budgets: dict[bytes, Budget], now_ms: int) -> dict[Pair, dict[int, int]]:
        """What can be compared: everything counted until now."""
        for (ident, account), areas in self.areas.items():
            areas.count(self.accounts[account].balance_ucr, now_ms, budgets[ident].terms)
        return {pair: {n: area for n, area in areas.by_window.items() if area} for pair, areas in self.areas.items()}


def number_of(at_ms: int, terms: Fields) -> int:
    """The number of the window of an instant."""
    number: int = (at_ms - terms["offset_ms"]) // terms["window_ms"]
    return number


def owed(book: Book, e: Fields, _: Fields) -> None:
    """An account owes another amount: what a window's start has to say, in its order."""
    account = book._account(e["account"])
    need(account.owed_ucr != e["owed_ucr"] >= 0, "what is owed is told when it changes, and never below 0")
    book.budgets.post_owed(e)
    account.owed_ucr = e["owed_ucr"]
