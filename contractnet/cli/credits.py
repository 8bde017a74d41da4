"""`credits`: what accounts have. `issue` and `transfer` need the bank's credential."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from contractnet.cli.members import account_id, amount_of, ask_bank, check_name
from contractnet.cli.published import show_published, up_to_date
from contractnet.cli.root import Where, app, out, where
from contractnet.errors import SettingsError
from contractnet.messages import Code
from contractnet.messages.names import MEMO_BYTES_MAX
from contractnet.money import credits_text
from contractnet.terminal import printable

if TYPE_CHECKING:
    from contractnet.client import Bank

# Characters of a wrong text that an error repeats.
_SHOWN = 40
_BALANCES = "analytics.balances"
_LATER = "`contractnet credits show` has the balances."
# Whoever runs it again, because nothing was said, would give twice.
_SILENT = "It may have taken effect all the same: look with `contractnet credits show` before you run it again."
_HINTS = {
    Code.UNKNOWN_ACCOUNT: "`contractnet credits show` lists the accounts with their ids.",
    Code.BAD_AMOUNT: "At most 1,000,000,000 credits go at once, from one account to another; the bank issues to others "
    "only.",
    Code.ISSUE_EXCEEDED: "`contractnet policy show` says what the bank may issue, and from when on more.",
    Code.LIMIT_REACHED: "All credits of a market together are at most 4,000,000,000,000.",
    Code.INSUFFICIENT_CREDIT: "`contractnet credits show` says what is free: what open bids hold stays, and what is "
    "owed as decay.",
    Code.NOT_PERMITTED: "The bank has no credits to give away: new ones are issued.",
}
credits = typer.Typer(no_args_is_help=True, help="Credits of accounts: what the bank gives, moves and sees.")
app.add_typer(credits, name="credits")

Amount = Annotated[str, typer.Argument(help="How many credits, such as 100 or 2.5.")]
Note = Annotated[str, typer.Option(help="What for: kept with the posting, in the column memo of transfers.")]
# So that -5 is told to be no amount, and not an option that nobody knows.
_NUMBERS = {"ignore_unknown_options": True}


@credits.command(
    context_settings=_NUMBERS,
    epilog="Examples:  contractnet credits issue ann 100   |   contractnet credits issue ann 2.5 --note 'sprint 12'",
)
def issue(
    ctx: typer.Context,
    account: Annotated[str, typer.Argument(help="Who gets them: an enrolled name, a credential file, or an id.")],
    amount: Amount,
    note: Note = "",
) -> None:
    """Give an account new credits, as many as the operator's policy leaves to the bank."""
    here = where(ctx)
    here.act_as("operator")
    amount_ucr, ident = _amount(amount, note), account_id(here, account)
    _post(
        here,
        lambda bank: bank.issue(ident, amount_ucr, note),
        f"{credits_text(amount_ucr)} credits issued to {printable(account[:_SHOWN])}",
        ident,
    )


@credits.command(
    context_settings=_NUMBERS,
    epilog="Examples:  contractnet credits transfer ann bob 25   |   "
    "contractnet credits transfer ann bob 0.5 --note refund",
)
def transfer(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="Whose credits: an enrolled name, a credential file, or an id.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="Who gets them; the bank's file or id: nobody any more.")],
    amount: Amount,
    note: Note = "",
) -> None:
    """Move credits of one account to another. What its open bids hold stays; budgets do not count it as spent."""
    here = where(ctx)
    here.act_as("operator")
    amount_ucr = _amount(amount, note)
    debit, credit = account_id(here, source), account_id(here, target)
    ends = f"from {printable(source[:_SHOWN])} to {printable(target[:_SHOWN])}"
    _post(
        here,
        lambda bank: bank.transfer(debit, credit, amount_ucr, note),
        f"{credits_text(amount_ucr)} credits moved {ends}",
        debit,
        credit,
    )


@credits.command(epilog="Examples:  contractnet credits show   |   contractnet credits show ann")
def show(
    ctx: typer.Context,
    account: Annotated[str | None, typer.Argument(help="Name or id of one account; without it: all of them.")] = None,
) -> None:
    """Print what accounts have, what of it is held and owed, and what is free, as the published ledger has it."""
    show_published(where(ctx), _BALANCES, *([] if account is None else [account]))


def _amount(text: str, note: str) -> int:
    """Micro-credits of what is to be given. Raises SettingsError for nothing, and for a note that no posting takes."""
    amount_ucr = amount_of(text, "AMOUNT")
    if not amount_ucr:
        raise SettingsError(f"AMOUNT {text[:_SHOWN]!r} gives nothing: the least is 0.000001.")
    check_name(note, "--note", MEMO_BYTES_MAX, empty=True)
    return amount_ucr


def _post(here: Where, ask: Callable[[Bank], Awaitable[None]], told: str, *accounts: bytes) -> None:
    """Have the bank do it, say that it is done, and print the new balances of the accounts."""

    async def asked(bank: Bank) -> int:
        await ask(bank)
        return bank.connection.partitions

    partitions = ask_bank(here, asked, f"the posting: {told}", _HINTS, _SILENT)
    out.print(escape(told), soft_wrap=True)
    try:
        asyncio.run(up_to_date(here, partitions, _LATER))
        show_published(here, _BALANCES, *(account.hex() for account in accounts))
    except SettingsError as error:
        # It is done all the same, so this is no failure.
        out.print(escape(f"The new balances cannot be shown. {error}"), soft_wrap=True)
