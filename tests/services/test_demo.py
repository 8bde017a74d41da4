"""The demo, short and small: all of its checks, and what it leaves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import contractnet, done, refused

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_the_demo_passes_its_own_checks(tmp_path: Path) -> None:
    """`demo` exits with 0, all checks ok, shows progress without a terminal, and leaves a ledger that answers."""
    data = tmp_path / "data"
    told = done(data, "demo", "--duration", "4", "--agents", "12")
    assert "FAILED" not in told
    assert told.count("ok    ") == 12
    assert "awards/s" in told
    assert " 0 conflicts in " in told
    assert re.search(r"demo-robotics spent [0-9.]+ of 48 credits \((not )?warned\)", told)
    assert re.search(r" of [1-9][0-9,]* groups won, with ", told)
    assert re.search(r"by the clock \d+ of \d+, by Zeuthen \d+ of \d+, alternating \d+ of \d+", told)
    assert re.search(r"of \d+ claims \d+ were answered and \d+ won", told)
    assert re.search(r", \d+ of \d+ times 429\)", told)
    found = contractnet("--data", data, "query", "--csv", "SELECT count(*) > 0 AS some FROM attribution")
    assert found.stdout == "some\nTrue\n"
    assert contractnet("--data", data, "status").returncode == 1, "nothing runs any more"
    told = done(data, "award", done(data, "query", "--csv", "SELECT min(award_id) FROM awards").split()[1])
    assert "won and pays" in told or "won and is promised" in told
    assert "Signatures and chain are in the topics, which were not read" in told


def test_a_swarm_on_a_market_whose_operator_has_set_all_guards(tmp_path: Path) -> None:
    """What is bargained for is called for, managers that sell deposit, and an offer costs a fee: leases go to the party
    that bargained or to whoever bids more, fees are paid, and all checks are ok. Where deposits are more than managers
    have, their refused calls are counted and the run goes on; an issue limit below what a run needs is named."""
    data = tmp_path / "data"

    done(data, "up", "--detach")
    try:
        done(data, "policy", "resale", "1s")
        done(data, "policy", "deposit", "1%", "--floor", "2")
        done(data, "policy", "set", "--fee", "0.01")
        told = done(data, "simulate", "--duration", "25", "--processes", "2")
        assert told.count("ok    ") == 12
        assert "INSUFFICIENT_CREDIT" not in told, "managers have credits for their deposits"
        grouped = "SELECT count(DISTINCT group_id) > 0 AS some FROM bids WHERE status = 'won' AND wins_max = 1"
        assert done(data, "query", "--csv", grouped) == "some\nTrue\n"
        bound = "SELECT count(*) FILTER (scope = 'account') || ' ' || count(*) FILTER (scope = 'project') AS n"
        assert done(data, "query", "--csv", f"{bound} FROM budget_status WHERE most_ucr > 0") == "n\n16 1\n"
        found = done(data, "query", "--csv", "SELECT count(*) > 0 AS some FROM resales WHERE status = 'awarded'")
        assert found == "some\nTrue\n"
        paid = "SELECT count(*) > 0 AS some FROM attribution WHERE reason = 'FEE'"
        assert done(data, "query", "--csv", paid) == "some\nTrue\n"
        (ident,) = done(data, "query", "--csv", "SELECT min(award_id) FROM awards").split()[1:]
        page = tmp_path / "award.html"
        done(data, "award", ident, "--html", str(page))
        assert page.stat().st_mode & 0o777 == 0o600
        assert page.read_text().count("<td>holds</td>") >= 2
        assert "DOES NOT HOLD" not in page.read_text()
        done(data, "policy", "deposit", "100000%", "--floor", "600000")
        told = done(data, "simulate", "--duration", "8", "--agents", "16", "--processes", "2")
        assert told.count("ok    ") == 12
        assert "INSUFFICIENT_CREDIT" in told
        done(data, "policy", "set", "--issue-limit", "7999")
        assert "The run needs 8000 credits for its 23 accounts" in refused(data, "simulate", "--agents", "16")
    finally:
        contractnet("--data", data, "down")
