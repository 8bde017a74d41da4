"""Commands that are printed for the user to copy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contractnet.cli.program import program


def test_the_name_is_enough_where_the_shell_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else it is the path by which the program was called, quoted for a shell."""
    monkeypatch.setattr(sys, "argv", ["my venv/bin/contractnet", "up"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == "'my venv/bin/contractnet'"
    (tmp_path / "contractnet").write_text("#!/bin/sh\n")
    (tmp_path / "contractnet").chmod(0o755)
    assert program() == "contractnet"


def test_a_program_that_has_no_path_is_the_installed_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`up --detach` runs its child with -c; what that prints has to work as well."""
    monkeypatch.setattr(sys, "argv", ["-c"])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert program() == "contractnet"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "contractnet").write_text("")
    assert program() == str(tmp_path / "bin" / "contractnet")
