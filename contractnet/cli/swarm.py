"""`demo` and `simulate`: a swarm of agents that trade GPUs, work and tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from contractnet.cli.lazy import service
from contractnet.cli.root import app, where

_TRACE_HELP = "Demand from a GPU cluster trace (openb CSV of alibaba/clusterdata) instead of made-up demand."
_CALLS_HELP = "Folder with the two Azure LLM inference traces (Azure/AzurePublicDataset) instead of made-up calls."


@app.command(
    epilog="Examples:  contractnet demo   |   contractnet demo --trace openb_pod_list_default.csv --duration 90"
)
def demo(
    ctx: typer.Context,
    trace: Annotated[Path | None, typer.Option(help=_TRACE_HELP)] = None,
    calls: Annotated[Path | None, typer.Option(help=_CALLS_HELP)] = None,
    agents: Annotated[int, typer.Option(help="How many agents bid.", min=3, max=2000)] = 48,
    duration: Annotated[float, typer.Option(help="Seconds that the agents bid for.", min=2)] = 45.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same demand.")] = 1,
) -> None:
    """Run a market with a swarm of agents and show who spent what. Leaves the ledger for your own queries."""
    here = where(ctx)
    engine = service("services.demo.run")
    options = engine.SwarmOptions(agents=agents, duration_s=duration, seed=seed, trace=trace, calls=calls)
    raise typer.Exit(engine.demo(here.directory, here.bootstrap_flag, here.market, options))


@app.command(epilog="Example:  contractnet simulate --agents 200 --seed 7 --duration 120")
def simulate(
    ctx: typer.Context,
    agents: Annotated[int, typer.Option(help="How many agents bid.", min=3, max=2000)] = 48,
    seed: Annotated[int, typer.Option(help="The same seed makes the same demand.")] = 1,
    trace: Annotated[Path | None, typer.Option(help=_TRACE_HELP)] = None,
    calls: Annotated[Path | None, typer.Option(help=_CALLS_HELP)] = None,
    duration: Annotated[float, typer.Option(help="Seconds that the agents bid for.", min=2)] = 60.0,
    processes: Annotated[int, typer.Option(help="How many processes the agents share.", min=1, max=64)] = 4,
) -> None:
    """Run a swarm against the market that `up` runs here, or else against one of its own that is deleted afterwards."""
    here = where(ctx)
    engine = service("services.demo.run")
    options = engine.SwarmOptions(
        agents=agents, duration_s=duration, seed=seed, trace=trace, processes=processes, calls=calls
    )
    raise typer.Exit(engine.simulate(here.directory, here.bootstrap_flag, here.market, options))
