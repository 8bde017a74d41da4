"""Run many seeds, in a pool of processes, and say what they reached.

`python -m tests.simulation.campaign --seeds 100000` runs seeds 0 to 99,999; `--first` starts elsewhere;
`--replay 4711` runs one seed in this process and prints where it fails.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from contractnet.messages import Code, Event
from tests.simulation.faults import TROUBLE
from tests.simulation.report import Report
from tests.simulation.run import simulate

EVENTS = frozenset(kind.__name__ for kind in Event.__subclasses__())
CODES = frozenset(str(code) for code in set(Code) - {Code.UNSPECIFIED})
CHUNK = 10
FAILURES_MAX = 5
TELL_S = 15.0
"""A campaign says how far it is so often."""


@dataclass(slots=True)
class Total:
    """What a campaign came to."""

    seeds: int = 0
    commands: int = 0
    crashes: int = 0
    awards: int = 0
    duration_s: float = 0.0
    failures: dict[int, str] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)

    def add(self, report: Report) -> None:
        """Count a seed."""
        self.seeds += 1
        self.commands += report.commands
        self.crashes += report.crashes
        self.awards += report.awards
        self.events.update(report.events)
        self.codes.update(report.codes)
        self.happened.update(report.happened)

    @property
    def missing(self) -> list[str]:
        """Events and codes that no seed reached."""
        return sorted((EVENTS - set(self.events)) | (CODES - set(self.codes)))

    @property
    def untroubled(self) -> list[str]:
        """Kinds of trouble that came at no such step in any seed."""
        wanted = {f"{kind} at {step}" for kind, steps in TROUBLE.items() for step in steps}
        return sorted(wanted - set(self.happened))

    def lines(self) -> Iterator[str]:
        """The report in words."""
        rate = self.seeds / self.duration_s if self.duration_s else 0.0
        yield (
            f"simulation: seeds={self.seeds} failed={len(self.failures)} commands={self.commands} "
            f"crashes={self.crashes} awards={self.awards} seconds={self.duration_s:.1f} seeds_per_s={rate:.1f}"
        )
        for title, counts in (("events", self.events), ("codes", self.codes), ("trouble", self.happened)):
            yield f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common())
        yield f"not reached: {', '.join(self.missing + self.untroubled) or 'nothing'}"
        for seed, why in self.failures.items():
            yield f"seed {seed} FAILED; replay: python -m tests.simulation.campaign --replay {seed}\n{why}"


def run_chunk(seeds: Sequence[int]) -> tuple[list[Report], dict[int, str]]:
    """Run some seeds here; the reports, and what went wrong by seed."""
    gc.collect()
    reports, failures = [], {}
    for seed in seeds:
        try:
            reports.append(simulate(seed))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a bug may show as anything, and the seed that finds it has to be named
            failures[seed] = "".join(traceback.format_exception(error, limit=-4))
    return reports, failures


def campaign(first: int, seeds: int, processes: int, *, chatty: bool = False) -> Total:
    """Run `seeds` seeds from `first` on; stops early after some failures."""
    total = Total()
    started = time.monotonic()
    tells_at = started + TELL_S
    chunks = [range(n, min(n + CHUNK, first + seeds)) for n in range(first, first + seeds, CHUNK)]
    # Nothing there lives longer than its seed: looking for cycles all the time would cost a tenth of it.
    # Spawned, not forked: a fork of a process that has threads (the test runner's broker clients) may hang.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=gc.disable) as pool:
        for reports, failures in pool.map(run_chunk, chunks):
            for report in reports:
                total.add(report)
            total.failures |= failures
            if chatty and time.monotonic() >= tells_at:
                tells_at = time.monotonic() + TELL_S
                took_s = time.monotonic() - started
                print(f"{total.seeds} of {seeds} seeds, {took_s:.0f} s, failed: {list(total.failures)}", flush=True)
            if len(total.failures) >= FAILURES_MAX:
                pool.shutdown(cancel_futures=True)
                break
    total.duration_s = time.monotonic() - started
    return total


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


def main() -> int:
    """The command line; exit code 1 where a seed failed, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=_count, default=1_000, help="how many (default: 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--processes", type=_count, default=os.cpu_count() or 1, help="at once (default: one a core)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run this seed alone, in this process")
    options = parser.parse_args()
    if options.replay is not None:
        report = simulate(options.replay)
        print(f"seed {options.replay} breaks no promise: {report}")
        return 0
    try:
        total = campaign(options.first, options.seeds, options.processes, chatty=True)
    except KeyboardInterrupt:
        print("interrupted: nothing is said of the seeds that had not ended", file=sys.stderr)
        return 130
    print("\n".join(total.lines()))
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
