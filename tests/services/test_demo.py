"""The demo, short and small: all of its checks, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import contractnet, done

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_the_demo_passes_its_own_checks(tmp_path: Path) -> None:
    """`demo` exits with 0, all checks ok, shows progress without a terminal, and leaves a ledger that answers."""
    data = tmp_path / "data"
    told = done(data, "demo", "--duration", "4", "--agents", "12")
    assert "FAILED" not in told
    assert told.count("ok    ") == 10
    assert "awards/s" in told
    assert " 0 conflicts in " in told
    found = contractnet("--data", data, "query", "--csv", "SELECT count(*) > 0 AS some FROM attribution")
    assert found.stdout == "some\nTrue\n"
    assert contractnet("--data", data, "status").returncode == 1, "nothing runs any more"


def test_leases_are_called_for_where_the_operator_wants_that(tmp_path: Path) -> None:
    """A swarm on a market whose operator set a call for what is bargained for: leases go to the party that bargained
    or to whoever bids more, and all checks are ok."""
    data = tmp_path / "data"

    done(data, "up", "--detach")
    try:
        done(data, "policy", "resale", "1s")
        told = done(data, "simulate", "--duration", "25", "--processes", "2")
        assert told.count("ok    ") == 10
        found = done(data, "query", "--csv", "SELECT count(*) > 0 AS some FROM resales WHERE status = 'awarded'")
        assert found == "some\nTrue\n"
    finally:
        contractnet("--data", data, "down")
