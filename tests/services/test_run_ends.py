"""A run of the swarm whose market ends under it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from contractnet.cli.directory import DataDirectory
from services import state
from services.demo.run import MarketGoneError, _look_at
from services.part import CHECKOUT

FAILS = "from services.demo.plan import on_parent_end; on_parent_end(lambda: None); raise SystemExit(3)"
WAITS = "import threading; from services.demo.plan import on_parent_end; e = threading.Event(); on_parent_end(e.set)"


def python(program: str) -> subprocess.Popen[bytes]:
    """The program, running, its standard input open."""
    return subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT, stdin=subprocess.PIPE)


def test_a_process_ends_with_its_own_exit_code_while_its_parent_lives() -> None:
    """The thread that waits for the parent's end does not abort the interpreter's shutdown."""
    with python(FAILS) as process:
        assert process.wait(30) == 3


def test_a_process_hears_of_its_parents_end() -> None:
    """Closing its standard input is what tells it."""
    with python(f"{WAITS}; raise SystemExit(0 if e.wait(20) else 1)") as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def test_the_end_of_the_market_is_noticed(tmp_path: Path) -> None:
    """As long as the `up` that a run began with has its lock all is well; after that the run is told."""
    directory = DataDirectory(tmp_path)
    directory.prepare()
    lock = state.UpLock(directory)
    pid = state.running_pid(directory)
    assert pid is not None
    _look_at(directory, pid)
    lock.release()
    with pytest.raises(MarketGoneError, match=f"pid {pid}, is gone"):
        _look_at(directory, pid)
