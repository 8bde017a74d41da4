"""Budgets as the independent checker keeps them: what a window allows, gives and takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analytics.checker.decay import Decay, owed
from analytics.checker.parts import DECAY_RULES, Account, Fields, need
from analytics.checker.policy import Policy

if TYPE_CHECKING:
    from analytics.checker.books import Book

AMOUNT_UCR_MAX, ISSUED_UCR_MAX = 10**15, 4 * 10**18
MINUTE_MS, WINDOW_MS_MAX = 60_000, 366 * 24 * 3600 * 1000
BUDGETS_MAX, MEMBERS_MAX = 1_000, 1_000
TERMS = ("limit_ucr", "allowance_ucr", "window_ms", "offset_ms", "decay_permille", "cap_allowances", "warn_permille")

Scope = tuple[bytes | None, str]
Posting = tuple[bytes, bytes, int, str]
"""Debit, credit, micro-credits, reason."""


@dataclass(slots=True)
class Budget:
    """One budget: its terms, and the window that runs."""

    scope: Scope
    terms: Fields
    starts_at_ms: int
    ends_at_ms: int
    topped_up_ucr: int = 0
    spent_ucr: int = 0
    warned: bool = False

    @property
    def most_ucr(self) -> int | None:
        """The limit of this window."""
        limit_ucr: int | None = self.terms["limit_ucr"]
        return None if limit_ucr is None else limit_ucr + self.topped_up_ucr

    def owes_warning(self) -> bool:
        """Whether what was spent is a reason to warn, and nobody has."""
        most_ucr = self.most_ucr
        reached = most_ucr is not None and self.spent_ucr * 1000 >= self.terms["warn_permille"] * most_ucr
        return reached and not self.warned


@dataclass(slots=True)
class Budgets:
    """The budgets of one market. `accounts` are the market's, the bank's among them; `version` is of its rules."""

    bank: bytes
    accounts: dict[bytes, Account]
    policy: Policy
    version: int
    decay: Decay = field(init=False)
    by_id: dict[bytes, Budget] = field(default_factory=dict)
    ids: dict[Scope, bytes] = field(default_factory=dict)
    members: dict[str, list[bytes]] = field(default_factory=dict)
    """Accounts of each project in order of opening."""
    _paid: set[bytes] = field(default_factory=set)
    _owed: list[Posting] = field(default_factory=list)
    """What the start of a window has yet to say."""

    def __post_init__(self) -> None:
        self.decay = Decay(self.accounts)

    def load(self, rows: Iterable[list[object]]) -> None:
        """From canonical state bytes."""
        for ident, account, project, *rest, tallies in rows:
            assert isinstance(ident, str)
            assert isinstance(project, str)
            owner = bytes.fromhex(account) if isinstance(account, str) else None
            terms, window = dict(zip(TERMS, rest[:7], strict=True)), rest[7:]
            self.ids[owner, project] = bytes.fromhex(ident)
            budget = Budget((owner, project), terms, *window)  # type: ignore[arg-type]  # numbers and a flag
            self.by_id[bytes.fromhex(ident)] = budget
            self.decay.load(bytes.fromhex(ident), budget, tallies)  # type: ignore[arg-type]  # rows of a list

    def activate(self, version: int, at_ms: int) -> None:
        """Other rules hold; the first that count what accounts have begin to."""
        before, self.version = self.version, version
        if before < DECAY_RULES:
            for ident, budget in self.by_id.items():
                self.decay.begin(ident, budget, self._under(budget.scope), at_ms, version)

    def joined(self, account: bytes, at_ms: int) -> None:
        """A new account falls under the budget of its project."""
        for ident, budget in self.over(account):
            if self.version >= DECAY_RULES and budget.terms["decay_permille"]:
                self.decay.join(ident, account, at_ms)

    def over(self, account: bytes) -> list[tuple[bytes, Budget]]:
        """The budgets that an account falls under."""
        scopes = ((account, ""), (None, self.accounts[account].project))
        return [(self.ids[scope], self.by_id[self.ids[scope]]) for scope in scopes if scope in self.ids]

    def held_under(self, budget: Budget) -> int:
        """What the accounts under a budget hold, micro-credits."""
        return sum(self.accounts[ident].held_ucr for ident in self._under(budget.scope))

    def check_hold(self, account: bytes) -> None:
        """Right after a hold: none of the account's budgets is exceeded by it."""
        for _, budget in self.over(account):
            most_ucr = budget.most_ucr
            fits = most_ucr is None or budget.spent_ucr + self.held_under(budget) <= most_ucr
            need(fits, "no bid holds more than a budget leaves")

    def pay(self, account: bytes, amount_ucr: int) -> None:
        """An award was paid."""
        for ident, budget in self.over(account):
            budget.spent_ucr += amount_ucr
            self._paid.add(ident)

    def post(self, e: Fields, at_ms: int) -> None:
        """Right before a posting, maybe of a window's start: then it is the next one that this owes."""
        for account in (e["debit"], e["credit"]):
            self.decay.count(self.over(account), account, at_ms)
        if e["reason"] not in ("ALLOWANCE", "DECAY"):
            return
        found = (e["debit"], e["credit"], e["amount_ucr"], e["reason"])
        need(bool(self._owed) and self._owed.pop(0) == found, "a window's start posts what its budget says, in order")
        about = e["debit"] if e["reason"] == "DECAY" else e["credit"]
        account = self.accounts[about]
        need((e["agent"], e["project"]) == (account.name, account.project), "it is attributed to the account")

    def post_owed(self, e: Fields) -> None:
        """What an account owes after a window's end."""
        found = (e["account"], self.bank, e["owed_ucr"], "OWED")
        need(bool(self._owed) and self._owed.pop(0) == found, "a window's start says who owes what, in order")

    def agree(self, other: Budgets, now_ms: int) -> None:
        """The same as those of the state."""
        need(self.by_id == other.by_id, "the budgets are those of the state")
        had = [budgets.decay.plain(budgets.by_id, now_ms) for budgets in (self, other)]
        need(had[0] == had[1], "what accounts had is that of the state")

    def end(self) -> None:
        """Nothing is owed at the end of a command."""
        need(not self._owed, "a window's start and its postings lie in one record")
        for ident in self._paid:
            need(not self.by_id[ident].owes_warning(), "a budget warns when its threshold is reached")
        self._paid.clear()

    def set(self, e: Fields, source: Fields) -> None:
        """A new budget, or other terms."""
        self.end()
        scope: Scope = (e["account"], e["project"])
        need((e["account"] is None) == bool(e["project"]), "a budget is for an account or a project")
        known = e["account"] is None or (e["account"] in self.accounts and e["account"] != self.bank)
        need(known, "a budget is for an account that exists, and not for the bank")
        self._check_terms(e)
        need(e["budget"] == self.ids.get(scope, source["command"]), "a scope has one budget")
        starts_at_ms, ends_at_ms = e["starts_at_ms"], e["ends_at_ms"]
        length = ends_at_ms - starts_at_ms == e["window_ms"] and (starts_at_ms - e["offset_ms"]) % e["window_ms"] == 0
        need(length, "a window is as long as it has to be, and begins at its offset")
        budget = Budget(scope, {name: e[name] for name in TERMS}, starts_at_ms, ends_at_ms)
        overdue = goes_on = False
        before = self.by_id.get(e["budget"])
        if before is not None:
            budget.topped_up_ucr, budget.spent_ucr = before.topped_up_ucr, before.spent_ucr
            budget.warned = before.warned
            overdue = (starts_at_ms, ends_at_ms) == (before.starts_at_ms, before.ends_at_ms)
            goes_on = all(before.terms[name] == e[name] for name in ("window_ms", "offset_ms"))
            goes_on = goes_on and before.terms["decay_permille"] > 0 < e["decay_permille"]
        need(overdue or starts_at_ms <= source["at_ms"] < ends_at_ms, "the window is the one that runs")
        self.by_id[e["budget"]], self.ids[scope] = budget, e["budget"]
        if not goes_on:
            self.decay.begin(e["budget"], budget, self._under(scope), source["at_ms"], self.version)
        need(len(self.by_id) <= BUDGETS_MAX, "there are not too many budgets")
        need(len(self._under(scope)) <= MEMBERS_MAX, "a project with a budget has not too many accounts")

    def cleared(self, e: Fields, _: Fields) -> None:
        """A budget ended."""
        self.end()
        need(self._found(e).scope == (e["account"], e["project"]), "a budget ends that there is")
        del self.ids[self.by_id.pop(e["budget"]).scope]
        self.decay.forget(e["budget"])

    def topped_up(self, e: Fields, _: Fields) -> None:
        """A limit is higher in this window."""
        budget = self._found(e)
        need(e["amount_ucr"] > 0, "a budget is topped up by something")
        budget.topped_up_ucr += e["amount_ucr"]
        need((budget.most_ucr or 2 * AMOUNT_UCR_MAX) <= AMOUNT_UCR_MAX, "a limit that there is stays in its limits")

    def warn(self, e: Fields, _: Fields) -> None:
        """A warning, when it is due."""
        budget = self._found(e)
        need(e["budget"] in self._paid and budget.owes_warning(), "a budget warns once a window, for a payment")
        need((e["spent_ucr"], e["limit_ucr"]) == (budget.spent_ucr, budget.most_ucr), "a warning tells what was spent")
        budget.warned = True

    def next_window(self, e: Fields, source: Fields) -> None:
        """One window ends, the next begins."""
        self.end()
        budget = self._found(e)
        need(source["at_ms"] >= budget.ends_at_ms, "a window does not end early")
        bounds = (budget.ends_at_ms, budget.ends_at_ms + budget.terms["window_ms"])
        need((e["starts_at_ms"], e["ends_at_ms"]) == bounds, "a window begins where the last one ended")
        need(e["limit_ucr"] == budget.terms["limit_ucr"], "a window has the limit of its budget")
        need(e["spent_ucr"] == budget.spent_ucr, "a window's end tells what was spent")
        self._owed = self._postings(e["budget"], budget, source["at_ms"])
        for name, reason in (("decayed_ucr", "DECAY"), ("issued_ucr", "ALLOWANCE")):
            total_ucr = sum(amount_ucr for _, _, amount_ucr, why in self._owed if why == reason)
            need(e[name] == total_ucr, f"{name} is what the postings add up to")
        budget.starts_at_ms, budget.ends_at_ms = bounds
        budget.topped_up_ucr = budget.spent_ucr = 0
        budget.warned = False

    def _postings(self, ident: bytes, budget: Budget, at_ms: int) -> list[Posting]:
        """What the accounts lose, owe and get: decay rounded down, the rest of a shared allowance to the first."""
        owed: list[Posting] = []
        members, terms = self._under(budget.scope), budget.terms
        if not (terms["allowance_ucr"] or terms["decay_permille"]):
            return []
        issuable_ucr = ISSUED_UCR_MAX + self.accounts[self.bank].balance_ucr
        left_ucr = self.policy.left_ucr(at_ms)
        by_policy_ucr = ISSUED_UCR_MAX if left_ucr is None else left_ucr
        for place, member in enumerate(members):
            account = self.accounts[member]
            free_ucr = account.balance_ucr - account.held_ucr
            share_ucr = (terms["allowance_ucr"] + len(members) - 1 - place) // len(members)
            asked_ucr = free_ucr * terms["decay_permille"] // 1000
            if self.version >= DECAY_RULES:
                asked_ucr = self.decay.take(ident, budget, member, at_ms) + account.owed_ucr
            lost_ucr = min(free_ucr, asked_ucr)
            left_owed_ucr = asked_ucr - lost_ucr
            if terms["cap_allowances"] and share_ucr:
                lost_ucr = max(lost_ucr, free_ucr - (terms["cap_allowances"] - 1) * share_ucr)
            issuable_ucr += lost_ucr
            share_ucr = min(share_ucr, issuable_ucr, by_policy_ucr)
            issuable_ucr -= share_ucr
            by_policy_ucr -= share_ucr
            owed += [(member, self.bank, lost_ucr, "DECAY")] if lost_ucr else []
            owed += [(member, self.bank, left_owed_ucr, "OWED")] if left_owed_ucr != account.owed_ucr else []
            owed += [(self.bank, member, share_ucr, "ALLOWANCE")] if share_ucr else []
        return owed

    def _under(self, scope: Scope) -> list[bytes]:
        account, project = scope
        return self.members.get(project, []) if account is None else [account]

    def _found(self, e: Fields) -> Budget:
        need(e["budget"] in self.by_id, "a budget is set before anything happens to it")
        return self.by_id[e["budget"]]

    def _check_terms(self, e: Fields) -> None:
        limit_ucr = 0 if e["limit_ucr"] is None else e["limit_ucr"]
        need(0 <= limit_ucr <= AMOUNT_UCR_MAX and 0 <= e["allowance_ucr"] <= AMOUNT_UCR_MAX, "amounts are in limits")
        need(MINUTE_MS <= e["window_ms"] <= WINDOW_MS_MAX, "a window takes a minute to 366 days")
        need(0 <= e["offset_ms"] < e["window_ms"], "an offset lies in the window")
        permille = 0 <= e["decay_permille"] <= 1000 and 1 <= e["warn_permille"] <= 1000
        need(permille and 0 <= e["cap_allowances"] <= 1000, "decay, warning and cap are in limits")


STEPS: dict[str, Callable[[Book, Fields, Fields], None]] = {
    "BudgetSet": lambda book, e, source: book.budgets.set(e, source),
    "BudgetCleared": lambda book, e, source: book.budgets.cleared(e, source),
    "BudgetToppedUp": lambda book, e, source: book.budgets.topped_up(e, source),
    "BudgetWarned": lambda book, e, source: book.budgets.warn(e, source),
    "DecayOwed": owed,
    "BudgetWindowStarted": lambda book, e, source: book.budgets.next_window(e, source),
}
