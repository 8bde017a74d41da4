"""Every kind of adversary on the wire, each against a market of its own, while honest members trade in it.

The broker has access control: processes have their roles' users, members and adversaries those of agents.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from faults.arena import Arena
from faults.hostile import batches, inflated, intruders, seals
from faults.hostile.forgeries import CrossTopic
from faults.hostile.judge import Verdict
from faults.hostile.kinds import NAMES
from faults.hostile.siege import Field, Siege
from faults.plan import Plan
from faults.world import World, guarded_world

WORKERS = 2
WIRE_KINDS = {
    batches.NAME: batches.attack,
    inflated.NAME: inflated.attack,
    intruders.NAME: intruders.attack,
    seals.NAME: seals.attack,
}
"""What is no record of `commands`, or only a broker can be asked, which refuses most of it itself."""


FUZZ = "tests.hostile.fuzz"
ROOT = Path(__file__).resolve().parents[2]


def build(plan: Plan) -> AbstractContextManager[World]:
    """A broker with the access control that `contractnet up` makes."""
    return guarded_world(plan.data, plan.say)


def run(arena: Arena) -> None:
    """Each kind in turn, and then what no market hears of. No process of the market dies of any. Then the fuzzer."""
    attempts = arena.plan.pick(25, 500)
    arena.start_market(WORKERS)
    field = Field(arena.world)
    sieges = [Siege(arena, kind, field) for kind in (*NAMES, *WIRE_KINDS)]
    for siege in sieges:
        siege.begin()
    for siege in sieges:
        siege.wait()
        if siege.kind == CrossTopic.name:
            siege.learn()
    for n, siege in enumerate(sieges):
        if siege.kind in WIRE_KINDS:
            WIRE_KINDS[siege.kind](siege, attempts)
        else:
            siege.attack(attempts)
        arena.demand_alive(siege.kind)
        arena.plan.progress(n + 1, len(sieges), "kinds have attacked")
    verdicts = [_told(arena, siege.verdict()) for siege in sieges]
    counts = {name: sum(int(getattr(v, name)) for v in verdicts) for name in ("attempts", "accepted", "honest_lost")}
    told = " ".join(f"{name}={count}" for name, count in counts.items())
    _fuzz(arena)
    arena.plan.say(f"hostile: kinds={len(verdicts)} {told} least_per_kind={min(v.attempts for v in verdicts)}")


def _fuzz(arena: Arena) -> None:
    """Bytes for everything that reads bytes: it needs no market, and is a program of its own beside the tests."""
    inputs = arena.plan.pick(20_000, 1_000_000)
    command = [sys.executable, "-m", FUZZ, "--inputs", str(inputs), "--seed", str(arena.plan.seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    told = done.stdout.splitlines()[-2:]
    for line in told:
        arena.plan.say(f"  {line}")
    arena.tally.notes["fuzz_inputs"] += inputs
    if done.returncode:
        arena.tally.problems.append(f"{FUZZ} ended with code {done.returncode}: {told} {done.stderr[-500:]}")


def _told(arena: Arena, verdict: Verdict) -> Verdict:
    arena.plan.say(f"  {verdict.line()}")
    arena.tally.attempts[verdict.kind] += verdict.attempts
    if not verdict.sound:
        arena.tally.problems.append(f"{verdict.line()} | {verdict.wrong}")
    return verdict
