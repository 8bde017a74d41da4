"""Every kind of adversary against the market in memory, many times.

`python -m tests.hostile.campaign --attempts 10000` makes so many attempts of each kind; `--kinds forged,bombs` chooses,
`--seed` repeats. Exit code 1 where something forged was accepted, something honest lost, or a code is not the
expected one.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from faults.hostile.judge import Verdict
from faults.hostile.kinds import NAMES
from faults.hostile.seals import NAME as SEALS
from tests.hostile import life, queries, seals

MAX_MS = 1000.0
"""No attempt may take longer, of CPU time of the thread that judges."""
GROWTH_MAX = 3.0
"""The last quarter of the attempts may not take so much longer than the first: else a flood slows the market down."""


OTHERS = {SEALS: seals.live, queries.NAME: queries.live}
"""Kinds whose attempts are no records of `commands`."""
KINDS = (*NAMES, *OTHERS)


def live(kind: str, seed: int, attempts: int) -> Verdict:
    """One kind's life."""
    return OTHERS[kind](seed, attempts) if kind in OTHERS else life.live(kind, seed, attempts)


def campaign(kinds: Sequence[str], seed: int, attempts: int, processes: int, *, chatty: bool = False) -> list[Verdict]:
    """A life for each kind, side by side; in the order of the kinds."""
    started_s = time.monotonic()
    found: dict[str, Verdict] = {}
    # The log of a whole life is in memory: looking it over for cycles takes longer than any attempt.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=gc.disable) as pool:
        asked = [pool.submit(live, kind, seed, attempts) for kind in kinds]
        for future in as_completed(asked):
            verdict = future.result()
            found[verdict.kind] = verdict
            if chatty:
                print(f"{time.monotonic() - started_s:6.0f} s  {verdict.line()}", flush=True)
                for what in verdict.wrong:
                    print(f"          {what}", flush=True)
    return [found[kind] for kind in kinds]


def closing_line(verdicts: Sequence[Verdict], seed: int) -> str:
    """What a campaign ends with."""

    def total(name: str) -> int:
        return sum(int(getattr(v, name)) for v in verdicts)

    names = ("attempts", "accepted", "legal", "misjudged", "honest", "honest_lost", "awards")
    counts = " ".join(f"{name}={total(name)}" for name in names)
    slowest = max(verdicts, key=lambda v: v.max_ms)
    return (
        f"hostile: kinds={len(verdicts)} seed={seed} {counts} least_per_kind={min(v.attempts for v in verdicts)} "
        f"max_ms={slowest.max_ms:.1f} ({slowest.kind}) growth_max={max(v.growth for v in verdicts):.2f}"
    )


def failures(verdicts: Sequence[Verdict]) -> list[str]:
    """What is wrong, in words."""
    wrong = [v.line() for v in verdicts if not v.sound]
    wrong += [f"{v.kind}: an attempt took {v.max_ms:.0f} ms" for v in verdicts if v.max_ms > MAX_MS]
    return wrong + [f"{v.kind}: attempts slow down {v.growth:.1f} times" for v in verdicts if v.growth > GROWTH_MAX]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    if unknown := set(kinds) - set(KINDS):
        print(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}", file=sys.stderr)
        return 2
    print(f"{options.attempts} attempts of each of {len(kinds)} kinds, seed {options.seed}", flush=True)
    verdicts = campaign(kinds, options.seed, options.attempts, options.processes, chatty=True)
    print(closing_line(verdicts, options.seed))
    wrong = failures(verdicts)
    print("\n".join(wrong) or "every attempt has its code, nothing forged was accepted, nothing honest was lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
