"""The demo, short and small: all of its checks, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import contractnet

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_the_demo_passes_its_own_checks(tmp_path: Path) -> None:
    """`demo` exits with 0, all checks ok, shows progress without a terminal, and leaves a ledger that answers."""
    data = tmp_path / "data"
    done = contractnet("--data", data, "demo", "--duration", "4", "--agents", "12")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert done.stdout.count("ok    ") == 10
    assert "awards/s" in done.stdout
    assert " 0 conflicts in " in done.stdout
    found = contractnet("--data", data, "query", "--csv", "SELECT count(*) > 0 AS some FROM attribution")
    assert found.stdout == "some\nTrue\n"
    assert contractnet("--data", data, "status").returncode == 1, "nothing runs any more"
