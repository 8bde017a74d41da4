"""`make audit`: what it says of packages that are weak, sound, or could not be looked up."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from scripts.advisories import known, locked
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


RECORD = {
    "id": "PYSEC-7",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Some_Package"},
            "ranges": [
                {"type": "GIT", "events": [{"introduced": "abc"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.3"}, {"introduced": "3.0"}]},
            ],
            "versions": ["2.3.post1"],
        },
        {"package": {"ecosystem": "npm", "name": "other"}, "versions": ["1"]},
    ],
}


@pytest.mark.parametrize(
    ("version", "weak"), [("2.2.9", True), ("2.3", False), ("2.10", False), ("2.3.post1", True), ("3.0", True)]
)
def test_a_file_of_advisories_is_as_good_as_a_database(tmp_path: Path, version: str, weak: bool) -> None:
    """Versions are compared as versions, names as PyPI does; whatever else is in the file does not matter."""
    archive = tmp_path / "all.zip"
    withdrawn = RECORD | {"id": "PYSEC-8", "withdrawn": "2026-01-01T00:00:00Z"}
    with zipfile.ZipFile(archive, "w") as file:
        for record in (RECORD, withdrawn):
            file.writestr(f"{record['id']}.json", json.dumps(record))
    lock = tmp_path / "x.lock"
    lock.write_text(
        f"# by uv\nsome-package=={version} ; python_version > '3' \\\n    --hash=sha256:0\nother==1 \\\n    --hash=1\n"
    )
    found = known(locked(lock), archive)
    assert [(package["name"], package["version"]) for package in found] == [("some-package", version), ("other", "1")]
    assert found[0]["vulns"] == ([{"id": "PYSEC-7", "fix_versions": ["2.3"]}] if weak else [])
    assert found[1]["vulns"] == [], "the npm package of that name is another one"


def test_a_file_without_advisories_is_no_good_news(tmp_path: Path) -> None:
    """A wrong file must not look like a clean result."""
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match="no advisory for PyPI"):
        known([("a", "1")], tmp_path)


def test_the_locks_are_read_whole() -> None:
    """Every package of the runtime's lock is looked up."""
    pairs = dict(locked(Path("requirements.lock")))
    assert pairs["faust-streaming"] == "0.15.3"
    assert len(pairs) == sum("==" in line for line in Path("requirements.lock").read_text().splitlines())
