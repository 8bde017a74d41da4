"""Why commands about accounts, keys, credits, budgets, pools and policies are rejected (refusals.py)."""

from __future__ import annotations

from analytics.checker.budgets import BUDGETS_MAX, MEMBERS_MAX
from analytics.checker.case import Case
from analytics.checker.limits import (
    ISSUED_MAX,
    MEMO,
    MONEY_MAX,
    YEAR_MS,
    Refusal,
    any_of,
    no_account,
    no_name,
    out_of,
)
from analytics.checker.parts import FLOOR_RULES, KEYS_RULES, RULES
from analytics.checker.prices import peak
from analytics.checker.resales import CALL_MS_MAX, CALL_MS_MIN
from contractnet.messages.names import name_problem

ACCOUNTS_MAX, KEYS_MAX, WEIGHTS_MAX, POOLS_MAX, UNITS_MAX = 100_000, 64, 16, 1_000, 1_000_000
MINUTE_MS, DEPOSIT_MAX = 60_000, 1_000_000


def key_taken(case: Case) -> bool:
    """Whether somebody has, or had, the key."""
    return case.command.signing_key in case.book.keys


def expires_wrongly(case: Case) -> bool:
    """A key would expire that is over already, or the operator's, which never does."""
    at_ms: int | None = case.command.expires_at_ms
    return at_ms is not None and (at_ms <= case.at_ms or (case.sender is None and case.kind == "RotateKey"))


def expires_too_early_for_rules(case: Case) -> bool:
    """Keys did not expire always."""
    return case.command.expires_at_ms is not None and case.book.version < KEYS_RULES


def not_own_account(case: Case) -> bool:
    """A key of another's account. The operator registers keys of the bank's."""
    account = case.command.account
    helps = case.kind == "RegisterKey" and case.book.version >= KEYS_RULES and account == case.book.bank
    return not (case.is_bank or case.sender == account or (case.sender is None and helps))


def too_many_keys(case: Case) -> bool:
    """The account had as many keys as it may."""
    account = case.sender if case.kind == "RotateKey" else case.command.account
    return sum(key.account == account for key in case.book.keys.values()) >= KEYS_MAX


def no_live_key(case: Case) -> bool:
    """The account has no such key."""
    key = case.book.keys.get(case.command.signing_key)
    return key is None or key.account != case.command.account or key.revoked


def last_key(case: Case) -> bool:
    """It would be left without one, by itself."""
    account = case.command.account
    live = sum(key.account == account and not key.revoked for key in case.book.keys.values())
    return live == 1 and (not case.is_bank or account == case.book.bank)


def old_rules(case: Case) -> bool:
    """There is no way back, nor to what is not known."""
    return case.command.version not in RULES or case.command.version <= case.book.version


def full_project(case: Case) -> bool:
    """A project with a budget has as many accounts as it may."""
    project = case.command.project
    members = case.book.budgets.members.get(project, ())
    return (None, project) in case.book.budgets.ids and len(members) >= MEMBERS_MAX


def weight_is_needed(case: Case) -> bool:
    """An open CFP counts by a weight that would be forgotten."""
    account = case.book.accounts.get(case.command.account)
    if account is None or len(account.weights) < WEIGHTS_MAX:
        return False
    return any(cfp.epoch < account.weights[1][0] for cfp in case.book.cfps.values())


def too_much_issued(case: Case) -> bool:
    """All credits together would be more than there may be."""
    issued: int = case.command.amount_ucr - case.book.accounts[case.book.bank].balance_ucr
    return issued > ISSUED_MAX


def beyond_policy(case: Case) -> bool:
    """The operator's policy leaves less."""
    left_ucr = case.book.policy.left_ucr(case.at_ms)
    return left_ucr is not None and case.command.amount_ucr > left_ucr


def cannot_give(case: Case) -> bool:
    """The account that is to give has less."""
    debit = case.book.accounts.get(case.command.debit)
    return debit is not None and debit.available_ucr < case.command.amount_ucr


def no_scope(case: Case) -> bool:
    """Neither an account nor a project, or both."""
    return (case.command.account is None) == (not case.command.project)


def no_project(case: Case) -> bool:
    """The project has no name."""
    return case.command.account is None and name_problem(case.command.project) is not None


def unknown_scope(case: Case) -> bool:
    """The account of a budget is none."""
    return case.command.account is not None and not case.knows(case.command.account)


def of_the_bank(case: Case) -> bool:
    """The bank has no budget."""
    return bool(case.command.account == case.book.bank)


def no_budget(case: Case) -> bool:
    """There is none, or none with a limit to raise."""
    ident = case.book.budgets.ids.get((case.command.account, case.command.project))
    if ident is None:
        return True
    return case.kind == "TopUpBudget" and case.book.budgets.by_id[ident].most_ucr is None


def limit_too_high(case: Case) -> bool:
    """A budget would be topped up to more than an amount may be."""
    ident = case.book.budgets.ids.get((case.command.account, case.command.project))
    most_ucr = None if ident is None else case.book.budgets.by_id[ident].most_ucr
    return most_ucr is not None and not 1 <= most_ucr + case.command.amount_ucr <= MONEY_MAX


def too_many_budgets(case: Case) -> bool:
    """There are as many as there may be, or a project has too many accounts for one."""
    c, budgets = case.command, case.book.budgets
    many = (c.account, c.project) not in budgets.ids and len(budgets.by_id) >= BUDGETS_MAX
    return many or (c.account is None and len(budgets.members.get(c.project, ())) > MEMBERS_MAX)


def offset_beyond_window(case: Case) -> bool:
    """An offset lies in its window."""
    offset_ms: int | None = case.command.offset_ms
    return offset_ms is not None and not 0 <= offset_ms < case.command.window_ms


def not_own_pool(case: Case) -> bool:
    """The pool is another's, and the bank does not ask."""
    pool = case.pool
    return pool is not None and case.sender != pool.owner and not case.is_bank


def units_in_use(case: Case) -> bool:
    """Leases use more units, now or later."""
    pool = case.pool
    if pool is None or pool.leased_units <= case.command.units:
        return False
    return bool(peak((held.lease for held in pool.leases.values()), case.at_ms, 2**63) > case.command.units)


SCOPE: dict[str, Refusal] = {
    "BAD_BUDGET": no_scope,
    "BAD_NAME": no_project,
    "UNKNOWN_ACCOUNT": unknown_scope,
    "NOT_PERMITTED": of_the_bank,
}
UNITS = out_of(("units", 1, UNITS_MAX))
AMOUNT = out_of(("amount_ucr", 1, MONEY_MAX))

REFUSALS: dict[str, dict[str, Refusal]] = {
    "OpenMarket": {"MARKET_EXISTS": lambda _: True},
    "ActivateRules": {"UNKNOWN_RULES": old_rules},
    "OpenAccount": {
        "BAD_NAME": no_name("name", "project", "budget_root"),
        "NAME_TAKEN": lambda case: case.command.name in case.book.names,
        "KEY_TAKEN": key_taken,
        "LIMIT_REACHED": lambda case: len(case.book.accounts) >= ACCOUNTS_MAX or full_project(case),
    },
    "RegisterKey": {
        "UNKNOWN_ACCOUNT": no_account("account"),
        "NOT_OWNER": not_own_account,
        "KEY_TAKEN": key_taken,
        "LIMIT_REACHED": too_many_keys,
        "BAD_DURATION": expires_wrongly,
        "UNKNOWN_RULES": expires_too_early_for_rules,
    },
    "RotateKey": {
        "NOT_PERMITTED": lambda case: case.sender is None and case.book.version < KEYS_RULES,
        "KEY_TAKEN": key_taken,
        "LIMIT_REACHED": too_many_keys,
        "BAD_DURATION": expires_wrongly,
        "UNKNOWN_RULES": expires_too_early_for_rules,
    },
    "RevokeKey": {
        "UNKNOWN_ACCOUNT": no_account("account"),
        "NOT_OWNER": not_own_account,
        "UNKNOWN_KEY": no_live_key,
        "LAST_KEY": last_key,
    },
    "SetWeight": {
        "UNKNOWN_ACCOUNT": no_account("account"),
        "BAD_WEIGHT": out_of(("weight_permille", 500, 1000)),
        "LIMIT_REACHED": weight_is_needed,
    },
    "IssueCredits": {
        "UNKNOWN_ACCOUNT": no_account("account"),
        "BAD_AMOUNT": any_of(AMOUNT, lambda case: case.command.account == case.book.bank),
        "BAD_NAME": no_name("memo", most=MEMO, empty=True),
        "LIMIT_REACHED": too_much_issued,
        "ISSUE_EXCEEDED": beyond_policy,
    },
    "TransferCredits": {
        "UNKNOWN_ACCOUNT": no_account("debit", "credit"),
        "BAD_AMOUNT": any_of(AMOUNT, lambda case: case.command.debit == case.command.credit),
        "NOT_PERMITTED": lambda case: case.command.debit == case.book.bank,
        "BAD_NAME": no_name("memo", most=MEMO, empty=True),
        "INSUFFICIENT_CREDIT": cannot_give,
    },
    "SetBudget": {
        **SCOPE,
        "BAD_DURATION": any_of(out_of(("window_ms", MINUTE_MS, YEAR_MS)), offset_beyond_window),
        "BAD_AMOUNT": out_of(("limit_ucr", 0, MONEY_MAX), ("allowance_ucr", 0, MONEY_MAX)),
        "BAD_BUDGET": any_of(
            no_scope,
            out_of(("decay_permille", 0, 1000), ("cap_allowances", 0, 1000), ("warn_permille", 1, 1000)),
        ),
        "LIMIT_REACHED": too_many_budgets,
    },
    "ClearBudget": {**SCOPE, "UNKNOWN_BUDGET": no_budget},
    "TopUpBudget": {**SCOPE, "UNKNOWN_BUDGET": no_budget, "BAD_AMOUNT": any_of(AMOUNT, limit_too_high)},
    "CreatePool": {
        "BAD_NAME": no_name("name"),
        "NAME_TAKEN": lambda case: case.command.name in case.book.pools,
        "UNKNOWN_ACCOUNT": no_account("owner"),
        "BAD_UNITS": UNITS,
        "LIMIT_REACHED": lambda case: len(case.book.pools) >= POOLS_MAX,
    },
    "ResizePool": {
        "UNKNOWN_POOL": lambda case: case.pool is None,
        "NOT_OWNER": not_own_pool,
        "BAD_UNITS": UNITS,
        "CAPACITY_RESERVED": units_in_use,
    },
    "SetPolicy": {
        "BAD_AMOUNT": out_of(("issue_limit_ucr", 0, ISSUED_MAX), ("round_fee_ucr", 0, MONEY_MAX)),
        "BAD_DURATION": out_of(("issue_window_ms", MINUTE_MS, YEAR_MS)),
    },
    "SetDeposit": {
        "UNKNOWN_RULES": lambda case: case.command.floor_ucr != 0 and case.book.version < FLOOR_RULES,
        "BAD_AMOUNT": out_of(("hourly_permille", 0, DEPOSIT_MAX), ("floor_ucr", 0, MONEY_MAX)),
    },
    "SetResaleCall": {
        "BAD_DURATION": lambda case: case.command.call_ms != 0 and out_of(("call_ms", CALL_MS_MIN, CALL_MS_MAX))(case)
    },
}
