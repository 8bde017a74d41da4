"""The part of random histories that sets budgets, and what the operator sets."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from contractnet.messages import Event, PostingReason
from contractnet.messages import events as ev
from tests.projections.parts import Cfp


@dataclass
class Budget:
    account: bytes | None
    project: str
    limit_ucr: int | None
    ends_at_ms: int
    spent_ucr: int = 0


class Budgeting:
    """Base of a history."""

    bank: bytes
    _random: random.Random
    _at_ms: int
    _free_ucr: dict[bytes, int]
    _budgets: dict[bytes, Budget]

    def _account(self) -> bytes:
        raise NotImplementedError

    def _posting(
        self,
        debit: bytes,
        credit: bytes,
        amount_ucr: int,
        reason: PostingReason,
        task: str = "",
        pool: str = "",
    ) -> ev.CreditsTransferred:
        raise NotImplementedError

    def _set_budget(self, command: bytes) -> list[Event]:
        account = self._account() if self._random.random() < 0.5 else None
        project = "" if account else f"project-{self._random.randrange(4)}"
        known = {(budget.account, budget.project): ident for ident, budget in self._budgets.items()}
        ident = known.get((account, project), command)
        limit_ucr = self._random.choice((None, 0, 10**9))
        ends_at_ms = self._at_ms + self._random.randint(1, 60_000)
        budget = self._budgets.setdefault(ident, Budget(account, project, limit_ucr, ends_at_ms))
        budget.limit_ucr, budget.ends_at_ms = limit_ucr, ends_at_ms
        permille = self._random.randint(0, 1000)
        terms = (limit_ucr, 5, 60_000, ends_at_ms % 60_000, permille, 2, 1000 - permille)
        return [ev.BudgetSet(ident, account, project, *terms, ends_at_ms - 60_000, ends_at_ms)]

    def _change_budget(self, command: bytes) -> list[Event]:
        """Mostly another window, sometimes two in one record; a warning before it, or an end after it."""
        if not self._budgets:
            return self._set_budget(command)
        ident, budget = self._random.choice(list(self._budgets.items()))
        chance = self._random.random()
        if chance < 0.2:
            return [ev.BudgetToppedUp(ident, self._random.randint(1, 99))]
        events: list[Event] = [ev.BudgetWarned(ident, budget.spent_ucr, 7)] if chance < 0.4 else []
        for _ in range(self._random.randint(1, 2)):
            starts_at_ms, budget.ends_at_ms = budget.ends_at_ms, budget.ends_at_ms + 60_000
            bounds = (starts_at_ms, budget.ends_at_ms, budget.limit_ucr)
            given = self._random.randint(0, 3)
            events.append(ev.BudgetWindowStarted(ident, *bounds, budget.spent_ucr, 0, given))
            budget.spent_ucr = 0
            if given:
                account = budget.account or self._account()
                self._free_ucr[account] += given
                events.append(self._posting(self.bank, account, given, PostingReason.ALLOWANCE))
            # Mostly twice in a batch, and 0 again in the end.
            events.append(ev.DecayOwed(budget.account or self._account(), self._random.choice((0, 7, 10**12))))
        if chance > 0.9:
            del self._budgets[ident]
            events.append(ev.BudgetCleared(ident, budget.account, budget.project))
        return events

    def _set_policy(self, _: bytes) -> list[Event]:
        if self._random.random() < 0.2:
            return [ev.ResaleCallSet(self._random.choice((0, 50, 60_000)))]
        if self._random.random() < 0.4:
            return [ev.DepositSet(self._random.choice((0, 7, 10**6)), self._random.choice((0, 0, 5, 10**15)))]
        return [ev.PolicySet(self._random.choice((None, 0, 10**12)), 60_000, self._random.randrange(3))]

    def _settle_deposit(self, cfp: Cfp) -> list[Event]:
        """A deposit is free, and pays some of those who have bid."""
        if not cfp.deposit_ucr:
            return []
        bidders = {bidder for bidder, _, _ in cfp.bids.values()} - {cfp.manager}
        paid = self._random.sample(sorted(bidders), min(len(bidders), 2))
        self._free_ucr[cfp.manager] += cfp.deposit_ucr - 7 * len(paid)
        for bidder in paid:
            self._free_ucr[bidder] += 7
        moved = (7, PostingReason.DEPOSIT, "", cfp.pool)
        shares = [replace(self._posting(cfp.manager, bidder, *moved), cfp=cfp.cfp) for bidder in paid]
        return [ev.HoldReleased(cfp.cfp, cfp.manager, cfp.deposit_ucr), *shares]
