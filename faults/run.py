"""Run one section in a world of its own, and judge what it left behind."""

from __future__ import annotations

import random
import subprocess
import time
import traceback
from collections import Counter
from functools import partial

from confluent_kafka import KafkaException

from contractnet.errors import ContractnetError
from faults.arena import arena_in
from faults.plan import Plan
from faults.results import Results
from faults.sections.registry import SECTIONS, Section
from faults.tally import Tally


def say(section: str, line: str) -> None:
    """Print at once, with the time; sections that run side by side are told apart by their names."""
    print(f"{time.strftime('%H:%M:%S')}  {section:10}  {line}", flush=True)


def run_section(name: str, results: Results) -> Tally:
    """Run a section by its name and keep its result; one that does not get to its end is a failure, and has none, not
    even an older one."""
    run, seed = results.run, results.run.seed
    data = results.data / f"{name}-{time.strftime('%H%M%S')}"
    plan = Plan(run.form == "full", seed, data, partial(say, name), run.rate, random.Random(f"{seed} {name}"))
    results.forget(name)
    try:
        tally = _run(SECTIONS[name], plan)
        if not tally.skipped:
            results.keep(name, tally)
    except (AssertionError, ContractnetError, KafkaException, TimeoutError, subprocess.TimeoutExpired) as error:
        traceback.print_exc()
        tally = Tally(problems=[f"the section did not end: {error}"], unfinished=[name])
    _report(name, tally)
    return tally


def _run(section: Section, plan: Plan) -> Tally:
    plan.say(section.purpose)
    if reason := section.obstacle():
        plan.say(f"SKIPPED, {reason}")
        return Tally(skipped=[section.name])
    started = time.monotonic()
    plan.data.mkdir(parents=True)
    with section.build(plan) as world, arena_in(world, plan) as arena:
        section.run(arena)
        arena.settle()
        plan.say(f"settled after {time.monotonic() - started:.0f} s; judging")
        arena.judge()
        arena.tally.duration_s = time.monotonic() - started
        return arena.tally


def _report(name: str, tally: Tally) -> None:
    if tally.duration_s:  # else it was skipped or did not get to its end, and nothing was counted
        attempts = Counter(attempts=tally.attempts.total())
        mix = "".join(f" {what}={n}" for what, n in sorted(tally.mix.items()))
        others = "".join(f" {what}={n}" for what, n in sorted((tally.other + tally.notes + attempts).items()))
        say(
            name,
            f"kills={tally.kills} zombies={tally.zombies} broker={tally.broker}{others} "
            f"commands={tally.commands} acknowledged={tally.acknowledged} "
            f"awards={tally.awards} works={tally.works} deals={tally.deals} "
            f"resold={tally.resold} claims={tally.claims} grants={tally.grants}{mix} "
            f"uncommitted={tally.visible} verified={tally.verified} rows={tally.rows} "
            f"{tally.counts()} in {tally.duration_s:.0f} s",
        )
    for problem in tally.problems:
        say(name, f"FAILURE: {problem}")
