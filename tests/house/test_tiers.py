"""The tier runner: what it counts, and that a pytest that died is not taken for a passed one."""

from __future__ import annotations

from pathlib import Path

from scripts.tiers import ROOT, TIERS, TierResult, counts_from_report

REPORT = """<?xml version="1.0"?>
<testsuites><testsuite tests="10" failures="2" errors="1" skipped="3"/></testsuites>
"""


def test_counts_come_from_the_report(tmp_path: Path) -> None:
    """Errors count as failures; what neither failed nor was skipped has passed."""
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")
    assert counts_from_report(report) == (4, 3, 3)


def test_no_report_counts_nothing(tmp_path: Path) -> None:
    """A pytest killed before it wrote its report adds no tests."""
    assert counts_from_report(tmp_path / "missing.xml") == (0, 0, 0)


def test_a_killed_tier_is_printed_as_failed() -> None:
    """A tier whose pytest was killed (exit -9) reads FAILED, whatever it counted."""
    assert "FAILED (pytest exit -9)" in TierResult("unit", -9, 5, 0, 0, 1.0).line()


def test_what_runs_alone_is_there_and_in_no_other_tier() -> None:
    """A file that is named and was moved would run beside others, and measure them."""
    for path in TIERS["alone"]:
        assert (ROOT / "tests" / path).is_file()
        assert path.split("/")[0] in TIERS["integration"], "it is left out of there"
