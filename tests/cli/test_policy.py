"""The operator's policy by the command line: what a wrong line says, and its life in a market that runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from analytics.policy import lines
from contractnet.cli.commands import app
from contractnet.cli.durations import duration_text
from contractnet.cli.policy import DEPOSIT_PERCENT_MAX
from contractnet.cli.quantities import permille_of
from contractnet.errors import ContractnetError
from market.limits import DEPOSIT_HOURLY_PERMILLE_MAX
from tests.cli.command import done, refused, shown
from tests.market.cases_deposits import RATE


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["set"], "Name what shall hold: --issue-limit, --window, --fee"),
        (["set", "--issue-limit", "lots"], "--issue-limit 'lots' is no amount"),
        (["set", "--window", "1y"], "--window '1y' is no duration"),
        (["set", "--fee", "-1"], "--fee '-1' is no amount"),
        (["set", "--fee", "1"], "no operator's credential"),
        (["deposit", "much"], "RATE 'much'"),
        (["deposit", "1%"], "no operator's credential"),
        (["deposit", "100000%"], "no operator's credential"),
        (["deposit", "100000.1%"], "RATE '100000.1%' is no part: write 80% or 12.5%, at most 100000%"),
        (["deposit", "1%", "--floor", "much"], "--floor 'much' is no amount"),
        (["deposit", "1%", "--floor", "-1"], "--floor '-1' is no amount"),
        (["deposit", "1%", "--floor", "2"], "no operator's credential"),
        (["resale", "5"], "CALL '5' is no duration"),
        (["resale", "5s"], "no operator's credential"),
        (["show"], "contractnet up"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Before any broker is asked."""
    with pytest.raises(ContractnetError) as raised:
        app(["--data", str(tmp_path), "policy", *arguments], standalone_mode=False)
    assert says in str(raised.value)


def test_a_deposit_may_be_what_the_rules_allow() -> None:
    """The last rate that the command takes is that of the rules, so that each rate of a test can be set."""
    assert permille_of("100000%", "RATE", DEPOSIT_PERCENT_MAX) == DEPOSIT_HOURLY_PERMILLE_MAX
    assert permille_of("10000%", "RATE", DEPOSIT_PERCENT_MAX) == RATE


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [(0, "0s"), (1_500, "1.5s"), (90_000, "90s"), (5_400_000, "90m"), (86_400_000, "1d"), (90_000_000, "25h")],
)
def test_a_duration_in_words(duration_ms: int, text: str) -> None:
    """The largest unit that leaves a whole number."""
    assert duration_text(duration_ms) == text


@pytest.mark.broker
@pytest.mark.slow
def test_the_life_of_a_policy(market: Path) -> None:
    """Set, shown, met by the bank, changed in part, and ended."""
    show = partial(lines, market, "default")
    as_opened = "resale   a lease that is bargained for is open to others for 5s"
    text = shown(
        show, "no limit: 10 issued, 0 in allowances, until ", "fee      0 credits", "nobody has set a policy", as_opened
    )
    assert text.splitlines()[:4] == done(market, "policy", "show").splitlines()[:4]
    told = done(market, "policy", "set", "--issue-limit", "1000", "--window", "366d", "--fee", "0.01")
    assert "at most 1000 credits in 366d, counted from now; an offer costs 0.01 credits" in told
    done(market, "enroll", "pat", "--project", "p", "--credits", "400")
    told = refused(market, "enroll", "quinn", "--project", "p", "--credits", "600.000001")
    assert "ISSUE_EXCEEDED" in told
    assert "contractnet policy show" in told
    assert str(market / "agents" / "quinn.json") in told
    assert "whole limit again" not in told, "there was none"
    shown(show, "at most 1000 credits in 366d: 400 issued, 0 in allowances, 600 left", "fee      0.01 credits")
    told = done(market, "policy", "set", "--fee", "0.02")
    assert "the bank has the whole limit again: what it issued before does not count any more" in told
    shown(show, "at most 1000 credits in 366d: 0 issued, 0 in allowances, 1000 left", "fee      0.02 credits")
    # Right after each other: what stays is what the last one set, though its publication takes a moment.
    told = done(market, "policy", "set", "--issue-limit", "none")
    assert "without a limit; an offer costs 0.02 credits" in told
    assert "whole limit again" not in told
    assert "at most 1000 credits in 366d, counted" in done(market, "policy", "set", "--issue-limit", "1000")
    # The terms of before, and a window of its own.
    shown(show, "at most 1000 credits in 366d: 0 issued, 0 in allowances, 1000 left")
    told = refused(market, "policy", "set", "--window", "30s")
    assert "BAD_DURATION" in told
    assert "1m to 366d" in told
    done(market, "policy", "set", "--issue-limit", "none", "--window", "1d", "--fee", "0")
    assert "1.5% of the reserve" in done(market, "policy", "deposit", "1.5%")
    shown(show, "deposit  1.5% of the reserve, for each slot and hour")
    assert "100000% of the reserve" in done(market, "policy", "deposit", "100000%")
    shown(show, "deposit  100000% of the reserve, for each slot and hour")
    told = done(market, "policy", "deposit", "1%", "--floor", "2.5")
    assert "1% of the reserve, or of 2.5 credits a unit and hour of the lease, for each slot and hour" in told
    shown(show, "deposit  1% of the reserve, or of 2.5 credits a unit and hour of the lease, for each slot and hour of")
    assert "at most 1,000,000,000 credits" in refused(market, "policy", "deposit", "1%", "--floor", "1000000001")
    done(market, "policy", "deposit", "0%")
    shown(show, "deposit  0% of the reserve, for each slot and hour")
    assert "is open to others for 5s" in done(market, "policy", "resale", "5s")
    shown(show, "resale   a lease that is bargained for is open to others for 5s")
    assert "1s to 1m" in refused(market, "policy", "resale", "2m")
    assert "moves at once" in done(market, "policy", "resale", "0s")
    shown(show, "resale   a lease that is bargained for moves at once")
    done(market, "policy", "resale", "5s")
