"""How entries of budgets change a market. Part of `evolve`."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from contractnet.messages import Event, Source
from contractnet.messages import events as e
from market import evolve_decay as decay
from market.budget import Budget
from market.state import State


def _set(state: State, source: Source, event: e.BudgetSet) -> None:
    old = state.budgets.get(event.budget)
    budget = Budget(
        id=event.budget,
        account=event.account,
        project=event.project,
        limit_ucr=event.limit_ucr,
        allowance_ucr=event.allowance_ucr,
        window_ms=event.window_ms,
        offset_ms=event.offset_ms,
        decay_permille=event.decay_permille,
        cap_allowances=event.cap_allowances,
        warn_permille=event.warn_permille,
        starts_at_ms=event.starts_at_ms,
        ends_at_ms=event.ends_at_ms,
    )
    if old is not None:
        budget.topped_up_ucr, budget.spent_ucr, budget.warned = old.topped_up_ucr, old.spent_ucr, old.warned
        _unschedule(state, old)
    state.add_budget(budget)
    same = old is not None and (old.window_ms, old.offset_ms) == (budget.window_ms, budget.offset_ms)
    if old is not None and same and old.decay_permille and budget.decay_permille:
        budget.tallies = old.tallies
    else:
        decay.begin(state, budget, source.at_ms)
    heapq.heappush(state.agenda, (budget.ends_at_ms, budget.id))


def _unschedule(state: State, budget: Budget) -> None:
    # At once: terms may change any number of times before a far end would surface.
    state.agenda.remove((budget.ends_at_ms, budget.id))
    heapq.heapify(state.agenda)
    state.trim_agenda()


def _cleared(state: State, _: Source, event: e.BudgetCleared) -> None:
    budget = state.budgets.pop(event.budget)
    del state.scopes[budget.account or budget.project]
    _unschedule(state, budget)


def _topped_up(state: State, _: Source, event: e.BudgetToppedUp) -> None:
    state.budgets[event.budget].topped_up_ucr += event.amount_ucr


def _warned(state: State, _: Source, event: e.BudgetWarned) -> None:
    budget = state.budgets[event.budget]
    assert (event.spent_ucr, event.limit_ucr) == (budget.spent_ucr, budget.most_ucr)
    assert not budget.warned, "a budget warns once a window"
    budget.warned = True


def _window_started(state: State, source: Source, event: e.BudgetWindowStarted) -> None:
    budget = state.budgets[event.budget]
    assert budget.ends_at_ms == event.starts_at_ms <= source.at_ms, "no window is left out, and none ends early"
    assert event.spent_ucr == budget.spent_ucr
    decay.next_window(state, budget)
    budget.starts_at_ms, budget.ends_at_ms = event.starts_at_ms, event.ends_at_ms
    budget.topped_up_ucr = budget.spent_ucr = 0
    budget.warned = False
    heapq.heappush(state.agenda, (budget.ends_at_ms, budget.id))
    state.trim_agenda()


BUDGET_CHANGES: dict[type[Event], Callable[[State, Source, Any], None]] = {
    e.BudgetSet: _set,
    e.BudgetCleared: _cleared,
    e.BudgetToppedUp: _topped_up,
    e.BudgetWarned: _warned,
    e.BudgetWindowStarted: _window_started,
}
