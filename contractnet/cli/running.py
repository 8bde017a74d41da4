"""`up`, `status`, `down` and `broker`: the life of a market's processes."""

from __future__ import annotations

from typing import Annotated

import typer

from contractnet.cli.durations import call_seconds_of
from contractnet.cli.lazy import service
from contractnet.cli.root import app, where

broker = typer.Typer(no_args_is_help=True, help="The embedded Kafka broker alone, without the market's services.")
app.add_typer(broker, name="broker")
_INSECURE = "For development: a broker without access control, where everybody may read and write everything."


@app.command(
    epilog="Examples:  contractnet up   |   contractnet up --workers 2 --detach   |   "
    "contractnet up --bootstrap kafka.example:9092"
)
def up(
    ctx: typer.Context,
    workers: Annotated[int, typer.Option(help="How many referees share the partitions.", min=1, max=64)] = 1,
    partitions: Annotated[
        int | None,
        typer.Option(help="Partitions of new topics; existing ones never change.", min=1, max=1024, show_default="4"),
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="For development: open a market that does not check signatures.")
    ] = False,
    insecure: Annotated[bool, typer.Option("--insecure", help=_INSECURE)] = False,
    resale_call: Annotated[
        str | None,
        typer.Option(
            help="How long a lease that is bargained for is called for, in a market that is opened: 1s to 1m; 0s: it "
            "moves at once.",
            show_default="5s",
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when all is ready; `down` ends it.")] = False,
) -> None:
    """Start a market: broker, workers, snapshotter and projector. What crashes is started again; Ctrl-C ends all."""
    here = where(ctx)
    supervisor = service("services.up")
    options = supervisor.UpOptions(
        directory=here.directory,
        bootstrap=here.bootstrap_flag,
        market=here.market,
        workers=workers,
        partitions=partitions,
        signed=not unsigned,
        insecure=insecure,
        resale_call_s=None if resale_call is None else call_seconds_of(resale_call, "--resale-call"),
    )
    raise typer.Exit(supervisor.detach(options) if detach else supervisor.run(options))


@app.command(epilog="Example:  contractnet status   (exit code 0: everything runs and is healthy)")
def status(ctx: typer.Context) -> None:
    """Show the parts of the market, their health, how far they lag, and how old the newest ledger event is."""
    here = where(ctx)
    here.act_as("operator")
    raise typer.Exit(service("services.status").show(here.directory, here.bootstrap_flag))


@app.command(epilog="Example:  contractnet down   (the data stays; `up` goes on from it)")
def down(ctx: typer.Context) -> None:
    """End what `up` started in this data directory, also what a killed `up` left behind."""
    service("services.up").down(where(ctx).directory)


@broker.command(epilog="Example:  contractnet broker start --port 9092")
def start(
    ctx: typer.Context,
    port: Annotated[
        int | None, typer.Option(help="The port to use, and no other.", show_default="9092, else a free one")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help=_INSECURE)] = False,
) -> None:
    """Start the broker in the background and print its address."""
    service("services.brokers").start(where(ctx).directory, port, insecure=insecure)


@broker.command(epilog="Example:  contractnet broker stop")
def stop(ctx: typer.Context) -> None:
    """Stop the broker in good order; its data stays."""
    service("services.brokers").stop(where(ctx).directory)
