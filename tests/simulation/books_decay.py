"""What must hold of decay by the average, and of what is owed, kept from the ledger's events alone."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from contractnet.messages import Entry, PostingReason
from contractnet.messages import events as e

if TYPE_CHECKING:
    from tests.simulation.books_budgets import Purse

AVERAGE_RULES = 9


class DecayBooks:
    """Every balance there was, and who owes what; `Books` has the rest."""

    rules: int
    bank: bytes
    now_ms: int
    balances: dict[bytes, int]
    holds: dict[bytes, tuple[bytes, int]]
    projects: dict[bytes, str]

    def __init__(self) -> None:
        self.past: dict[bytes, list[tuple[int, int]]] = {}
        """By account: instants, and its balance from each one on."""
        self.owed: dict[bytes, int] = {}
        self.lost: dict[bytes, int] = {}
        """What the end of a window at hand has taken, by account."""
        self.asked: tuple[bool, dict[bytes, Fraction], dict[bytes, int]] | None = None
        """The window that is ending: whether a cap takes more, what it takes on average, and what was owed before."""

    def free(self, account: bytes) -> int:
        """What nothing holds."""
        return self.balances[account] - sum(amount for who, amount in self.holds.values() if who == account)

    def had(self, account: bytes, start_ms: int, end_ms: int) -> int:
        """Micro-credits times milliseconds."""
        area, end = 0, end_ms
        for since_ms, balance_ucr in reversed(self.past.get(account, [])):
            area += balance_ucr * max(0, end - max(start_ms, since_ms))
            end = min(end, since_ms)
        return area

    def count(self, event: e.CreditsTransferred) -> None:
        """Credits have moved."""
        for account in (event.debit, event.credit):
            self.past.setdefault(account, []).append((self.now_ms, self.balances[account]))
        if event.reason is PostingReason.DECAY:
            self.lost[event.debit] = self.lost.get(event.debit, 0) + event.amount_ucr
        if event.reason is PostingReason.TRANSFER:
            self.spend(event.debit)

    def spend(self, account: bytes) -> None:
        """An account has spent or set aside something by a command."""
        assert self.free(account) >= self.owed.get(account, 0), "what is owed is spent"

    def window_over(self, purse: Purse, start_ms: int, end_ms: int) -> None:
        """A window ends; what it takes and what is owed then comes next."""
        self.settle_decay()
        if self.rules < AVERAGE_RULES or not (purse.terms.allowance_ucr or purse.terms.decay_permille):
            return
        terms, since_ms = purse.terms, max(start_ms, purse.counts_from_ms)
        mine = [terms.account] if terms.account else [a for a, p in self.projects.items() if p == terms.project]
        rate = Fraction(terms.decay_permille, 1000 * terms.window_ms)
        asked = {account: self.had(account, since_ms, end_ms) * rate for account in mine}
        capped = bool(terms.cap_allowances and terms.allowance_ucr)
        self.asked, self.lost = (capped, asked, dict(self.owed)), {}

    def settle_decay(self) -> None:
        """A window's end is complete: each account has paid its part, or owes it and has nothing that is free."""
        if self.asked is None:
            return
        capped, asked, before = self.asked
        self.asked = None
        for account, part in asked.items():
            owed_ucr = self.owed.get(account, 0)
            paid = self.lost.get(account, 0) + owed_ucr - before.get(account, 0)
            assert paid > part - 1, "decay is less than its part of the average"
            assert capped or paid <= part, "decay is more than its part of the average"

    def _DecayOwed(self, _: Entry, event: e.DecayOwed) -> None:
        assert self.asked is not None, "somebody owes something out of turn"
        assert event.account in self.asked[1], "somebody owes something to another's budget"
        assert event.owed_ucr >= 0
        assert event.owed_ucr != self.owed.get(event.account, 0)
        if event.owed_ucr:
            assert self.free(event.account) == 0, "somebody owes what is free"
        self.owed[event.account] = event.owed_ucr
