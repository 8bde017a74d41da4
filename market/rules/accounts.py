"""Accounts and credits: double entry, every posting from one account to another, issuance from the bank's own."""

from __future__ import annotations

from contractnet.messages import Code, Event, PostingReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.names import MEMO_BYTES_MAX
from market import limits
from market.account import Account
from market.rejection import require
from market.rules.context import Context, check_amount, check_name, check_range


def open_account(ctx: Context, command: c.OpenAccount) -> list[Event]:
    """The bank opens an account with its first key."""
    ctx.need_bank()
    for what, name in (("name", command.name), ("project", command.project), ("budget_root", command.budget_root)):
        check_name(what, name)
    require(command.name not in ctx.state.account_names, Code.NAME_TAKEN, f"account {command.name}")
    require(command.signing_key not in ctx.state.keys, Code.KEY_TAKEN)
    accounts = len(ctx.state.accounts)
    require(accounts < limits.ACCOUNTS_MAX, Code.LIMIT_REACHED, f"there are {accounts} accounts")
    return [
        e.AccountOpened(
            account=ctx.command_id,
            name=command.name,
            project=command.project,
            budget_root=command.budget_root,
            signing_key=command.signing_key,
            inbox_key=command.inbox_key,
        )
    ]


def open_account_4(ctx: Context, command: c.OpenAccount) -> list[Event]:
    """The same; a project with a budget has a bounded number of accounts."""
    events = open_account(ctx, command)
    accounts = len(ctx.state.projects.get(command.project, ()))
    room = command.project not in ctx.state.scopes or accounts < limits.ACCOUNTS_PER_BUDGET_MAX
    require(room, Code.LIMIT_REACHED, f"the project has a budget and {accounts} accounts")
    return events


def set_weight(ctx: Context, command: c.SetWeight) -> list[Event]:
    """The bank changes the weight of an account; open CFPs keep the old one."""
    ctx.need_bank()
    account = ctx.account(command.account)
    weight = command.weight_permille
    check_range(Code.BAD_WEIGHT, "weight", weight, limits.WEIGHT_PERMILLE_MIN, limits.WEIGHT_PERMILLE_MAX)
    # A change pushes out the oldest remembered weight: not while the oldest open CFP counts by it.
    full = len(account.weights) == limits.WEIGHTS_PER_ACCOUNT_MAX
    oldest = next(iter(ctx.state.cfps.values()), None)
    needed = full and oldest is not None and oldest.weight_epoch < account.weights[1][0]
    require(not needed, Code.LIMIT_REACHED, "weight changes while a CFP is open")
    return [e.WeightChanged(account=account.id, weight_permille=weight)]


def issue(ctx: Context, command: c.IssueCredits) -> list[Event]:
    """The bank issues new credits: its own balance, the negative of all issued ones, falls by as much."""
    ctx.need_bank()
    account = ctx.account(command.account)
    require(account.id != ctx.state.bank, Code.BAD_AMOUNT, "the bank issues to others only")
    check_amount(command.amount_ucr)
    check_name("memo", command.memo, MEMO_BYTES_MAX, empty=True)
    issued = command.amount_ucr - ctx.account(ctx.state.bank).balance_ucr
    require(issued <= limits.ISSUED_UCR_MAX, Code.LIMIT_REACHED, f"{issued} micro-credits would be issued")
    bank = ctx.account(ctx.state.bank)
    return [posting(bank, account, command.amount_ucr, PostingReason.ISSUE, command.memo)]


def transfer(ctx: Context, command: c.TransferCredits) -> list[Event]:
    """The bank moves credits between two accounts; held ones stay where they are."""
    ctx.need_bank()
    debit, credit = ctx.account(command.debit), ctx.account(command.credit)
    require(debit.id != credit.id, Code.BAD_AMOUNT, "debit and credit are the same account")
    require(debit.id != ctx.state.bank, Code.NOT_PERMITTED, "new credits are issued, not transferred")
    check_amount(command.amount_ucr)
    check_name("memo", command.memo, MEMO_BYTES_MAX, empty=True)
    check_credit(debit, command.amount_ucr)
    return [posting(debit, credit, command.amount_ucr, PostingReason.TRANSFER, command.memo)]


def check_credit(account: Account, amount_ucr: int) -> None:
    """Reject what the available balance does not cover. What costs nothing needs nothing, whatever is owed."""
    available = account.available_ucr
    require(
        not amount_ucr or available >= amount_ucr,
        Code.INSUFFICIENT_CREDIT,
        f"available {available}, needed {amount_ucr}",
    )


def posting(debit: Account, credit: Account, amount_ucr: int, reason: PostingReason, memo: str = "") -> Event:
    """Credits that move between the bank and an account, or by the bank's order."""
    # Attributed to the account that the bank acted for: whoever is given new credits, whoever gives others away.
    about = credit if reason in (PostingReason.ISSUE, PostingReason.ALLOWANCE) else debit
    return e.CreditsTransferred(
        debit=debit.id,
        credit=credit.id,
        amount_ucr=amount_ucr,
        reason=reason,
        agent=about.name,
        project=about.project,
        task="",
        pool="",
        cfp=None,
        award=None,
        memo=memo,
    )
