"""Plant each bug in a copy of the tree, run the tests that must notice, and list what lives.

`python -m tests.mutants.campaign planted` or `generated --count 120`. Exit code 1 where a mutant lives without a
reason, or where the tests fail without any mutant.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue

from tests.mutants.equivalent import EQUIVALENT
from tests.mutants.generate import Generated, sample
from tests.mutants.mutant import SEEDS, Mutant
from tests.mutants.planted import PLANTED

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "contractnet",
    "market",
    "streams",
    "projections",
    "analytics",
    "broker",
    "benchmarks",
    "faults",
    "schemas",
    "tests",
)
TIMEOUT_S = 600.0
SEEDS_PER_MUTANT = 200
SLOW = {"golden", "model", "floor"}
RULES = " ".join(
    path.relative_to(ROOT).as_posix()
    for path in sorted((ROOT / "tests" / "market").rglob("test_*.py"))
    if path.stem.removeprefix("test_") not in SLOW
)
GENERATED_KILLERS = ("golden directed", RULES, "seeds:60")
"""Quickest first; nearly all die of the first."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant. `by` is the test that noticed, empty where none did."""

    name: str
    by: str
    duration_s: float
    excuse: str = ""


def copy_tree(to: Path) -> Path:
    """A copy of what the tests need, with bytecode."""
    for folder in FOLDERS:
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to)
    # The copies keep the files' times, so that this bytecode never fits a file that is changed later.
    compileall.compile_dir(to, quiet=2)
    return to


def run(tree: Path, killer: str) -> str:
    """What noticed, or nothing: the name of the failed check of quick.py, or of pytest's first failure."""
    is_quick = not killer.startswith("tests/")
    names = [SEEDS + f":{SEEDS_PER_MUTANT}" if n == SEEDS else n for n in killer.split()]
    pytest = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *killer.split())
    command = [sys.executable, *(("-m", "tests.mutants.quick", *names) if is_quick else pytest)]
    # No bytecode of mutants: two of one file may have the same size and second.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, check=False, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"{killer}: no end within {TIMEOUT_S:.0f} s"
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stdout.splitlines() if line.strip()] or done.stderr.splitlines() or [killer]
    failed = [line for line in lines if line.startswith("FAILED")]
    return (failed or lines)[-1][:150]


def try_nothing(tree: Path, killer: str) -> Verdict:
    """Run tests on the tree as it is."""
    started = time.monotonic()
    by = run(tree, killer)
    return Verdict(f"no mutant, {killer}", by, time.monotonic() - started, "as it should")


def try_planted(tree: Path, mutant: Mutant) -> Verdict:
    """Plant, test, take back."""
    path = tree / mutant.file
    source = path.read_text("utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.name}: the text to change is not there exactly once"
    return _tried(path, source.replace(mutant.old, mutant.new), mutant.name, mutant.killers, mutant.survives)


def try_generated(tree: Path, mutant: Generated) -> Verdict:
    """Plant, test, take back."""
    return _tried(tree / mutant.file, mutant.text, mutant.name, GENERATED_KILLERS, EQUIVALENT.get(mutant.key, ""))


def _tried(path: Path, text: str, name: str, killers: Sequence[str], excuse: str) -> Verdict:
    tree = next(p for p in path.parents if (p / "pyproject.toml").exists())
    source = path.read_text("utf-8")
    started = time.monotonic()
    path.write_text(text, "utf-8")
    try:
        for killer in killers:
            by = run(tree, killer)
            if by:
                return Verdict(name, by, time.monotonic() - started)
    finally:
        path.write_text(source, "utf-8")
    return Verdict(name, "", time.monotonic() - started, excuse)


def in_copies(jobs: Sequence[Callable[[Path], Verdict]], processes: int) -> list[Verdict]:
    """Run the jobs, each alone in a copy of the tree, and print every verdict as it comes."""
    with tempfile.TemporaryDirectory(prefix="contractnet-mutants-") as scratch:
        trees: Queue[Path] = Queue()
        for number in range(processes):
            trees.put(copy_tree(Path(scratch, f"tree-{number}")))

        def work(job: Callable[[Path], Verdict]) -> Verdict:
            tree = trees.get()
            try:
                verdict = job(tree)
            finally:
                trees.put(tree)
            print(f"{'killed' if verdict.by else 'LIVES '} {verdict.duration_s:6.1f} s  {verdict.name}", flush=True)
            print(f"       {verdict.by or verdict.excuse or 'and nobody knows why'}", flush=True)
            return verdict

        with ThreadPoolExecutor(processes) as pool:
            return list(pool.map(work, jobs))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("planted", "generated"))
    parser.add_argument("--count", type=int, default=120, help="how many generated mutants")
    parser.add_argument("--only", default="", help="only those with this in their name")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    jobs: list[Callable[[Path], Verdict]] = []
    if options.kind == "planted":
        jobs = [partial(try_planted, mutant=m) for m in PLANTED if options.only in m.name]
        killers = sorted({k for m in PLANTED if options.only in m.name for k in m.killers})
    else:
        jobs = [partial(try_generated, mutant=m) for m in sample(ROOT, options.count) if options.only in m.name]
        killers = list(GENERATED_KILLERS)
    # First without any mutant: a test that fails anyway kills nothing.
    sound = [partial(try_nothing, killer=k) for k in killers]
    broken = [v for v in in_copies(sound, options.processes) if v.by]
    if broken:
        print(f"mutants: the tests fail without a mutant: {broken}")
        return 1
    verdicts = in_copies(jobs, options.processes)
    alive = [v for v in verdicts if not v.by]
    unexplained = [v for v in alive if not v.excuse]
    for verdict in alive:
        print(f"survivor: {verdict.name}: {verdict.excuse or 'NO REASON KNOWN'}")
    killed = len(verdicts) - len(alive)
    print(
        f"mutants: {options.kind}={len(verdicts)} killed={killed} equivalent={len(alive) - len(unexplained)} "
        f"unexplained={len(unexplained)}"
    )
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
