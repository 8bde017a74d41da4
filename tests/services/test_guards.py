"""The line about guards that are off, and how `up` passes on what it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from contractnet.cli.commands import app
from contractnet.cli.directory import DataDirectory
from contractnet.cli.durations import call_seconds_of
from contractnet.errors import ContractnetError, SettingsError
from market.limits import RESALE_CALL_MS_MAX
from services.guards import RESALE_CALL_S, off_at_first, off_line
from services.supervisor import UpOptions


def test_the_line_names_each_guard_that_is_off() -> None:
    """With its command; none where all are on."""
    line = off_line(off_at_first(RESALE_CALL_S), "contractnet --data here")
    for command in ("policy set --issue-limit", "policy set --fee", "policy deposit"):
        assert f"({command})" in line
    assert "`contractnet --data here policy --help`" in line
    assert "resale" not in line
    assert "(policy resale)" in off_line(off_at_first(0), "contractnet")
    assert off_line([], "contractnet") == ""


@pytest.mark.parametrize(
    ("call_s", "words"), [(None, []), (0, ["--resale-call", "0s"]), (60, ["--resale-call", "60s"])]
)
def test_a_market_in_the_background_is_asked_for_the_same(call_s: int | None, words: list[str]) -> None:
    """`up --detach` repeats its command line; without a word nothing is said."""
    arguments = UpOptions(DataDirectory(Path("data")), resale_call_s=call_s).arguments()
    assert arguments[arguments.index("--resale-call") :][:2] == words if words else "--resale-call" not in arguments


def test_a_call_is_as_long_as_the_rules_allow() -> None:
    """Up to a minute; more is refused before anything is started."""
    assert call_seconds_of("1m", "CALL") * 1000 == RESALE_CALL_MS_MAX
    assert call_seconds_of("0s", "CALL") == 0
    with pytest.raises(SettingsError, match="CALL 61s is too long: a call takes 1s to 1m; 0s: none"):
        call_seconds_of("61s", "CALL")
    with pytest.raises(ContractnetError, match="--resale-call '5' is no duration"):
        app(["--data", "/nonexistent/data", "up", "--resale-call", "5"], standalone_mode=False)
