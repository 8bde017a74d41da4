"""How a market counts what accounts have had under budgets that decay, and what they owe. Part of `evolve`."""

from __future__ import annotations

from contractnet.messages import Source
from contractnet.messages import events as e
from market import limits
from market.account import Account
from market.budget import Budget
from market.decay import Tally
from market.state import State


def begin(state: State, budget: Budget, at_ms: int) -> None:
    """Count from now on: time before a budget decays is none of its window."""
    counts = state.rules_version >= limits.DECAY_RULES_VERSION and budget.decay_permille
    budget.tallies = {ident: Tally(at_ms) for ident in state.accounts_under(budget)} if counts else {}


def activated(state: State, before: int, at_ms: int) -> None:
    """Other rules hold: the first ones that count begin to."""
    if before < limits.DECAY_RULES_VERSION:
        for budget in state.budgets.values():
            begin(state, budget, at_ms)


def opened(state: State, account: Account, at_ms: int) -> None:
    """A new account of a project."""
    if state.rules_version >= limits.DECAY_RULES_VERSION and account.id != state.bank:
        for budget in state.budgets_of(account):
            if budget.decay_permille:
                budget.tallies[account.id] = Tally(at_ms)


def count(state: State, account: Account, at_ms: int) -> None:
    """Right before an account's balance changes: it has had the old one until now."""
    for budget in state.budgets_of(account):
        tally = budget.tallies.get(account.id)
        if tally is not None:
            tally.count(account.balance_ucr, at_ms, budget.starts_at_ms, budget.window_ms)


def next_window(state: State, budget: Budget) -> None:
    """The running window ends; its areas go, those after it stay."""
    for ident, tally in budget.tallies.items():
        balance_ucr = state.accounts[ident].balance_ucr
        tally.count(balance_ucr, budget.ends_at_ms, budget.starts_at_ms, budget.window_ms)
        del tally.areas[:1]


def owed(state: State, _: Source, event: e.DecayOwed) -> None:
    """An account owes another amount."""
    assert event.owed_ucr >= 0
    assert event.account != state.bank
    account = state.accounts[event.account]
    assert event.owed_ucr != account.owed_ucr, "what stays is not told again"
    account.owed_ucr = event.owed_ucr
