"""Weights by the command line: what a wrong line says, and that what is set counts in a market that runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from contractnet import Agent, credits
from contractnet.access import ACCESS_ENV, role_file
from contractnet.cli.directory import DataDirectory
from contractnet.cli.weights import WEIGHT_MAX, WEIGHT_MIN
from market.limits import WEIGHT_PERMILLE_MAX, WEIGHT_PERMILLE_MIN
from tests.cli.command import contractnet, done, shown
from tests.cli.test_credits import IDS, Lab


def test_weights_are_those_of_the_rules() -> None:
    """The command takes each that the market takes."""
    assert (WEIGHT_MIN, WEIGHT_MAX) == (WEIGHT_PERMILLE_MIN, WEIGHT_PERMILLE_MAX)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nobody", "500"], 1, "nor the name of one in the published ledger"),
        ([IDS[0], "500"], 1, "no bank credential"),
        ([IDS[0], "499"], 2, "greater than or equal to 500"),
        ([IDS[0], "1001"], 2, "less than or equal to 1000"),
        ([IDS[0], "half"], 2, "a valid integer"),
        ([IDS[0]], 2, "Missing argument 'PERMILLE'"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    """Before any broker is asked."""
    ended = contractnet("--data", tmp_path, "weight", "set", *arguments)
    assert ended.returncode == code
    assert says in ended.stderr.replace("\n", " ")
    assert "Traceback" not in ended.stderr


@pytest.mark.broker
@pytest.mark.slow
def test_a_weight_counts_in_the_next_call(market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is set by the account's name, whose file is elsewhere; its bid is ranked by it."""
    lab = Lab(market, tmp_path, "heavy")
    told = lab.done("weight", "set", "alice", "600")
    assert "weight of alice: 600 of 1000 from now on; all accounts of its budget root" in told
    assert "UNKNOWN_ACCOUNT" in lab.refused("weight", "set", IDS[0], "500")
    monkeypatch.setenv(ACCESS_ENV, str(role_file(market, "operator")))
    address = DataDirectory(market).bootstrap()

    async def call() -> None:
        async with Agent.connect(lab.infra, address) as infra, Agent.connect(lab.alice, address) as alice:
            cfp = await infra.call_for_proposals("gpu", 1, duration_s=60, open_s=1)
            await (await alice.bid(cfp, credits(9))).outcome()

    asyncio.run(call())
    weights = "SELECT weight_permille FROM bids WHERE market = 'heavy'"
    shown(lambda: done(market, "query", "--csv", weights).splitlines(), "600")
