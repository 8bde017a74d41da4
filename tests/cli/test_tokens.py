"""Token pools by the command line: what a wrong line says, and the life of one in a market that runs."""

from __future__ import annotations

import asyncio
import re
import shutil
from functools import partial
from pathlib import Path

import pytest
import typer.main

from analytics.tokens import lines
from contractnet import Agent, credits
from contractnet.cli.commands import app
from contractnet.cli.durations import seconds_of
from contractnet.cli.quantities import permille_of, rate_of, tokens_of
from contractnet.client import token_pools
from contractnet.errors import ContractnetError, SettingsError
from tests.cli.command import contractnet, done, refused, shown

POOL = "[b]llm/5"
CREATE = ["create", POOL, "--owner", "00" * 16]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*CREATE, "--rate", "2M/s", "--burst", "1"], "--rate '2M/s' is no number of tokens"),
        ([*CREATE, "--rate", "2M", "--burst", "1/min"], "--burst '1/min' is no number of tokens"),
        ([*CREATE, "--rate", "2M", "--burst", "1M", "--reserve", "101%"], "--reserve '101%' is no part"),
        ([*CREATE, "--rate", "2M", "--burst", "1M", "--price", "1e3"], "--price '1e3' is no amount"),
        ([*CREATE, "--rate", "2M", "--burst", "1M"], "no bank credential"),
        (["create", POOL, "--owner", "nobody", "--rate", "2M", "--burst", "1M"], "neither an account enrolled here"),
        (["resize", POOL], "--rate, --burst, --reserve, --interval, --price, --grant"),
        (["resize", POOL, "--interval", "fast"], "--interval 'fast' is no duration"),
        (["priority", "00" * 16, "on"], "no operator's credential"),
        (["show"], "contractnet up"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(tmp_path: Path, arguments: list[str], says: str) -> None:
    """Before any broker is asked."""
    with pytest.raises(ContractnetError) as raised:
        app(["--data", str(tmp_path), "tokens", *arguments], standalone_mode=False)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("0", 0),
        ("500k", 500_000),
        ("500K", 500_000),
        ("2M", 2_000_000),
        ("2.5M", 2_500_000),
        ("0.001k", 1),
        ("1.50k", 1_500),
        ("7.0", 7),
        ("1_000_000", 1_000_000),
        ("1000000000", 10**9),
    ],
)
def test_a_number_of_tokens(text: str, tokens: int) -> None:
    """Digits, in groups or not, and thousands or millions of them; a rate may say per what."""
    assert tokens_of(text, "--burst") == tokens
    assert rate_of(f"{text}/min", "--rate") == rate_of(text, "--rate") == tokens


@pytest.mark.parametrize(
    "text", ["", "k", "-1", "1.5", "1.2345k", "2m", "2 M", "1_00", "1__000", "_1", "1e6", "1,000", "2M/min", "9" * 11]
)
def test_no_number_of_tokens(text: str) -> None:
    """Anything else, and no half tokens."""
    with pytest.raises(SettingsError, match="--burst"):
        tokens_of(text, "--burst")


def test_the_defaults_of_create_are_the_sdk_s() -> None:
    """What the help says of what is not named is what the SDK does."""
    command = typer.main.get_command(app).commands["tokens"].commands["create"]  # type: ignore[attr-defined]
    said = {option.name: option.show_default for option in command.params if isinstance(option.show_default, str)}
    assert permille_of(said["reserve"], "") == token_pools.RESERVE_PERMILLE
    assert seconds_of(said["interval"], "") == token_pools.INTERVAL_S
    assert seconds_of(said["grant"], "") == token_pools.GRANT_S
    assert said["price"] == "0"


async def buy_and_draw(market: Path) -> None:
    """Ann orders and is granted something; oncall draws, and its provider says 429."""
    async with Agent.connect(market / "agents" / "ann.json") as ann:
        await ann.order_tokens(POOL, 40_000, credits("0.02"), task="chat")
        async for grant in ann.grants(POOL):
            assert grant.tokens == 40_000
            break
        async with Agent.connect(market / "agents" / "oncall.json") as oncall:
            await oncall.report_usage(await oncall.draw_tokens(POOL, 10_000, "incident 7"), 7_000, calls=3, throttled=1)


@pytest.mark.broker
@pytest.mark.slow
def test_the_life_of_a_token_pool(market: Path) -> None:
    """Created, changed in part, sold and drawn from, slowed down, shown, and brought back to its rate."""
    show = partial(lines, market, "default")
    create = ["tokens", "create", POOL, "--owner", "team", "--rate", "6M/min", "--burst", "500k"]
    told = done(market, *create, "--interval", "2s", "--price", "0.001", "--grant", "20s")
    assert f"token pool {POOL}: 6,000,000 tokens a minute, burst 500,000, owner team" in told
    # At once: what stays is known, though its publication takes a moment.
    terms = (
        "20% of the burst for System agents, cleared every 2s, at least 0.002 credits for 1,000 tokens, grants for 20s"
    )
    assert f"token pool {POOL}: 6,000,000 tokens a minute, burst 500,000, {terms}" in done(
        market, "tokens", "resize", POOL, "--price", "0.002"
    )
    assert "oncall: a System agent from now on" in done(market, "tokens", "priority", "oncall", "on")
    asyncio.run(buy_and_draw(market))
    text = shown(
        show,
        f"{POOL} (owner team)  ",
        f" (lowered by 429s) of 6,000,000 tokens a minute, burst 500,000\n  {terms}\n",
        "1 standing order, for 40,000 tokens a clearing",
        "drawn 10,000, used 7,000 in 3 calls, 1 of them 429",
        "System agents: oncall",
    )
    sold = re.search(r"sold ([0-9,]+) for ([0-9.]+) credits", text)
    assert sold is not None
    # Nobody competes: the reserve price, which is 0.08 credits for each 40,000 tokens.
    assert float(sold[2]) == pytest.approx(int(sold[1].replace(",", "")) / 1000 * 0.002)
    assert float(sold[2]) >= 0.08
    done(market, "tokens", "resize", POOL, "--reserve", "12.5%")
    done(market, "tokens", "priority", "oncall", "off")
    at_full_rate = "team)  6,000,000 tokens a minute, burst 500,000\n  12.5% of"
    shown(show, at_full_rate, "System agents: none")
    assert at_full_rate in done(market, "tokens", "show", POOL)


@pytest.mark.broker
@pytest.mark.slow
def test_what_the_market_rejects(market: Path) -> None:
    """Each answer names the code, and what to do."""
    create = ["tokens", "create", "claude", "--owner", "team", "--rate", "1M", "--burst", "1M"]
    assert "1s to 1h" in refused(market, *create, "--interval", "2h")
    bank = market / "keys" / "bank-default.json"
    assert "name another account" in refused(market, "tokens", "priority", str(bank), "on")
    assert "There is no token pool 'none'" in refused(market, "tokens", "resize", "none", "--rate", "1M")
    assert "no token pool 'none'" in refused(market, "tokens", "show", "none")


@pytest.mark.broker
@pytest.mark.slow
def test_a_bank_without_the_ledger(market: Path, tmp_path: Path) -> None:
    """Where nothing is published, as on another machine, or too little, it has to name all terms."""
    for folder in ("keys", "access"):
        shutil.copytree(market / folder, tmp_path / folder)
    address = (market / "broker" / "bootstrap").read_text().strip()
    resize = ["--bootstrap", address, "tokens", "resize", "none", "--rate", "1M", "--burst", "1M"]
    told = refused(tmp_path, *resize)
    assert "not there or lags" in told
    assert "name all six: --rate, --burst, --reserve, --interval, --price, --grant" in told
    shutil.copy(market / "ledger.duckdb", tmp_path)
    told = refused(tmp_path, *resize, "--reserve", "0%", "--interval", "5s", "--price", "0", "--grant", "30s")
    assert "UNKNOWN_POOL" in told
    assert "`contractnet tokens show`" in told
    # The copy does not have that answer, and never will.
    soon = "import contractnet.cli.published; contractnet.cli.published.PATIENCE_S = 0.5"
    late = contractnet("--data", tmp_path, *resize, before=soon)
    assert late.returncode == 1
    assert "not there or lags" in late.stderr
