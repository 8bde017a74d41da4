"""Every program in docs/examples runs as it is printed there, in a folder with credential files, on a real market."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from benchmarks.provider import Provider, providing
from broker.interface import Broker
from contractnet import Agent, operator_credential
from contractnet.credentials import load, save
from tests.client.stage import OPERATOR

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples"
TIMEOUT_S = 60
TEN_LINES = 10


class Place:
    """A current folder for programs, with a market of its own that `market.py` has opened."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.folder = folder
        self._environment = os.environ | {"CONTRACTNET_BOOTSTRAP": bootstrap, "PYTHONUNBUFFERED": "1"}
        self.bootstrap = bootstrap
        save(operator_credential("default", keys=OPERATOR), folder / "operator.json")

    def start(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start an example."""
        return subprocess.Popen(
            [sys.executable, FOLDER / f"{name}.py", *arguments],
            cwd=self.folder,
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, name: str, *arguments: str) -> str:
        """Run an example to its end; what it prints."""
        return finish(self.start(name, *arguments))

    async def offer(self, program: subprocess.Popen[str]) -> str:
        """Call for proposals until a program that bids has ended; what it prints."""
        async with Agent.connect(self.folder / "manager.json", self.bootstrap) as manager:
            while program.poll() is None:
                cfp = await manager.call_for_proposals("gpu", 1, duration_s=0.5, open_s=0.5)
                await cfp.outcome()
        return finish(program)


def finish(program: subprocess.Popen[str]) -> str:
    """What a program prints; it has to end by itself, without an error."""
    try:
        output, _ = program.communicate(timeout=TIMEOUT_S)
    finally:
        program.kill()
    assert program.returncode == 0, output
    return output


@pytest.fixture
def place(referee: Broker, tmp_path: Path) -> Place:
    """A folder in which `market.py` has run."""
    made = Place(tmp_path, referee.bootstrap)
    assert "alice has 100 credits" in made.run("market", "operator.json", f"examples-{uuid.uuid4().hex[:8]}")
    return made


def test_a_market_is_opened_and_peopled(place: Place) -> None:
    """`market.py` leaves three private credential files that belong together."""
    bank, manager, agent = (load(place.folder / f"{name}.json") for name in ("bank", "manager", "agent"))
    assert bank.genesis == manager.genesis == agent.genesis
    assert len({bank.account, manager.account, agent.account}) == 3


def test_a_bidder_wins(place: Place) -> None:
    """`bidder.py` bids on what is offered and tells what it won."""
    output = asyncio.run(place.offer(place.start("bidder")))
    # On a busy machine a first bid may come too late, which it tells.
    assert output.splitlines()[-1].startswith("won 1 x gpu for 1 micro-credits, token ")


def test_a_strategy_bids_within_its_budget(place: Place) -> None:
    """`pacer.py` wins twice, alone, at the reserve price, and claims less from then on."""
    output = asyncio.run(place.offer(place.start("pacer")))
    assert "won for 1 micro-credits, 49999998 are left" in output
    assert output.splitlines()[-1] == "100 points of an estimate are 94 in a claim"


def test_a_manager_hears_who_won(place: Place) -> None:
    """`manager.py` and `bidder.py` meet: the only bidder pays the reserve."""
    bidder = place.start("bidder")
    try:
        while "AWARDED" not in (output := place.run("manager")):
            assert output == ""
        assert "pays 500000 micro-credits" in output
        assert "won 2 x gpu for 500000 micro-credits" in finish(bidder)
    finally:
        bidder.kill()


def test_a_manager_chooses(place: Place) -> None:
    """`chooser.py` and `bidder.py` meet: the only bidder is chosen, and pays its own bid."""
    bidder = place.start("bidder")
    try:
        while "AWARDED" not in (output := place.run("chooser")):
            assert output == "UNAWARDED\n"
        assert "alice offers 5000000 micro-credits for train-42" in output
        assert "won 1 x gpu for 5000000 micro-credits" in finish(bidder)
    finally:
        bidder.kill()


def test_a_lease_is_sold_back(place: Place) -> None:
    """`resale.py` bargains to the deal with the greatest product of gains: 5 credits, between 2 and 8."""
    output = place.run("resale")
    assert "sold for 5000000 micro-credits" in output
    assert "bought 1 x gpu, token " in output


def test_work_is_paid_on_delivery(place: Place) -> None:
    """`buyer.py` and `contractor.py` meet: the only ask is promised the ceiling, and costs nothing if it is in time."""
    contractor = place.start("contractor")
    try:
        while "DONE" not in (output := place.run("buyer")):
            assert output == ""
        assert "micro-credits: sha256:9f86d081884c7d65" in output
        paid = output.split("paid ")[1].split()[0]
        assert 0 < int(paid) <= 50_000_000
        assert f"was paid {paid} micro-credits" in finish(contractor)
    finally:
        contractor.kill()


def test_a_stored_bid_survives_a_crash(place: Place) -> None:
    """`crash_safe.py`, killed after it stored its bid, ends with that bid's outcome when it is started again."""
    stored = place.folder / "bid.json"

    async def play() -> str:
        async with Agent.connect(place.folder / "manager.json", place.bootstrap) as manager:
            await manager.call_for_proposals("gpu", 1, duration_s=0.5, open_s=6)
            first = place.start("crash_safe")
            while not stored.exists() or not stored.stat().st_size:
                await asyncio.sleep(0.005)
            first.kill()
            first.communicate()
            return await asyncio.to_thread(place.run, "crash_safe")

    assert asyncio.run(play()).rstrip().endswith(": won")
    assert not stored.exists()


def test_a_gate_ends_the_job_with_the_lease(place: Place) -> None:
    """`gate.py` starts a job behind its gate, gives the lease back, and the job is gone."""

    async def play() -> str:
        program = place.start("gate")
        async with Agent.connect(place.folder / "manager.json", place.bootstrap) as manager:
            await manager.call_for_proposals("gpu", 1, duration_s=60, open_s=4)
            return await asyncio.to_thread(finish, program)

    output = asyncio.run(play())
    assert "a job runs on the units (0,)" in output
    assert "0 jobs run" in output


def test_a_model_is_called_through_a_token_pool(place: Place) -> None:
    """`llm.py` creates a pool, sends its requests, and holds what it did not need; it can be run again."""

    async def play() -> tuple[str, Provider]:
        async with providing(Provider(600_000)) as provider:
            await asyncio.to_thread(place.run, "llm", provider.url)
            return await asyncio.to_thread(place.run, "llm", provider.url), provider

    output, provider = asyncio.run(play())
    assert output.count("200 850 tokens") == 5
    assert "tokens are held" in output
    assert (provider.answered, provider.refused) == (10, 0)


def test_every_example_is_run_here_and_a_bidder_takes_ten_lines() -> None:
    """A new example needs a test; the bidder's code without imports and blank lines stays within ten lines."""
    source = Path(__file__).read_text("utf-8")
    for path in FOLDER.glob("*.py"):
        assert f'"{path.stem}"' in source, f"no test runs {path.name}"
    lines = (FOLDER / "bidder.py").read_text("utf-8").splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(('"""', "import ", "from "))]
    assert len(code) <= TEN_LINES
