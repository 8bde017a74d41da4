"""The part of the books that keeps budgets: limits hold, windows follow each other, and what they move adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from contractnet.messages import Entry, PostingReason
from contractnet.messages import events as e
from tests.simulation.books_decay import DecayBooks


@dataclass(slots=True)
class Purse:
    """A budget and the window that runs."""

    terms: e.BudgetSet
    ends_at_ms: int
    topped_up_ucr: int = 0
    spent_ucr: int = 0
    warned: bool = False
    counts_from_ms: int = 0
    """Since when what its accounts have counts."""


class BudgetBooks(DecayBooks):
    """Base of the books; every broken promise is an AssertionError."""

    def __init__(self) -> None:
        super().__init__()
        self.purses: dict[bytes, Purse] = {}
        self.projects: dict[bytes, str] = {}
        self.unposted = {PostingReason.DECAY: 0, PostingReason.ALLOWANCE: 0}
        self.policy: e.PolicySet | None = None
        self.issued: Counter[int] = Counter()
        """What the bank issued under the policy, by window."""
        self.fees: list[bytes] = []
        """Who has paid for an offer that is to come."""

    def purses_of(self, account: bytes) -> list[Purse]:
        """The budgets that an account falls under."""
        mine = ((account, ""), (None, self.projects.get(account)))
        return [purse for purse in self.purses.values() if (purse.terms.account, purse.terms.project) in mine]

    def hold(self, account: bytes) -> None:
        """A hold was placed: spent and held together stay in every limit."""
        for purse in self.purses_of(account):
            held = sum(amount for who, amount in self.holds.values() if purse in self.purses_of(who))
            if purse.terms.limit_ucr is not None:
                most = purse.terms.limit_ucr + purse.topped_up_ucr
                assert purse.spent_ucr + held <= most, "a bid holds more than a budget leaves"

    def pay(self, account: bytes, amount_ucr: int) -> None:
        """A hold was captured."""
        for purse in self.purses_of(account):
            purse.spent_ucr += amount_ucr

    def post(self, entry: Entry, event: e.CreditsTransferred) -> None:
        """Credits moved, maybe by a window's start."""
        self.count(event)
        if event.reason in self.unposted:
            self.unposted[event.reason] -= event.amount_ucr
        if self.policy is not None and event.reason in (PostingReason.ISSUE, PostingReason.ALLOWANCE):
            window, limit_ucr = entry.source.at_ms // self.policy.issue_window_ms, self.policy.issue_limit_ucr
            self.issued[window] += event.amount_ucr
            assert limit_ucr is None or self.issued[window] <= limit_ucr, "more was issued than the policy leaves"
        if event.reason is PostingReason.FEE:
            assert self.policy is not None
            assert event.amount_ucr == self.policy.round_fee_ucr
            self.fees.append(event.debit)

    def need_fee(self, account: bytes) -> None:
        """An offer was made."""
        fee_ucr = 0 if self.policy is None else self.policy.round_fee_ucr
        assert self.fees == ([account] if fee_ucr else []), "an offer without its fee, or with another's"
        self.fees.clear()

    def _PolicySet(self, _: Entry, event: e.PolicySet) -> None:
        self.policy, self.issued = event, Counter()

    def check_budgets(self) -> None:
        """Between records: a window's start has posted what it said."""
        self.settle_decay()
        assert not any(self.unposted.values()), "a window's start and its postings differ"
        assert not self.fees, "a fee without an offer"

    def _BudgetSet(self, entry: Entry, event: e.BudgetSet) -> None:
        assert event.ends_at_ms - event.starts_at_ms == event.window_ms
        old = self.purses.get(event.budget)
        scopes = [(p.terms.account, p.terms.project) for i, p in self.purses.items() if i != event.budget]
        assert (event.account, event.project) not in scopes, "a scope has two budgets"
        alike = old is not None and (old.terms.window_ms, old.terms.offset_ms) == (event.window_ms, event.offset_ms)
        goes_on = old is not None and alike and old.terms.decay_permille > 0 < event.decay_permille
        if old is None:
            assert event.starts_at_ms <= entry.source.at_ms < event.ends_at_ms
            self.purses[event.budget] = Purse(event, event.ends_at_ms)
        else:
            old.terms, old.ends_at_ms = event, event.ends_at_ms
        if not goes_on:
            self.purses[event.budget].counts_from_ms = entry.source.at_ms

    def _BudgetCleared(self, _: Entry, event: e.BudgetCleared) -> None:
        del self.purses[event.budget]

    def _BudgetToppedUp(self, _: Entry, event: e.BudgetToppedUp) -> None:
        self.purses[event.budget].topped_up_ucr += event.amount_ucr

    def _BudgetWarned(self, _: Entry, event: e.BudgetWarned) -> None:
        purse = self.purses[event.budget]
        assert not purse.warned, "a budget warns twice in a window"
        assert event.spent_ucr == purse.spent_ucr
        assert event.spent_ucr * 1000 >= purse.terms.warn_permille * event.limit_ucr
        purse.warned = True

    def _BudgetWindowStarted(self, entry: Entry, event: e.BudgetWindowStarted) -> None:
        purse = self.purses[event.budget]
        assert event.starts_at_ms == purse.ends_at_ms <= entry.source.at_ms, "windows do not follow each other"
        assert event.spent_ucr == purse.spent_ucr, "a window's end tells another sum than was paid"
        self.window_over(purse, event.starts_at_ms - purse.terms.window_ms, event.starts_at_ms)
        self.unposted[PostingReason.DECAY] += event.decayed_ucr
        self.unposted[PostingReason.ALLOWANCE] += event.issued_ucr
        purse.ends_at_ms, purse.spent_ucr, purse.topped_up_ucr, purse.warned = event.ends_at_ms, 0, 0, False
