"""The rows of budgets and their windows, for the fold of rows.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from analytics.verify.rows_negotiations import stored_ms

if TYPE_CHECKING:
    from analytics.verify.rows import Fields, Rows


def _set(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    ident, account = e["budget"].hex(), None if e["account"] is None else e["account"].hex()
    names = ("limit_ucr", "allowance_ucr", "window_ms", "offset_ms", "decay_permille", "cap_allowances")
    terms = [*(e[name] for name in names), e["warn_permille"], stored_ms(at_ms), None]
    bounds = [stored_ms(e["starts_at_ms"]), stored_ms(e["ends_at_ms"]), e["limit_ucr"]]
    if e["source"]["command"] == e["budget"]:
        who = (
            ["project", None, None, e["project"]] if account is None else ["account", account, *rows._agent(m, account)]
        )
        rows.budgets[m, ident] = [rows.partition, m, ident, *who, *terms]
        rows._scopes[m, account, None if account else e["project"]] = ident
        rows._windows[m, ident] = [rows.partition, offset, m, ident, *bounds, 0, 0, None, 0, 0, None]
    else:
        rows.budgets[m, ident][7:14] = terms[:7]
        rows._windows[m, ident][4:7] = bounds


def _cleared(rows: Rows, _: int, m: str, e: Fields, at_ms: int) -> None:
    ident, account = e["budget"].hex(), None if e["account"] is None else e["account"].hex()
    rows.budgets[m, ident][15] = stored_ms(at_ms)
    del rows._scopes[m, account, None if account else e["project"]]
    _end_window(rows, m, ident, 0, at_ms)


def _end_window(rows: Rows, m: str, ident: str, decayed_ucr: int, at_ms: int) -> None:
    row = rows._windows.pop((m, ident))
    row[11:] = [decayed_ucr, stored_ms(at_ms)]
    rows.keep("budget_windows", row)


def _topped_up(rows: Rows, _: int, m: str, e: Fields, __: int) -> None:
    rows._windows[m, e["budget"].hex()][7] += e["amount_ucr"]


def _warned(rows: Rows, _: int, m: str, e: Fields, at_ms: int) -> None:
    rows._windows[m, e["budget"].hex()][9] = stored_ms(at_ms)


def _window_started(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    ident = e["budget"].hex()
    _end_window(rows, m, ident, e["decayed_ucr"], at_ms)
    bounds = [stored_ms(e["starts_at_ms"]), stored_ms(e["ends_at_ms"]), e["limit_ucr"]]
    rows._windows[m, ident] = [rows.partition, offset, m, ident, *bounds, 0, 0, None, e["issued_ucr"], 0, None]


def _policy_set(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    terms = [e["issue_limit_ucr"], e["issue_window_ms"], e["round_fee_ucr"]]
    rows.keep("policies", [rows.partition, offset, m, *terms, stored_ms(at_ms)])


def _deposit_set(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    terms = [e["hourly_permille"], stored_ms(at_ms), e["floor_ucr"]]
    rows.keep("deposit_rates", [rows.partition, offset, m, *terms])


def _resale_call_set(rows: Rows, offset: int, m: str, e: Fields, at_ms: int) -> None:
    rows.keep("resale_calls", [rows.partition, offset, m, e["call_ms"], stored_ms(at_ms)])


def _owed(rows: Rows, _: int, m: str, e: Fields, __: int) -> None:
    rows.accounts[m, e["account"].hex()][13] = e["owed_ucr"]


BUDGET_STEPS: dict[str, Callable[[Rows, int, Any, Fields, int], None]] = {
    "BudgetSet": _set,
    "BudgetCleared": _cleared,
    "BudgetToppedUp": _topped_up,
    "BudgetWarned": _warned,
    "BudgetWindowStarted": _window_started,
    "DecayOwed": _owed,
    "PolicySet": _policy_set,
    "DepositSet": _deposit_set,
    "ResaleCallSet": _resale_call_set,
}
