"""`policy`: what the operator sets for a whole market. All but `show` need the operator's credential."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contractnet.cli.durations import duration_text, seconds_of
from contractnet.cli.lazy import service
from contractnet.cli.members import amount_of, ask_operator
from contractnet.cli.published import show_published, up_to_date
from contractnet.cli.quantities import permille_of
from contractnet.cli.root import app, out, where
from contractnet.errors import SettingsError
from contractnet.messages import Code
from contractnet.messages.commands import SetPolicy
from contractnet.money import credits_text

if TYPE_CHECKING:
    from contractnet.client import Operator

_NO_LIMIT = "none"
# The rules' limit, 1,000 reserves an hour (market/limits.py, which the agents' package has not got).
DEPOSIT_PERCENT_MAX = 100_000
_TERMS, _OPTIONS = 3, "--issue-limit, --window, --fee"
_HINTS = {
    Code.UNKNOWN_RULES: "The market runs older rules: policies exist from version 7 on, which its operator activates.",
    Code.BAD_DURATION: "A window takes 1m to 366d.",
    Code.BAD_AMOUNT: "A limit is at most 4,000,000,000,000 credits, and a fee at most 1,000,000,000.",
    Code.UNKNOWN_KEY: "The operator's key is none of this market: `contractnet key list` shows the one that is.",
}
_DEPOSIT_HINTS = _HINTS | {
    Code.UNKNOWN_RULES: "The market runs older rules: deposits exist from version 8 on, which its operator activates."
}
_FLOOR_HINTS = _HINTS | {
    Code.UNKNOWN_RULES: "The market runs older rules: a floor under the deposit exists from version 10 on, which its "
    "operator activates.",
    Code.BAD_AMOUNT: "A floor is at most 1,000,000,000 credits.",
}
_RESALE_HINTS = _HINTS | {
    Code.UNKNOWN_RULES: "The market runs older rules: calls for resales exist from version 9 on, which its operator "
    "activates.",
    Code.BAD_DURATION: "A call takes 1s to 1m; 0s: none.",
}
policy = typer.Typer(
    no_args_is_help=True, help="The operator's policy: what the bank may issue, and what an offer costs."
)
app.add_typer(policy, name="policy")


@policy.command(
    name="set",
    epilog="Examples:  contractnet policy set --issue-limit 10000 --window 1d   |   "
    "contractnet policy set --fee 0.01   |   contractnet policy set --issue-limit none --fee 0",
)
def set_(
    ctx: typer.Context,
    issue_limit: Annotated[
        str | None,
        typer.Option(
            help="Most credits that the bank may issue in a window, allowances included; none: no limit.",
            show_default="as it is",
        ),
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="Length of a window: 1h, 1d, 30d; at least 1m.", show_default="as it is, else 1d")
    ] = None,
    fee: Annotated[
        str | None, typer.Option(help="Credits that each offer in a negotiation costs.", show_default="as it is")
    ] = None,
) -> None:
    """Bound what the bank issues, and set what an offer costs. What was issued before does not count for it.

    What is not named stays: it is read from the published ledger, unless all three are named.
    """
    here = where(ctx)
    here.act_as("operator")
    if issue_limit is None and window is None and fee is None:
        raise SettingsError(f"Name what shall hold: {_OPTIONS}. `--issue-limit none` ends a limit.")
    named: dict[str, Any] = {}
    if issue_limit is not None:
        named["issue_limit_ucr"] = None if issue_limit == _NO_LIMIT else amount_of(issue_limit, "--issue-limit")
    if window is not None:
        named["issue_window_ms"] = seconds_of(window, "--window") * 1000
    if fee is not None:
        named["round_fee_ucr"] = amount_of(fee, "--fee")

    async def ask(operator: Operator) -> tuple[SetPolicy, SetPolicy | None]:
        if len(named) == _TERMS:
            before, wanted = None, SetPolicy(**named)
        else:
            await up_to_date(here, operator.connection.partitions, f"Or name all three: {_OPTIONS}.")
            before = service("analytics.policy").held(here.directory.path, here.market)
            wanted = replace(before, **named)
        # Not by `set_policy`, whose windows are whole seconds: what stays is exactly what it was.
        await operator.submit(operator.prepare(wanted))
        return wanted, before

    made, before = ask_operator(here, ask, "the policy", _HINTS)
    limit_ucr, length = made.issue_limit_ucr, duration_text(made.issue_window_ms)
    most = (
        "without a limit"
        if limit_ucr is None
        else f"at most {credits_text(limit_ucr)} credits in {length}, counted from now"
    )
    fee_text = credits_text(made.round_fee_ucr)
    out.print(f"policy: the bank issues {most}; an offer costs {fee_text} credits", soft_wrap=True)
    if limit_ucr is not None and before is not None and before.issue_limit_ucr is not None:
        out.print("the bank has the whole limit again: what it issued before does not count any more", soft_wrap=True)


@policy.command(
    epilog="Examples:  contractnet policy deposit 1%   |   contractnet policy deposit 10000%   |   "
    "contractnet policy deposit 1% --floor 2   |   contractnet policy deposit 0%"
)
def deposit(
    ctx: typer.Context,
    rate: Annotated[
        str,
        typer.Argument(
            help="Part of the reserve price (where a call buys: of the bond), for each slot and hour that bids are "
            "bound: 0% to 100000%, which is all of it in 3.6 s."
        ),
    ],
    floor: Annotated[
        str,
        typer.Option(
            help="Credits that a unit counts for in an hour of the lease at least, whatever the reserve is; 0: none."
        ),
    ] = "0",
) -> None:
    """Let managers deposit for what their calls lock: it pays bidders whom a call does not serve.

    Calls that buy have a deposit from version 11 of the rules on, by the bond that they ask for.

    A floor that is not named is none, whatever it was before.
    """
    here = where(ctx)
    here.act_as("operator")
    permille, floor_ucr = permille_of(rate, "RATE", DEPOSIT_PERCENT_MAX), amount_of(floor, "--floor")
    hints = _FLOOR_HINTS if floor_ucr else _DEPOSIT_HINTS
    ask_operator(here, lambda operator: operator.set_deposit(permille, floor_ucr=floor_ucr), "the deposit", hints)
    least = f", or of {credits_text(floor_ucr)} credits a unit and hour of the lease," if floor_ucr else ""
    what = f"{permille / 10:g}% of the reserve{least} for each slot and hour"
    out.print(f"deposit: {what}, of calls that open from now on (where they buy: of the bond)", soft_wrap=True)


@policy.command(epilog="Examples:  contractnet policy resale 5s   |   contractnet policy resale 0s")
def resale(
    ctx: typer.Context,
    call: Annotated[str, typer.Argument(help="How long others may bid: 1s to 1m; 0s: a deal moves the lease at once.")],
) -> None:
    """Let each lease that is bargained for be called for at the agreed price, before it moves."""
    here = where(ctx)
    here.act_as("operator")
    call_s = seconds_of(call, "CALL")
    ask_operator(here, lambda operator: operator.set_resale_call(call_s), "the call for resales", _RESALE_HINTS)
    held = f"is open to others for {duration_text(call_s * 1000)}" if call_s else "moves at once"
    out.print(f"resale: a lease that is bargained for from now on {held}")


@policy.command(epilog="Example:  contractnet policy show")
def show(ctx: typer.Context) -> None:
    """Print the policy that holds, and what was issued under it in the window that runs, as the published ledger has
    it."""
    show_published(where(ctx), "analytics.policy")
