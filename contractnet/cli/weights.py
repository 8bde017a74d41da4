"""`weight`: by how much an account's prices count in rankings. Needs the bank's credential."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from contractnet.cli.members import account_id, ask_bank
from contractnet.cli.root import app, out, where
from contractnet.messages import Code
from contractnet.terminal import printable

# The rules' bounds (market/limits.py, which the agents' package has not got).
WEIGHT_MIN, WEIGHT_MAX = 500, 1000
# Characters of a text that an answer repeats.
_SHOWN = 40
_HINTS = {
    Code.UNKNOWN_ACCOUNT: "`contractnet credits show` lists the accounts with their ids.",
    Code.LIMIT_REACHED: "An account keeps a weight for each call that is open: set it again when some have closed.",
}
weight = typer.Typer(no_args_is_help=True, help="Weights: by how much an account's prices count in rankings.")
app.add_typer(weight, name="weight")


@weight.command(
    name="set", epilog="Examples:  contractnet weight set ann 500   |   contractnet weight set ann 1000   (as at first)"
)
def set_(
    ctx: typer.Context,
    account: Annotated[
        str, typer.Argument(metavar="NAME", help="Whose weight: an account's name, a credential file, or an id.")
    ],
    permille: Annotated[
        int,
        typer.Argument(
            metavar="PERMILLE",
            help="Thousandths of a bid's price that count, 500 to 1000: 1000 is all of it.",
            min=WEIGHT_MIN,
            max=WEIGHT_MAX,
        ),
    ],
) -> None:
    """Set the weight of an account, in calls that open from now on and in clearings of tokens.

    All accounts of a budget root count by the least of their weights: to raise it, set that of each.
    """
    here = where(ctx)
    here.act_as("operator")
    ident, shown = account_id(here, account), printable(account[:_SHOWN])
    ask_bank(here, lambda bank: bank.set_weight(ident, permille), f"the weight of {shown}", _HINTS)
    out.print(
        f"weight of {escape(shown)}: {permille} of 1000 from now on; all accounts of its budget root count by the "
        f"least of theirs",
        soft_wrap=True,
    )
