"""The Makefile's promises that a person meets first."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the finished `make` of this checkout with `arguments`."""
    return subprocess.run(["make", *arguments], cwd=ROOT, check=False, capture_output=True, text=True)


def test_make_alone_lists_the_targets() -> None:
    """Without a target, make prints what there is and changes nothing."""
    listing = make().stdout
    for target in ("setup", "demo", "test", "lint", "audit", "clean"):
        assert f"make {target} " in listing


def test_setup_names_the_missing_python(tmp_path: Path) -> None:
    """Without a Python 3.11 or newer, setup says so, says how to name one, and creates nothing."""
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done = make("setup", f"PYTHON={old}", f"VENV={tmp_path}/venv")
    assert done.returncode != 0
    assert "no Python 3.11 or newer" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / "venv").exists()
