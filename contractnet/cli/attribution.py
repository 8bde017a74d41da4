"""`attribution`: who spent how much on what, for people who don't write SQL."""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from contractnet.cli.durations import bound_of
from contractnet.cli.lazy import service
from contractnet.cli.root import app, out, where
from contractnet.errors import SettingsError
from contractnet.terminal import printable

_RATE = re.compile(r"[0-9]{1,4}(\.[0-9]{1,6})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_SHOWN = 40
_EXAMPLE = "contractnet attribution --by"


@app.command(
    epilog=f"Examples:  {_EXAMPLE} project,pool --since 24h   |   {_EXAMPLE} agent --top 10   |   {_EXAMPLE} "
    "day,reason --since 2026-11-01 --until 2026-12-01 --csv > november.csv   |   contractnet attribution "
    "--focus costs.parquet --currency EUR --per-credit 0.25"
)
def attribution(
    ctx: typer.Context,
    by: Annotated[
        str, typer.Option(help="What to tell payments by: project, agent, task, pool, hour, day, reason, with commas.")
    ] = "project,pool",
    since: Annotated[str | None, typer.Option(help="From when on: 24h (before the publication), or a time.")] = None,
    until: Annotated[str | None, typer.Option(help="Until before when; as --since.")] = None,
    top: Annotated[int | None, typer.Option(min=1, help="The rows with most credits alone.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV in micro-credits, with a header line.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write an array of JSON objects, in micro-credits.")] = False,
    focus: Annotated[
        Path | None, typer.Option(help="Write each payment as a row of FOCUS 1.2 to this .csv or .parquet instead.")
    ] = None,
    currency: Annotated[str, typer.Option(help="With --focus: a national currency for costs.")] = "USD",
    per_credit: Annotated[str, typer.Option(help="With --focus: what a credit is worth in it.")] = "0",
) -> None:
    """Print who spent how much on what: payments for awards, resales, work and tokens, with deposits, bonds and fees.

    Works while the market runs, and after. Times are UTC; what was given, moved or taken back by the bank is no
    spending. docs/attribution.md has the questions that SQL answers beyond this.
    """
    if csv + json + (focus is not None) > 1:
        raise SettingsError("--csv, --json and --focus exclude each other: choose one.")
    bounds = [None if at is None else bound_of(at, option) for at, option in ((since, "--since"), (until, "--until"))]
    here = where(ctx)
    here.directory.check()
    module = service("analytics.attribution")
    asked = module.Asked(_names(by, module.DIMENSIONS), *bounds, top)
    if focus is not None:
        if not _CURRENCY.fullmatch(currency) or not _RATE.fullmatch(per_credit):
            raise SettingsError(
                f"--currency {currency[:_SHOWN]!r} and --per-credit {per_credit[:_SHOWN]!r}: write three letters such "
                f"as EUR, and a number below 10000 with six decimals at most."
            )
        told = module.export(here.directory.path, here.market, asked, focus, currency, Decimal(per_credit))
        print(printable(told))
        return
    form = "csv" if csv else "json" if json else "table"
    text = module.text(here.directory.path, here.market, asked, form, out.width if out.is_terminal else None)
    # CSV in a file has every value as it is; on a terminal, names of others must not steer it.
    print(printable(text) if sys.stdout.isatty() or form == "table" else text, end="")


def _names(by: str, known: dict[str, str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in by.split(","))
    wrong = [name for name in names if name not in known]
    if wrong or len(set(names)) < len(names):
        problem = f"has no {wrong[0][:_SHOWN]!r}" if wrong else "names one twice"
        raise SettingsError(f"--by {problem}: write some of {', '.join(known)}, with commas between them.")
    return names
