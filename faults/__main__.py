"""`python -m faults`: run the sections, print what each found, end with the closing line.

FAULTS=full runs the campaign, anything else the short form. SECTIONS=kills,zombies chooses, SIDE_BY_SIDE is how many
run at a time. SEED repeats a run's random choices. RESUME=1 takes the results of sections that have ended before from
the data directory (FAULTS_DATA, else `.contractnet/faults`) and runs the others. Exit code 0 only without a failure.
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
from faults.run import result_of, run_section, say
from faults.sections.registry import SECTIONS
from faults.tally import Tally

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
    try:
        seed = int(os.environ.get("SEED") or random.randrange(10**6))
        rate = float(os.environ.get("RATE") or (RATE_FULL if full else RATE_SHORT))
        at_a_time = int(os.environ.get("SIDE_BY_SIDE") or (SIDE_BY_SIDE_FULL if full else SIDE_BY_SIDE_SHORT))
    except ValueError as error:
        print(f"faults: SEED and SIDE_BY_SIDE are whole numbers, RATE is a number: {error}", file=sys.stderr)
        return 2
    data = Path(os.environ.get("FAULTS_DATA") or ".contractnet/faults").absolute() / form
    data.mkdir(parents=True, exist_ok=True)
    say("faults", f"{form} form, SEED={seed}, {', '.join(wanted)}, {at_a_time} at a time, data in {data}")
    one = partial(run_section, full=full, seed=seed, rate=rate, data=data)
    try:
        total = _run_all(wanted, one, at_a_time, data)
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


def _run_all(wanted: list[str], one: partial[Tally], at_a_time: int, data: Path) -> Tally:
    """Run the sections, each in a process of its own, and add up what they found."""
    total = Tally()
    missing = list(wanted)
    if os.environ.get("RESUME") == "1":
        for name in wanted:
            if result_of(name, data).is_file():
                say(name, "result of an earlier run")
                total.add(Tally.load(result_of(name, data)))
                missing.remove(name)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_a_time, spawn, max_tasks_per_child=1) as pool:
        for tally in pool.map(one, missing):
            total.add(tally)
    return total


if __name__ == "__main__":
    sys.exit(main())
