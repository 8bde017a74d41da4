"""Budgets by the command line: what a wrong line says, and the life of some in a market that runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from contractnet.cli.durations import CALL_S_MAX, call_seconds_of, seconds_of
from contractnet.errors import SettingsError
from market.limits import RESALE_CALL_MS_MAX
from tests.cli.command import contractnet

PATIENCE_S = 60.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["set"], "either an account or a project"),
        (["set", "ann", "--project", "vision"], "either an account or a project"),
        (["set", "--project", "nul\x07"], "can't be used"),
        (["set", "--project", "vision", "--limit", "1e3"], "--limit '1e3' is no amount"),
        (["set", "--project", "vision", "--window", "1y"], "--window '1y' is no duration"),
        (["set", "--project", "vision", "--decay", "101%"], "--decay '101%' is no part"),
        (["set", "--project", "vision", "--warn", "most"], "--warn 'most' is no part"),
        (["top-up", "--project", "vision", "--credits", "-1"], "--credits '-1' is no amount"),
        (["clear", "nobody"], "neither an account enrolled here"),
        (["show"], "contractnet up"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Before any broker is asked."""
    done = contractnet("--data", tmp_path, "budget", *arguments)
    assert done.returncode == 1, done.stdout
    assert says in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5_400), ("12h", 43_200), ("0s", 0), ("2w", 1_209_600)])
def test_a_duration(text: str, seconds: int) -> None:
    """A number and a unit."""
    assert seconds_of(text, "--window") == seconds


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "100000h", "01h", "1H", "1h "])
def test_no_duration(text: str) -> None:
    """Anything else."""
    with pytest.raises(SettingsError, match="--window"):
        seconds_of(text, "--window")


def test_a_call_for_a_resale_is_as_long_as_the_rules_allow() -> None:
    """A minute and no more; none is allowed too."""
    assert CALL_S_MAX * 1000 == RESALE_CALL_MS_MAX
    assert [call_seconds_of(text, "--resale-call") for text in ("0s", "1m")] == [0, 60]
    with pytest.raises(SettingsError, match="--resale-call 61s is too long"):
        call_seconds_of("61s", "--resale-call")


@pytest.mark.broker
@pytest.mark.slow
def test_the_life_of_budgets(tmp_path: Path) -> None:
    """Set, topped up, shown, and cleared, on a market that runs."""
    data = tmp_path / "data"

    def done(*arguments: str) -> str:
        ended = contractnet("--data", data, *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def shown(*wanted: str, by: str = "budget") -> None:
        give_up_at = time.monotonic() + PATIENCE_S
        while not all(line in (text := contractnet("--data", data, by, "show").stdout) for line in wanted):
            assert time.monotonic() < give_up_at, text

    told = done("up", "--detach", "--workers", "1", "--resale-call", "0s")
    try:
        assert "the call of resales (policy resale)" in told
        shown("a lease that is bargained for moves at once", by="policy")
        done("enroll", "ann", "--project", "vision", "--credits", "10")
        assert "100 credits in 1d" in done("budget", "set", "ann", "--limit", "100", "--warn", "12.5%")
        done("budget", "set", "--project", "vision", "--limit", "2.5", "--window", "1h", "--allowance", "0.5")
        assert "25 credits more" in done("budget", "top-up", "ann", "--credits", "25")
        shown("ann (of vision)  spent 0, held 0 of 125, 125 left", "project vision  spent 0, held 0 of 2.5, 2.5 left")
        refused = contractnet("--data", data, "budget", "top-up", "--project", "speech", "--credits", "1")
        assert refused.returncode == 1
        assert "budget show" in refused.stderr
        done("budget", "clear", "ann")
        done("budget", "clear", "--project", "vision")
        shown("has no budgets")
    finally:
        done("down")
