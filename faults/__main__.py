"""`python -m faults`: run the sections, print what each found, end with the closing line.

FAULTS=full runs the campaign, anything else the short form. SECTIONS=kills,zombies chooses. SEED repeats a run's random
choices. RESUME=1 takes the results of sections that have finished before from the data directory (FAULTS_DATA, else
`.contractnet/faults`) and runs the others. Exit code 0 only without a failure.
"""

from __future__ import annotations

import os
import random
import sys
import time
import traceback
from pathlib import Path

from confluent_kafka import KafkaException

from contractnet.errors import ContractnetError
from faults.arena import arena_in
from faults.plan import RATE_FULL, RATE_SHORT, Plan
from faults.sections.registry import SECTIONS, Section
from faults.tally import Tally


def say(line: str) -> None:
    """Print at once, with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def main() -> int:
    """Run the campaign; returns the exit code."""
    full = os.environ.get("FAULTS", "") == "full"
    wanted = [name for name in os.environ.get("SECTIONS", "").split(",") if name] or list(SECTIONS)
    unknown = set(wanted) - set(SECTIONS)
    if unknown:
        print(
            f"faults: no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}", file=sys.stderr
        )
        return 2
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    form = "full" if full else "short"
    data = Path(os.environ.get("FAULTS_DATA") or ".contractnet/faults").absolute() / form
    data.mkdir(parents=True, exist_ok=True)
    say(f"{form} form, SEED={seed}, sections {', '.join(wanted)}, data in {data}")
    total = Tally()
    for name in wanted:
        result = data / f"{name}.json"
        if os.environ.get("RESUME") == "1" and result.is_file():
            tally = Tally.load(result)
            say(f"{name}: result of an earlier run")
        else:
            rate = float(os.environ.get("RATE") or (RATE_FULL if full else RATE_SHORT))
            run = data / f"{name}-{time.strftime('%H%M%S')}"
            plan = Plan(full, seed, run, say, rate, random.Random(f"{seed} {name}"))
            try:
                tally = run_section(SECTIONS[name], plan)
                tally.save(result)
            except (AssertionError, ContractnetError, KafkaException) as error:
                traceback.print_exc()
                tally = Tally(problems=[f"the section did not end: {error}"])
        _report(name, tally)
        total.add(tally)
    for line in [*total.phase_lines(), total.bound_line(), total.closing_line()]:
        print(line, flush=True)
    return 1 if total.failures else 0


def run_section(section: Section, plan: Plan) -> Tally:
    """Run one section in a world of its own and judge what it left behind."""
    say(f"{section.name}: {section.purpose}")
    if reason := section.obstacle():
        return Tally(skipped=reason)
    started = time.monotonic()
    plan.data.mkdir(parents=True)
    with section.build(plan) as world, arena_in(world, plan) as arena:
        section.run(arena)
        arena.settle()
        say(f"  settled after {time.monotonic() - started:.0f} s; judging")
        arena.judge()
        arena.tally.duration_s = time.monotonic() - started
        return arena.tally


def _report(name: str, tally: Tally) -> None:
    if tally.skipped:
        say(f"{name}: SKIPPED, {tally.skipped}")
        return
    others = "".join(f" {what}={n}" for what, n in sorted((tally.other + tally.notes).items()))
    say(
        f"{name}: kills={tally.kills} zombies={tally.zombies} broker={tally.broker}{others} "
        f"commands={tally.commands} awards={tally.awards} uncommitted={tally.visible} rows={tally.rows} "
        f"{tally.counts()} in {tally.duration_s:.0f} s"
    )
    for problem in tally.problems:
        say(f"  FAILURE: {problem}")


if __name__ == "__main__":
    sys.exit(main())
