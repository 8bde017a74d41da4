"""`budget`: what agents and projects may spend in a window of time. All but `show` need the bank's credential only."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.markup import escape

from contractnet.cli.durations import seconds_of
from contractnet.cli.members import account_id, amount_of, ask_bank, check_name
from contractnet.cli.published import show_published
from contractnet.cli.quantities import permille_of
from contractnet.cli.root import Where, app, out, where
from contractnet.errors import SettingsError
from contractnet.messages import Code
from contractnet.terminal import printable

# Characters of a wrong text that an error repeats.
_SHOWN = 40
_HINTS = {
    Code.UNKNOWN_RULES: "The market runs older rules: budgets exist from version 4 on, which its operator activates.",
    Code.UNKNOWN_BUDGET: "`contractnet budget show` lists the budgets; `contractnet budget set` makes one.",
    Code.BAD_DURATION: "A window takes 1m to 366d, and an offset is less than a window.",
    Code.LIMIT_REACHED: "A market has at most 1,000 budgets, and a project with a budget at most 1,000 accounts.",
}
budget = typer.Typer(
    no_args_is_help=True, help="Budgets: limits, allowances and decay by the hour, the day, or longer."
)
app.add_typer(budget, name="budget")

Account = Annotated[
    str | None, typer.Argument(help="Whose budget: an enrolled name, a credential file, or an account id.")
]
Project = Annotated[str | None, typer.Option(help="The budget of a project, in the place of an account's.")]


@budget.command(
    name="set",
    epilog="Examples:  contractnet budget set ann --limit 100 --window 1d   |   "
    "contractnet budget set --project vision --limit 500 --allowance 400 --window 1h",
)
def set_(
    ctx: typer.Context,
    account: Account = None,
    project: Project = None,
    limit: Annotated[
        str | None, typer.Option(help="Most credits in a window, spent and held together.", show_default="no limit")
    ] = None,
    window: Annotated[str, typer.Option(help="Length of a window: 1h, 1d, 1w, 30d; at least 1m.")] = "1d",
    offset: Annotated[
        str | None,
        typer.Option(help="When a window starts, after midnight UTC of 1970-01-01.", show_default="drawn by the name"),
    ] = None,
    allowance: Annotated[
        str, typer.Option(help="New credits at each start of a window; a project's accounts share them.")
    ] = "0",
    decay: Annotated[
        str | None,
        typer.Option(
            help="Part lost at a window's end, of what the account had on average, held credits included.",
            show_default="10%, or 0% without allowance",
        ),
    ] = None,
    cap: Annotated[
        int | None,
        typer.Option(help="Most allowances an account may keep; 0: no cap.", min=0, max=1_000, show_default="2"),
    ] = None,
    warn: Annotated[str, typer.Option(help="Part of the limit from which on the market warns.")] = "80%",
) -> None:
    """Give an account or a project a budget, or other terms for the one it has. What the window has spent stays."""
    from contractnet.client import Bank

    here = where(ctx)
    scope, name = _scope(here, account, project)
    set_budget = partial(
        Bank.set_budget,
        scope=scope,
        limit_ucr=None if limit is None else amount_of(limit, "--limit"),
        window_s=seconds_of(window, "--window"),
        offset_s=None if offset is None else seconds_of(offset, "--offset"),
        allowance_ucr=amount_of(allowance, "--allowance"),
        decay_permille=None if decay is None else permille_of(decay, "--decay"),
        cap_allowances=cap,
        warn_permille=permille_of(warn, "--warn"),
    )
    ask_bank(here, set_budget, f"the budget of {name}", _HINTS)
    most = "no limit" if limit is None else f"{limit} credits"
    out.print(f"budget of {escape(printable(name))}: {most} in {window}, allowance {allowance}", soft_wrap=True)


@budget.command(name="top-up", epilog="Example:  contractnet budget top-up ann --credits 25")
def top_up(
    ctx: typer.Context,
    credits: Annotated[str, typer.Option(help="By how many credits this window's limit rises.")],
    account: Account = None,
    project: Project = None,
) -> None:
    """Raise a limit for the window that runs now. It issues no credits: `contractnet credits issue` does."""
    here = where(ctx)
    scope, name = _scope(here, account, project)
    amount_ucr = amount_of(credits, "--credits")
    ask_bank(here, lambda bank: bank.top_up(scope, amount_ucr), f"the top-up of {name}", _HINTS)
    out.print(f"budget of {escape(printable(name))}: {credits} credits more in this window", soft_wrap=True)


@budget.command(epilog="Examples:  contractnet budget clear ann   |   contractnet budget clear --project vision")
def clear(ctx: typer.Context, account: Account = None, project: Project = None) -> None:
    """End a budget: bids are bound by the balance alone again, and nothing is issued or decays."""
    here = where(ctx)
    scope, name = _scope(here, account, project)
    ask_bank(here, lambda bank: bank.clear_budget(scope), f"the end of the budget of {name}", _HINTS)
    out.print(f"budget of {escape(printable(name))}: ended", soft_wrap=True)


@budget.command(epilog="Example:  contractnet budget show")
def show(ctx: typer.Context) -> None:
    """Print all budgets with what is spent, held and left in their windows, as the published ledger has them."""
    show_published(where(ctx), "analytics.budgets")


def _scope(here: Where, account: str | None, project: str | None) -> tuple[bytes | str, str]:
    """What a command line names: an account's id or a project's name, and the same in words."""
    here.act_as("operator")
    if project is not None and account is None:
        check_name(project, "--project")
        return project, f"project {project}"
    if account is None or project is not None:
        raise SettingsError("Name either an account or a project (--project).")
    return account_id(here, account), account[:_SHOWN]
