"""`python -m faults`: run the sections, print what each found, end with the closing line.

FAULTS=full runs the campaign, anything else the short form. SECTIONS=kills,zombies chooses, SIDE_BY_SIDE is how many
run at a time. SEED repeats a run's random choices. RESUME=1 takes the results of sections that have ended before from
the data directory (FAULTS_DATA, else `.contractnet/faults`), where they are of the same seed, rate, form, rules and
commit, and runs the others; without it, results that are there are deleted. Exit code 0 only without a failure.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from faults.plan import RATE_FULL, RATE_SHORT, SIDE_BY_SIDE_FULL, SIDE_BY_SIDE_SHORT
from faults.results import Results, Run, commit, newest_seed
from faults.run import run_section, say
from faults.sections.registry import SECTIONS
from faults.tally import Tally
from market.rules import RULES

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell has it."""


def main() -> int:
    """Run the campaign; returns the exit code."""
    form = os.environ.get("FAULTS") or "short"
    full = form == "full"
    wanted = [name for name in os.environ.get("SECTIONS", "").split(",") if name] or list(SECTIONS)
    unknown = set(wanted) - set(SECTIONS)
    if unknown:
        print(
            f"faults: no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}", file=sys.stderr
        )
        return 2
    if form not in ("full", "short"):
        print(f"faults: FAULTS={form!r} is no form; there are full and short", file=sys.stderr)
        return 2
    data = Path(os.environ.get("FAULTS_DATA") or ".contractnet/faults").absolute() / form
    resume = os.environ.get("RESUME") == "1"
    known_seed = newest_seed(data) if resume else None
    try:
        seed = int(os.environ.get("SEED") or (random.randrange(10**6) if known_seed is None else known_seed))
        rate = float(os.environ.get("RATE") or (RATE_FULL if full else RATE_SHORT))
        at_a_time = int(os.environ.get("SIDE_BY_SIDE") or (SIDE_BY_SIDE_FULL if full else SIDE_BY_SIDE_SHORT))
    except ValueError as error:
        print(f"faults: SEED and SIDE_BY_SIDE are whole numbers, RATE is a number: {error}", file=sys.stderr)
        return 2
    data.mkdir(parents=True, exist_ok=True)
    say("faults", f"{form} form, SEED={seed}, {', '.join(wanted)}, {at_a_time} at a time, data in {data}")
    results = Results(data, Run(form, seed, rate, max(RULES), commit()))
    if not resume:
        results.clear()
    try:
        total = _run_all(wanted, results, at_a_time)
    except KeyboardInterrupt:
        say("faults", "stopped; RESUME=1 goes on with the sections that have not ended")
        return INTERRUPTED
    if full:
        total.demand_open()
    for problem in total.problems:
        print(f"FAILURE: {problem}")
    for line in [*total.phase_lines(), *total.hostile_lines(), total.bound_line(), total.closing_line()]:
        print(line, flush=True)
    return 1 if total.failures else 0


def _run_all(wanted: list[str], results: Results, at_a_time: int) -> Tally:
    """Run the sections that have no result yet, each in a process of its own, and add up what they found."""
    total = Tally()
    missing = []
    for name in wanted:
        earlier = results.taken(name)
        if isinstance(earlier, Tally):
            say(name, "result of an earlier run")
            total.add(earlier)
        else:
            if earlier:
                say(name, f"result of another run, not taken: {'; '.join(earlier)}")
            missing.append(name)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_a_time, spawn, max_tasks_per_child=1) as pool:
        for tally in pool.map(partial(run_section, results=results), missing):
            total.add(tally)
    return total


if __name__ == "__main__":
    sys.exit(main())
