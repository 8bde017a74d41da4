"""`contractnet demo` and `contractnet simulate`: one run of the swarm, from enrolment to the checks."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from broker.ports import find_free
from contractnet.access import act_as
from contractnet.cli.directory import DataDirectory
from contractnet.errors import DataDirectoryError, ServiceError
from contractnet.messages.partition import partition_of
from services import state
from services.demo import outcome, trace
from services.demo.calls import shared
from services.demo.checks import Run
from services.demo.children import Children
from services.demo.demand import (
    CALLERS,
    CHAT_SHARE,
    CLOUD_UNITS,
    CLOUDS,
    POOLS,
    PROJECTS,
    Demand,
    budgets,
    names,
    synthetic,
)
from services.demo.enrolment import Enrolled, enrol, share_quotas
from services.demo.live import Score, Show
from services.demo.plan import Plan
from services.demo.purchases import EVERY_S
from services.status import ledger_ends
from services.supervisor import Supervisor, UpOptions
from services.table import command
from services.table import console as new_console
from services.up import EXIT_INTERRUPTED, Interrupt, end_orphans, say

ALLOWANCE_UCR = 400_000_000
BIDDERS_PER_CFP = 6
PURCHASES_PER_S = 4.0
"""How often, over all agents, one looks whether there is work to buy."""
RESALE_CALL_S = 1
"""How long leases that are bargained for are called for in a market of the run's own: they last seconds."""
_READY_S = 60.0
_START_S = 1.0
_LOOK_S = 0.25
_DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class SwarmOptions:
    """What a run is asked for. `trace` is a file of GPU tasks and `calls` a folder of calls of language models, in the
    place of made-up ones. `deleted`: its data will not stay."""

    agents: int
    duration_s: float
    seed: int
    trace: Path | None
    processes: int = 4
    calls: Path | None = None
    deleted: bool = False


class MarketGoneError(ServiceError):
    """The market that a run competes in has ended."""


@dataclass(frozen=True, slots=True)
class Market:
    """The running market of a run. `look` keeps its supervisor going, where it is ours."""

    directory: DataDirectory
    bootstrap: str
    market: str
    partitions: int
    look: Callable[[], None]


def demo(directory: DataDirectory, bootstrap: str | None, market: str, options: SwarmOptions) -> int:
    """Run the demo in a data directory, with a market of its own unless one runs there. The exit code."""
    return _guarded(directory, bootstrap, market, options)


def simulate(directory: DataDirectory, bootstrap: str | None, market: str, options: SwarmOptions) -> int:
    """Run a swarm against the market that runs in the directory, else against one that is deleted afterwards."""
    directory.check()
    if bootstrap is not None or state.running_pid(directory) is not None:
        return _guarded(directory, bootstrap, market, options)
    with tempfile.TemporaryDirectory(prefix="contractnet-") as scratch:
        say(f"no market runs in {directory.path}; using one of its own, deleted afterwards")
        say(f"start one that stays: {command(directory)} up")
        return _guarded(DataDirectory(Path(scratch)), bootstrap, market, replace(options, deleted=True))


def _guarded(directory: DataDirectory, bootstrap: str | None, market: str, options: SwarmOptions) -> int:
    # First what may be wrong with the options: before half a minute of work.
    demand = _demand(options)
    options = replace(options, processes=min(options.processes, options.agents))
    with Interrupt() as interrupt, ExitStack() as ending:
        try:
            running = _market(directory, bootstrap, market, ending)
            return 0 if _swarm(running, options, demand, ending) else 1
        except KeyboardInterrupt:
            say("stopping")
    say("stopped; nothing of this run is left running")
    return EXIT_INTERRUPTED if interrupt.received == signal.SIGINT else 0


def _demand(options: SwarmOptions) -> Demand:
    if options.trace is None:
        wanted = synthetic(options.agents, options.duration_s, options.seed)
    else:
        capacity = sum(pool.units * pool.speed for pool in POOLS)
        wanted = trace.replay(options.trace, options.agents, options.duration_s, options.seed, capacity)
    ours, told = shared(options.calls, list(names(options.agents))[:CALLERS], options.duration_s, options.seed)
    return replace(wanted, calls=ours, told=f"{wanted.told}; {told}")


def _market(directory: DataDirectory, bootstrap: str | None, market: str, ending: ExitStack) -> Market:
    directory.prepare()
    if (pid := state.running_pid(directory)) is not None:
        noted = state.read(directory)
        if noted is None or not noted.ready:
            raise DataDirectoryError(
                f"The market of pid {pid} in {directory.path} is still starting: try again shortly."
            )
        act_as("operator", directory.path)
        say(f"using the market that runs in {directory.path} (pid {pid}); what the run makes stays in it: accounts in")
        say(f"projects {', '.join(PROJECTS)} and clouds, {ALLOWANCE_UCR // 10**6} credits for each of them, and pools")
        return Market(directory, noted.bootstrap, market, noted.partitions, partial(_look_at, directory, pid))
    end_orphans(directory, say)
    options = UpOptions(directory=directory, bootstrap=bootstrap, market=market, resale_call_s=RESALE_CALL_S)
    supervisor = Supervisor(options, say)
    ending.callback(supervisor.stop)
    supervisor.start()
    return Market(directory, supervisor.bootstrap, market, supervisor.partitions, supervisor.look)


def _look_at(directory: DataDirectory, pid: int) -> None:
    """Raise MarketGoneError where the `up` of a directory that a run began with has ended."""
    if state.running_pid(directory) != pid:
        raise MarketGoneError(
            f"The market in {directory.path} has ended during the run (its `up`, pid {pid}, is gone): the run ends "
            f"without a result."
        )


def _swarm(market: Market, options: SwarmOptions, demand: Demand, ending: ExitStack) -> bool:
    screen = new_console()
    say(demand.told)
    partition = partition_of(market.market, market.partitions)
    rate = round(CHAT_SHARE * demand.tokens_per_minute)
    enrolled = asyncio.run(
        enrol(
            market.directory,
            market.bootstrap,
            market.market,
            options.agents,
            ALLOWANCE_UCR,
            rate,
            budgets(options.agents, options.duration_s),
        )
    )
    say(f"{options.agents} agents and {len(POOLS)} pools ({', '.join(f'{p.name}: {p.units}' for p in POOLS)} units)")
    say(f"{len(CLOUDS)} contractors with {CLOUD_UNITS} units each, and a pool of {rate:,} tokens a minute")
    ends = ledger_ends(market.bootstrap, market.partitions)
    first_offset = 0 if ends is None else ends[partition]
    run = Run(
        market.directory, market.bootstrap, market.market, partition, market.partitions, first_offset, options.deleted
    )
    score = Score()
    children = Children(market.directory.log("swarm"))
    ending.callback(children.close)
    begun = _start(children, market, options, demand, enrolled)
    try:
        with Show(screen, score, options.duration_s) as show:
            _listen(children, score, show, market, until_s=begun + options.duration_s)
            lasted_s, score.won_in_time = time.monotonic() - begun, score.total("won")
            for group in ("managers", "bidders", "gate"):
                children.end(group)
                _listen(children, score, show, market, until_ended=group)
    except MarketGoneError:
        children.kill("managers")
        children.kill("bidders")
        raise
    children.close()
    for text in score.events:
        say(text)
    lag_s = outcome.wait_for_projection(run, market.look)
    return outcome.show(screen, run, score, lasted_s, lag_s)


def _start(children: Children, market: Market, options: SwarmOptions, demand: Demand, enrolled: Enrolled) -> float:
    """Start all processes together; the monotonic time at which they begin."""
    gates: dict[str, int] = {}
    while len(set(gates.values())) < len(POOLS):
        gates = {pool.name: find_free() for pool in POOLS}
    path = market.directory.run / "swarm.json"
    # The processes read the plan before they are ready; its start has to lie after that, so it is told last.
    plan = Plan(
        bootstrap=market.bootstrap,
        market=market.market,
        genesis=enrolled.genesis.hex(),
        seed=options.seed,
        duration_s=options.duration_s,
        starts_at_s=time.time() + _START_S + 0.25 * (options.processes + len(POOLS) + 1),
        eagerness=min(1.0, BIDDERS_PER_CFP * 2.4 / options.agents),
        patience=min(1.0, PURCHASES_PER_S * EVERY_S / options.agents),
        budget_ucr=ALLOWANCE_UCR,
        budgets=enrolled.budgets,
        members=enrolled.members,
        managers=enrolled.managers,
        contractors=enrolled.contractors,
        oncall=enrolled.oncall,
        gates=gates,
        tasks=demand.tasks,
        calls=demand.calls,
    )
    plan.write(path)
    groups = [plan.members_of(index, options.processes) for index in range(options.processes)]
    share_quotas(market.bootstrap, [plan.managers_files, *groups])
    for pool in POOLS:
        children.start(f"gate-{pool.name}", "services.demo.resource", str(path), pool.name)
    children.start("managers", "services.demo.managers", str(path))
    for index in range(options.processes):
        arguments = (str(path), str(index), str(options.processes))
        children.start(f"bidders-{index}", "services.demo.bidders", *arguments)
    children.wait_ready(_READY_S, market.look)
    path.unlink()
    units = sum(pool.units for pool in POOLS)
    say(f"{options.processes} processes of agents, 1 of managers, {len(POOLS)} gates with {units} GPU slot processes")
    return time.monotonic() + max(0.0, plan.starts_at_s - time.time())


def _listen(
    children: Children,
    score: Score,
    show: Show,
    market: Market,
    *,
    until_s: float | None = None,
    until_ended: str | None = None,
) -> None:
    """Take in what the processes tell, until a time or until a group of them has ended."""
    give_up_at = time.monotonic() + _DRAIN_S if until_s is None else until_s
    while time.monotonic() < give_up_at:
        over = until_ended is not None and children.ended(until_ended)
        # Before the processes: what ails them may only be that the market is gone.
        market.look()
        for message in children.take(_LOOK_S):
            score.take(message)
        if until_s is not None:
            show.update()
        if over:
            break


__all__ = ["SwarmOptions", "demo", "simulate"]
