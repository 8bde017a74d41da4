"""Commands that are printed for the user to copy."""

from __future__ import annotations

import signal
import subprocess
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


ENDLESS = """
import signal, sys, time
import contractnet.cli
sys.unraisablehook = contractnet.cli.interrupt_again

class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        sum(range(10))

held = Finalized()
del held
print("ready", flush=True)
time.sleep(30)
"""


def test_a_ctrl_c_that_comes_in_a_finalizer_ends_the_program() -> None:
    """Python prints such an interrupt and goes on; here it comes again where it can be raised."""
    ended = subprocess.run([sys.executable, "-c", ENDLESS], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in ended.stderr


SWALLOWED = """
import contractnet.cli
from contractnet.cli import commands

def app():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        raise SystemError("returned a result with an exception set") from error

commands.app = app
contractnet.cli.main()
"""


def test_a_ctrl_c_that_c_code_answers_with_another_error_is_one() -> None:
    """Cython's decoders ask Python for a type on the way, and an interrupt there comes out as a SystemError."""
    ended = subprocess.run([sys.executable, "-c", SWALLOWED], capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stderr) == (130, "Aborted!\n")
