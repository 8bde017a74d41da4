"""`reserve`: what a pool's owner had better not sell below."""

from __future__ import annotations

from typing import Annotated

import typer

from contractnet.cli.durations import seconds_of
from contractnet.cli.members import amount_of
from contractnet.cli.published import show_published
from contractnet.cli.root import app, where
from contractnet.errors import SettingsError


@app.command(
    epilog="Examples:  contractnet reserve gpu-a100 --duration 1h   |   "
    "contractnet reserve gpu-a100 --units 4 --for ann --for vision"
)
def reserve(
    ctx: typer.Context,
    pool: Annotated[str, typer.Argument(help="The pool that is sold from.")],
    units: Annotated[int, typer.Option(help="Units of a slot.", min=1)] = 1,
    duration: Annotated[str, typer.Option(help="How long a slot is leased: 10m, 1h.")] = "1h",
    bidders: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            help="Who may bid in the call, by invitation: a name or project whose offers are left out; repeatable.",
        ),
    ] = None,
    least: Annotated[str, typer.Option(help="Credits for a unit and an hour, below which nothing is sold.")] = "0.01",
) -> None:
    """Print a reserve price by opportunity cost: what capacity may be worth to whoever comes next, as leases are not
    preempted.

    It rises with the part of the pool that is leased, between bounds from the offers of calls that have ended. Nothing
    that those named by --for have offered counts; without --for, for an open call, own offers can lower it to what
    those of the others give (docs/strategies.md). It is a proposal: a call names the reserve that its manager wants.
    """
    duration_ms = 1000 * seconds_of(duration, "--duration")
    if not duration_ms:
        raise SettingsError("--duration 0 is no lease: write 10m or 1h.")
    least_ucr = amount_of(least, "--least")
    if not least_ucr:
        raise SettingsError("--least 0 sells for nothing: the least is 0.000001.")
    show_published(where(ctx), "analytics.reserve", pool, units, duration_ms, least_ucr, bidders or ())
