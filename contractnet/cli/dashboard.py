"""`dashboard`: a market in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated, Any

import typer

from contractnet.cli.lazy import service
from contractnet.cli.root import Where, app, out, where
from contractnet.errors import BrokerUnreachableError
from contractnet.terminal import printable

PORT = 8765


@app.command(epilog="Examples:  contractnet dashboard   |   contractnet dashboard --port 0 --open")
def dashboard(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port on this machine; 0: any that is free.")] = PORT,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Watch the market in a browser: prices, use, latency, balances, budgets, calls, negotiations, tokens.

    The page is for this machine and this user alone: its address has a secret in it. It shows what the published ledger
    shows, sealed bids among it. Ctrl-C ends it; the market does not notice.
    """
    here = where(ctx)
    here.directory.check()
    here.act_as("auditor")
    server = service("analytics.dashboard.server")
    service("analytics.ledger").newest_generation(here.directory.path)
    watch = server.Watch(here.directory.path, here.market, _feed(here))

    def ready(address: str) -> None:
        out.print(f"the market {printable(here.market)} is shown at {address}", soft_wrap=True)
        out.print("Ctrl-C ends this")
        if open_it and not webbrowser.open(address):
            print("contractnet: no browser could be opened: open the address yourself", file=sys.stderr)
        sys.stdout.flush()

    server.serve(watch, port, ready)
    # uvicorn gives the signal back once it has shut down; a terminal shows ^C before.
    if os.isatty(1):
        print()


def _feed(here: Where) -> Any:
    """The notices, where the market's broker answers; else the published ledger alone is shown."""
    try:
        return service("analytics.dashboard.feed").NoticeFeed(here.bootstrap(), here.market)
    except BrokerUnreachableError:
        print("contractnet: the market is down: its published ledger is shown, as it was left", file=sys.stderr)
        return None
