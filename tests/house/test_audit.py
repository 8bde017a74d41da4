"""`make audit`: what it says of packages that are weak, sound, or could not be looked up."""

from __future__ import annotations

from scripts.audit import audit, verdict

SOUND = {"name": "a", "version": "1", "vulns": []}
WEAK = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}, {"id": "PYSEC-2"}]}
UNKNOWN = {"name": "c", "skip_reason": "not found"}


def test_known_vulnerabilities_are_listed_and_counted() -> None:
    """With the version that repairs each; what was not looked up is named beside it."""
    lines, known = verdict("x.lock", [SOUND, WEAK, UNKNOWN], "")
    assert known == 2
    assert lines[0] == "audit: x.lock: 2 of 3 packages checked, 2 known vulnerabilities"
    assert "  b 2: PYSEC-1, fixed in 3" in lines
    assert "  not checked: c" in lines


def test_a_database_that_knows_nothing_is_no_good_news() -> None:
    """pip-audit says that nothing is known of packages that it could not find: that is no answer, and no failure."""
    for found, why in (([UNKNOWN] * 3, ""), ([], "connection refused")):
        lines, known = verdict("x.lock", found, why)
        assert known == 0
        assert "NOT CHECKED" in lines[0]


def test_an_auditor_that_cannot_run_says_why() -> None:
    """Its last line of errors, or its exit code."""
    assert audit("false", "x.lock") == ([], "exit code 1")
