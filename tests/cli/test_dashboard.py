"""`contractnet dashboard` beside a market that runs."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.cli.command import PATIENCE_S, contractnet, done, start


def told(address: str) -> dict[str, Any]:
    """What the page is told now."""
    with urllib.request.urlopen(f"{address}data", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def test_it_tells_what_happens_and_ends_with_ctrl_c(market: Path) -> None:
    """The published ledger and, within a second or so, the notices of what somebody does; then it ends as it should."""
    process = start("--data", market, "dashboard", "--port", "0")
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:[0-9]+/[-_0-9A-Za-z]{20,}/", line)
        assert found is not None, line
        address, give_up_at = found.group(), time.monotonic() + PATIENCE_S
        while (page := told(address)).get("problem") or page["live"]["problem"]:
            assert time.monotonic() < give_up_at, page
            time.sleep(0.2)
        assert page["market"] == "default"
        assert {row["name"] for row in page["balances"]} >= {"ann", "team"}
        done(market, "credits", "issue", "ann", "1")
        done(market, "credits", "transfer", "ann", "team", "1")
        while told(address)["live"]["receipts_per_s"] == 0:
            assert time.monotonic() < give_up_at, "no receipt was read"
            time.sleep(0.2)
        port = address.split(":")[2].split("/")[0]
        taken = contractnet("--data", market, "dashboard", "--port", port)
        assert taken.returncode == 1
        assert "--port" in taken.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert "Traceback" not in process.stdout.read()
    finally:
        process.kill()
        process.wait()


def test_without_a_market_it_says_what_to_do(tmp_path: Path) -> None:
    """There is no data directory to show."""
    ended = contractnet("--data", tmp_path / "none", "dashboard")
    assert ended.returncode == 1
    assert "contractnet up" in ended.stderr
