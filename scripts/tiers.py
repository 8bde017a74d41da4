"""Run the tests tier by tier, cheapest first, and print the time of each tier.

Every tier runs, also after a failed one, so that one run shows everything. Exit code 0 only when all of them passed
and at least one test ran. `make test` calls this; `tests/house` checks that each test folder belongs to a tier.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent

TIERS: dict[str, tuple[str, ...]] = {
    # Pure code: no broker, no file of a running market.
    "unit": (
        "contractnet",
        "strategies",
        "market",
        "schemas",
        "house",
        "simulation",
        "mutants",
        "hostile",
        "benchmarks",
    ),
    # One part against the real thing beside it: a broker, a DuckDB file, a Faust worker.
    "contract": ("broker", "client", "streams", "projections", "analytics", "examples", "cli"),
    # A whole market, and what happens to it when processes are killed. The longest file comes first.
    "integration": ("faults", "integration", "services"),
    # Of those, what measures and wants the machine to itself.
    "alone": (
        "integration/test_crashes.py",
        "services/test_flood.py",
        "services/test_leaks.py",
        "services/test_quotas.py",
    ),
}


# Two files at a time take half as long: pure code computes on both cores, and what has a broker mostly waits for it.
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")


@dataclass(frozen=True)
class TierResult:
    """Outcome of one tier. Counts are tests; `exit_code` is pytest's (0 passed)."""

    name: str
    exit_code: int
    passed: int
    failed: int
    skipped: int
    duration_s: float

    def line(self) -> str:
        """Return the tier's line of the closing table."""
        verdict = "passed" if self.exit_code == 0 else f"FAILED (pytest exit {self.exit_code})"
        counts = f"{self.passed:5} passed {self.failed:3} failed {self.skipped:3} skipped"
        return f"{self.name:12} {self.duration_s:7.1f} s  {counts}  {verdict}"


def paths_with_tests(names: tuple[str, ...]) -> list[str]:
    """Return the paths under tests/ of those named files, and of those folders that hold a test file."""
    paths = [ROOT / "tests" / name for name in names]
    return [f"tests/{p.relative_to(ROOT / 'tests')}" for p in paths if p.is_file() or any(p.rglob("test_*.py"))]


def counts_from_report(report: Path) -> tuple[int, int, int]:
    """Return (passed, failed, skipped) from a JUnit file; all zero when pytest died before it wrote one."""
    if not report.exists():
        return 0, 0, 0
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in suites:
        for key in totals:
            totals[key] += int(suite.get(key, "0"))
    failed = totals["failures"] + totals["errors"]
    return totals["tests"] - failed - totals["skipped"], failed, totals["skipped"]


def run_tier(name: str, paths: list[str], report: Path) -> TierResult:
    """Run pytest over `paths`, its output going straight to ours."""
    print(f"\n=== {name}: {' '.join(paths)} ===", flush=True)
    alone = [f"tests/{path}" for path in TIERS["alone"]]
    how = [] if name == "alone" else [*SIDE_BY_SIDE, *(f"--ignore={path}" for path in alone)]
    command = [sys.executable, "-m", "pytest", "--durations=5", f"--junitxml={report}", *how, *paths]
    started = time.monotonic()
    exit_code = subprocess.run(command, cwd=ROOT, check=False).returncode
    passed, failed, skipped = counts_from_report(report)
    return TierResult(name, exit_code, passed, failed, skipped, time.monotonic() - started)


def main() -> int:
    """Run all tiers, print the table, and return the process's exit code."""
    results: list[TierResult] = []
    with tempfile.TemporaryDirectory(prefix="contractnet-tests-") as scratch:
        for name, members in TIERS.items():
            paths = paths_with_tests(members)
            if paths:
                results.append(run_tier(name, paths, Path(scratch, f"{name}.xml")))
            else:
                print(f"\n=== {name}: no test files under tests/ for {', '.join(members)} ===", flush=True)
    print("\n=== time per tier ===")
    for result in results:
        print(result.line())
    passed, failed, skipped = (sum(getattr(r, field) for r in results) for field in ("passed", "failed", "skipped"))
    print(f"{'total':12} {sum(r.duration_s for r in results):7.1f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    if passed + failed == 0:
        print("make test: no test ran, which is a failure", file=sys.stderr)
        return 1
    return max(abs(r.exit_code) for r in results)


if __name__ == "__main__":
    sys.exit(main())
