"""What the tree may hold: the layout, the length of files, no host names and no paths of one machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.tiers import TIERS

ROOT = Path(__file__).resolve().parents[2]

LAYOUT = (
    "contractnet",
    "contractnet/messages",
    "contractnet/client",
    "contractnet/cli",
    "contractnet/strategies",
    "market",
    "streams",
    "projections",
    "analytics",
    "broker",
    "services",
    "faults",
    "schemas",
    "tests",
    "docs/decisions",
)

LINES_MAX = 400

# Put together here, so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("maven", "google", "com"),
        ("repo", "maven"),
        ("central", "sonatype", "com"),
        ("registry", "npmjs", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
    )
)

MACHINE_PATHS = re.compile("|".join((r"/ho" r"me/\w", r"/Us" r"ers/\w", r"/ro" r"ot/", r"/wo" r"rk/(?:main|shared)")))


def files_of_the_tree() -> list[Path]:
    """Return the files that git tracks or would track: a rule holds before the commit, too."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        # Reason: the rules are about what is committed, and an unpacked archive or an image has no index to ask.
        pytest.skip("no git checkout here: which files belong to the tree is unknown")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    # A file deleted but not yet committed is still listed.
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    """Return `path:line` of each text line in the tree in which `pattern` is found."""
    found: list[str] = []
    for path in files_of_the_tree():
        # Latin-1 reads any bytes, so that binary files are searched as well.
        for number, line in enumerate(path.read_text(encoding="latin-1").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}")
    return found


@pytest.mark.parametrize("folder", LAYOUT)
def test_the_layout_is_there(folder: str) -> None:
    """Every folder of the layout exists."""
    assert (ROOT / folder).is_dir(), f"{folder}/ is missing"


def test_no_python_file_is_long() -> None:
    """A Python or SQL file has at most 400 lines; a longer one holds more than one concern."""
    lengths = {p: len(p.read_bytes().splitlines()) for p in files_of_the_tree() if p.suffix in {".py", ".sql"}}
    long = [f"{path.relative_to(ROOT)}: {lines}" for path, lines in lengths.items() if lines > LINES_MAX]
    assert not long, f"files over {LINES_MAX} lines: {long}"


def test_no_package_registry_is_named() -> None:
    """No file names the host of a package registry: which mirror serves is the machine's setting."""
    found = lines_that_match(re.compile("|".join(re.escape(host) for host in REGISTRY_HOSTS), re.IGNORECASE))
    assert not found, f"registry hosts are named in: {found}"


def test_no_path_of_one_machine() -> None:
    """No file holds an absolute path into somebody's home or this checkout."""
    found = lines_that_match(MACHINE_PATHS)
    assert not found, f"paths of one machine in: {found}"


def test_every_test_file_belongs_to_a_tier() -> None:
    """`make test` runs every test file: each lies in a folder that one tier names."""
    named = [folder for folders in TIERS.values() for folder in folders]
    assert len(named) == len(set(named)), "a folder belongs to two tiers and would run twice"
    files = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")]
    stray = [str(path) for path in files if path.parts[0] not in named]
    assert not stray, f"scripts/tiers.py names no tier for tests/: {stray}"
