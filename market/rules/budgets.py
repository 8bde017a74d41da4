"""Budgets: what an account or a project may spend in a window, what a window gives, and what its end takes back.

Windows start at instants that leave the budget's offset when divided by its length. All amounts are whole
micro-credits: decay and the parts of a shared allowance are rounded down, and what is left of the latter goes, one
micro-credit each, to the accounts that were opened first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from contractnet.messages import Code, Event, PostingReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.account import Account
from market.budget import Budget
from market.rejection import Rejection, require
from market.rules.accounts import posting
from market.rules.context import Context, check_amount, check_name, check_range
from market.state import State

OFFSET_DOMAIN = b"contractnet/budget/1"


def set_budget(ctx: Context, command: c.SetBudget) -> list[Event]:
    """The bank gives a scope a budget, or other terms. What the running window has spent stays; nothing is issued."""
    ctx.need_bank()
    scope = _scope(ctx, command.account, command.project)
    old = ctx.state.scopes.get(scope)
    _check_terms(command)
    budgets = len(ctx.state.budgets)
    require(old is not None or budgets < limits.BUDGETS_MAX, Code.LIMIT_REACHED, f"there are {budgets} budgets")
    accounts = len(ctx.state.projects.get(command.project, ())) if command.account is None else 1
    many = f"the project has {accounts} accounts"
    require(accounts <= limits.ACCOUNTS_PER_BUDGET_MAX, Code.LIMIT_REACHED, many)
    window_ms = command.window_ms
    offset_ms = _offset_ms(scope, window_ms) if command.offset_ms is None else command.offset_ms
    starts_at_ms = ctx.at_ms - (ctx.at_ms - offset_ms) % window_ms
    if old is not None and (old.window_ms, old.offset_ms) == (window_ms, offset_ms):
        # A window that is over and not settled yet still ends, with all that belongs to it.
        starts_at_ms = old.starts_at_ms
    return [
        e.BudgetSet(
            budget=ctx.command_id if old is None else old.id,
            account=command.account,
            project=command.project,
            limit_ucr=command.limit_ucr,
            allowance_ucr=command.allowance_ucr,
            window_ms=window_ms,
            offset_ms=offset_ms,
            decay_permille=command.decay_permille,
            cap_allowances=command.cap_allowances,
            warn_permille=command.warn_permille,
            starts_at_ms=starts_at_ms,
            ends_at_ms=starts_at_ms + window_ms,
        )
    ]


def clear(ctx: Context, command: c.ClearBudget) -> list[Event]:
    """The bank ends a budget: bids are bound by the balance alone, and nothing is issued or decays."""
    ctx.need_bank()
    budget = _found(ctx, command.account, command.project)
    return [e.BudgetCleared(budget=budget.id, account=budget.account, project=budget.project)]


def top_up(ctx: Context, command: c.TopUpBudget) -> list[Event]:
    """The bank raises a limit for the running window. It moves no credits."""
    ctx.need_bank()
    budget = _found(ctx, command.account, command.project)
    check_amount(command.amount_ucr)
    most = budget.most_ucr
    if most is None:
        raise Rejection(Code.UNKNOWN_BUDGET, "the budget has no limit")
    check_range(Code.BAD_AMOUNT, "limit", most + command.amount_ucr, 1, limits.AMOUNT_UCR_MAX)
    return [e.BudgetToppedUp(budget=budget.id, amount_ucr=command.amount_ucr)]


def check_room(state: State, account: Account, amount_ucr: int) -> None:
    """Reject a hold that one of the account's budgets does not leave room for."""
    for budget in state.budgets_of(account):
        room = budget.room_ucr
        what = "project" if budget.account is None else "account"
        fits = room is None or amount_ucr <= room
        require(fits, Code.BUDGET_EXCEEDED, f"the {what} has {room} left of {budget.most_ucr}, needed {amount_ucr}")


def warnings(state: State, payments: Iterable[tuple[bytes, int]]) -> list[Event]:
    """The warnings that a record's payments (account and micro-credits), which are not folded yet, give rise to."""
    spent: dict[bytes, int] = {}
    for ident, amount_ucr in payments:
        for budget in state.budgets_of(state.accounts[ident]):
            spent[budget.id] = spent.get(budget.id, budget.spent_ucr) + amount_ucr
    events: list[Event] = []
    for ident, spent_ucr in spent.items():
        budget = state.budgets[ident]
        if budget.most_ucr is not None and budget.warns_at(spent_ucr):
            events.append(e.BudgetWarned(budget=ident, spent_ucr=spent_ucr, limit_ucr=budget.most_ucr))
    return events


def next_window(state: State, budget: Budget, at_ms: int) -> list[Event]:
    """The window right after the one that is over. Nothing that is held is taken, and allowances end where a policy's
    limit is reached."""
    # A budget that neither gives nor takes collects nothing either.
    accounts = [state.accounts[ident] for ident in state.accounts_under(budget)] if budget.posts else []
    bank = state.accounts[state.bank]
    issuable_ucr = limits.ISSUED_UCR_MAX + bank.balance_ucr
    left_ucr = None if state.policy is None else state.policy.left_ucr(at_ms)
    postings: list[Event] = []
    decayed_ucr = issued_ucr = 0
    for account, share_ucr in zip(accounts, _shares(budget.allowance_ucr, len(accounts)), strict=True):
        due_ucr = _due(state, budget, account)
        decay_ucr = _decay(budget, account.free_ucr, share_ucr, due_ucr)
        if decay_ucr:
            postings.append(posting(account, bank, decay_ucr, PostingReason.DECAY))
            issuable_ucr += decay_ucr
        owed_ucr = max(0, due_ucr - decay_ucr)
        if owed_ucr != account.owed_ucr:
            postings.append(e.DecayOwed(account=account.id, owed_ucr=owed_ucr))
        # Nobody gets what all credits together, or those of the policy's window, may not be.
        most_ucr = issuable_ucr if left_ucr is None else min(issuable_ucr, left_ucr - issued_ucr)
        given_ucr = min(share_ucr, most_ucr)
        if given_ucr:
            postings.append(posting(bank, account, given_ucr, PostingReason.ALLOWANCE))
            issuable_ucr -= given_ucr
        decayed_ucr += decay_ucr
        issued_ucr += given_ucr
    started = e.BudgetWindowStarted(
        budget=budget.id,
        starts_at_ms=budget.ends_at_ms,
        ends_at_ms=budget.ends_at_ms + budget.window_ms,
        limit_ucr=budget.limit_ucr,
        spent_ucr=budget.spent_ucr,
        decayed_ucr=decayed_ucr,
        issued_ucr=issued_ucr,
    )
    return [started, *postings]


def _scope(ctx: Context, account: bytes | None, project: str) -> bytes | str:
    """What a budget is for: the id of an account other than the bank's, or the name of a project."""
    require((account is None) == bool(project), Code.BAD_BUDGET, "name an account or a project")
    if account is None:
        check_name("project", project)
        return project
    require(ctx.account(account).id != ctx.state.bank, Code.NOT_PERMITTED, "the bank has no budget")
    return account


def _found(ctx: Context, account: bytes | None, project: str) -> Budget:
    budget = ctx.state.scopes.get(_scope(ctx, account, project))
    if budget is None:
        raise Rejection(Code.UNKNOWN_BUDGET)
    return budget


def _check_terms(command: c.SetBudget) -> None:
    window = (limits.BUDGET_WINDOW_MS_MIN, limits.BUDGET_WINDOW_MS_MAX)
    check_range(Code.BAD_DURATION, "window", command.window_ms, *window)
    if command.offset_ms is not None:
        check_range(Code.BAD_DURATION, "offset", command.offset_ms, 0, command.window_ms - 1)
    if command.limit_ucr is not None:
        check_range(Code.BAD_AMOUNT, "limit", command.limit_ucr, 0, limits.AMOUNT_UCR_MAX)
    check_range(Code.BAD_AMOUNT, "allowance", command.allowance_ucr, 0, limits.AMOUNT_UCR_MAX)
    check_range(Code.BAD_BUDGET, "decay", command.decay_permille, 0, 1000)
    check_range(Code.BAD_BUDGET, "cap", command.cap_allowances, 0, limits.CAP_ALLOWANCES_MAX)
    check_range(Code.BAD_BUDGET, "warning", command.warn_permille, 1, 1000)


def _offset_ms(scope: bytes | str, window_ms: int) -> int:
    """An offset that follows from the scope: budgets that are set alike do not all end at one instant."""
    name = scope.encode() if isinstance(scope, str) else scope
    return int.from_bytes(hashlib.sha256(OFFSET_DOMAIN + name).digest()[:8], "big") % window_ms


def _shares(allowance_ucr: int, accounts: int) -> list[int]:
    if not accounts:
        return []
    share_ucr, rest = divmod(allowance_ucr, accounts)
    return [share_ucr + (number < rest) for number in range(accounts)]


def _due(state: State, budget: Budget, account: Account) -> int:
    """The decay that a window's end asks for: a part of what the account had on average, and what it owes already.
    Earlier rules: a part of what is free at that instant."""
    if state.rules_version < limits.DECAY_RULES_VERSION:
        return account.free_ucr * budget.decay_permille // 1000
    return account.owed_ucr + budget.decay_ucr(account.id, account.balance_ucr)


def _decay(budget: Budget, free_ucr: int, share_ucr: int, due_ucr: int) -> int:
    """What a window's end takes of an account's free credits: what is due, and what is above the cap after the
    share."""
    decay_ucr = min(due_ucr, free_ucr)
    if budget.cap_allowances and share_ucr:
        decay_ucr = max(decay_ucr, free_ucr + share_ucr - budget.cap_allowances * share_ucr)
    return decay_ucr
