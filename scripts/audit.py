"""Look locked packages up in the database of known vulnerabilities: `make audit`.

ADVISORIES=file looks them up in a file of advisories instead (scripts/advisories.py), where no database can be reached.

Exit code 1 where a vulnerability is known, 3 where a lock could not be looked up at all. Where the database can't be
reached, or knows a package not, that is said, and counts as no answer: pip-audit itself reports "no known
vulnerabilities" for packages that it could not find.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.advisories import known, locked

TIMEOUT_S = 600
NOT_CHECKED = 3
_ERROR_CHARACTERS = 300


def audit(pip_audit: str, lock: str) -> tuple[list[dict[str, Any]], str]:
    """What pip-audit says of each package of a lock, and why it says nothing."""
    with tempfile.TemporaryDirectory(prefix="contractnet-audit-") as folder:
        report = Path(folder, "report.json")
        options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "-f", "json", "-o", str(report)]
        try:
            done = subprocess.run(
                [pip_audit, *options, "-r", lock], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return [], f"no answer within {TIMEOUT_S} s"
        if report.is_file() and report.stat().st_size:
            found: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))["dependencies"]
            return found, ""
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        return [], (lines[-1] if lines else f"exit code {done.returncode}")[:_ERROR_CHARACTERS]


def verdict(lock: str, found: Sequence[dict[str, Any]], why: str) -> tuple[list[str], int]:
    """Lines to print for a lock, and how many vulnerabilities are known."""
    looked_up = [package for package in found if "skip_reason" not in package]
    weak = [package for package in looked_up if package["vulns"]]
    count = sum(len(package["vulns"]) for package in weak)
    if not looked_up:
        reason = why or f"it knows none of the {len(found)} packages"
        return [
            f"audit: {lock}: NOT CHECKED, the vulnerability database can't be reached ({reason}). Fetch the advisories "
            f"elsewhere (PyPI/all.zip of osv.dev), and run: make audit ADVISORIES=all.zip"
        ], 0
    lines = [f"audit: {lock}: {len(looked_up)} of {len(found)} packages checked, {count} known vulnerabilities"]
    for package in weak:
        for each in package["vulns"]:
            fixed = ", ".join(each.get("fix_versions", [])) or "no version yet"
            lines.append(f"  {package['name']} {package['version']}: {each['id']}, fixed in {fixed}")
    skipped = [package["name"] for package in found if "skip_reason" in package]
    if skipped:
        lines.append(f"  not checked: {', '.join(skipped)}")
    return lines, count


def main() -> int:
    """`audit.py PIP_AUDIT LOCK...`"""
    pip_audit, *locks = sys.argv[1:]
    offline = os.environ.get("ADVISORIES")
    vulnerabilities, unchecked = 0, 0
    for lock in locks:
        try:
            answer = (known(locked(Path(lock)), Path(offline)), "") if offline else audit(pip_audit, lock)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            print(f"audit: ADVISORIES={offline} can't be used: {error}", file=sys.stderr)
            return 2
        lines, count = verdict(lock, *answer)
        print("\n".join(lines), flush=True)
        vulnerabilities += count
        unchecked += "NOT CHECKED" in lines[0]
    return 1 if vulnerabilities else NOT_CHECKED if unchecked else 0


if __name__ == "__main__":
    sys.exit(main())
