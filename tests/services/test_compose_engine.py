"""docker-compose.yml on a container engine: its image is built, a market comes up, trades, survives and ends.

Where no engine with Compose answers it is skipped. Compose takes `apache/kafka` and `python` from where the engine has
them, or pulls them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.docker import why_no_engine
from broker.ports import find_free
from contractnet import Agent, credits
from contractnet.access import scram
from contractnet.credentials import load
from contractnet.errors import AccessRefusedError, BrokerUnreachableError
from contractnet.principals import new_password
from contractnet.refusals import check_access
from faults.hostile.rights import cells

ROOT = Path(__file__).parents[2]
UP_TIMEOUT_S = 900.0
STEP_TIMEOUT_S = 180.0
REFEREES = 3


def why_no_compose() -> str | None:
    """Why Compose can't be used here; None when an engine and its Compose answer."""
    if reason := why_no_engine():
        return reason
    found = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
    return None if found.returncode == 0 else "docker has no Compose"


NO_COMPOSE = why_no_compose()
pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    # Reason: this is about an engine, and many machines have none.
    pytest.mark.skipif(NO_COMPOSE is not None, reason=f"no container engine answers: {NO_COMPOSE}"),
]


@dataclass(frozen=True)
class Composed:
    """A market in containers: its project, its .env, and where its broker is for this machine."""

    project: str
    env: Path
    password: str
    bootstrap: str

    def compose(self, *arguments: str, timeout_s: float = STEP_TIMEOUT_S) -> str:
        """What `docker compose` prints on stdout; it has to succeed."""
        command = ["docker", "compose", "--project-name", self.project, "--env-file", str(self.env), *arguments]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def cli(self, *arguments: str) -> str:
        """What a command of `contractnet` prints in a container of its own."""
        return self.compose("run", "--rm", "--no-TTY", "cli", *arguments)

    def credential(self, name: str, folder: Path) -> Path:
        """An agent's credential, copied out of the volume."""
        self.compose("cp", f"projector:/data/agents/{name}.json", str(folder / f"{name}.json"))
        return folder / f"{name}.json"

    def containers(self) -> dict[str, tuple[str, str, int]]:
        """State, health and exit code of the project's containers, by name."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        found = [json.loads(line) for line in lines if line]
        return {one["Name"]: (one["State"], one["Health"], one["ExitCode"]) for one in found}


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The file's services, started, on a free port and with volumes of their own."""
    env, port, password = tmp_path_factory.mktemp("compose") / "env", find_free(), new_password()
    env.write_text(f"CONTRACTNET_BROKER_PASSWORD={password}\nCONTRACTNET_KAFKA_PORT={port}\n")
    market = Composed(f"contractnet-test-{os.getpid()}", env, password, f"127.0.0.1:{port}")
    try:
        market.compose("up", "--detach", timeout_s=UP_TIMEOUT_S)
        until(lambda: market.containers()[f"{market.project}-genesis-1"][::2] == ("exited", 0))
        yield market
    finally:
        market.compose("down", "--volumes", "--timeout", "20")


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    give_up_at_s = time.monotonic() + STEP_TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up_at_s, "it did not come in time"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def agents(composed: Composed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two agents and a pool, made by the command line in a container; their credentials on this machine."""
    folder = tmp_path_factory.mktemp("agents")
    for name in ("ann", "bob"):
        composed.cli("enroll", name, "--project", "vision", "--credits", "50")
    composed.cli("pool", "create", "gpu", "--owner", "ann", "--units", "2")
    return {name: composed.credential(name, folder) for name in ("ann", "bob")}


async def sale(agents: dict[str, Path], bootstrap: str, open_s: int = 3) -> str:
    """A slot is called for and sold; the award's id."""
    async with (
        Agent.connect(agents["ann"], bootstrap=bootstrap) as ann,
        Agent.connect(agents["bob"], bootstrap=bootstrap) as bob,
    ):
        cfp = await ann.call_for_proposals("gpu", 1, duration_s=1, open_s=open_s)
        award = await (await bob.bid(cfp, credits(5))).outcome()
        assert award is not None
        return award.id.hex()


def sold(composed: Composed, award: str) -> bool:
    """Whether the published file has an award."""
    counted = composed.cli("query", f"SELECT count(*) AS sold FROM awards WHERE award_id = '{award}'", "--csv")
    return counted.split() == ["sold", "1"]


def test_a_sale_over_the_published_port(composed: Composed, agents: dict[str, Path]) -> None:
    """Agents of this machine trade with a market in containers; its DuckDB file has the sale, and verify agrees."""
    award = asyncio.run(sale(agents, composed.bootstrap))
    until(lambda: sold(composed, award))
    assert "sound: 0 divergences" in composed.cli("verify", "--quiet")


def test_rights_are_enforced_there(composed: Composed, agents: dict[str, Path]) -> None:
    """Without a credential nobody is answered, nor with a wrong one; an agent is refused all that is not its own."""
    with pytest.raises(BrokerUnreachableError):
        check_access(composed.bootstrap)
    with pytest.raises(AccessRefusedError):
        check_access(composed.bootstrap, access=scram("referee", new_password()))
    access = load(agents["bob"]).kafka
    assert access is not None
    tried = {cell.what: cell.attempt(composed.bootstrap, access) for cell in cells("mine")}
    assert tried == {cell.what: cell.refusal for cell in cells("mine")}


def test_it_survives(composed: Composed, agents: dict[str, Path]) -> None:
    """Three referees are healthy side by side; one is killed and the broker is started again, and it goes on."""
    composed.compose("up", "--detach", "--scale", f"referee={REFEREES}")
    referees = [f"{composed.project}-referee-{number + 1}" for number in range(REFEREES)]
    until(lambda: all(composed.containers()[name][:2] == ("running", "healthy") for name in referees))
    # Its child, not process 1, which is the engine's init: what is killed from outside, the engine leaves dead.
    killed = "import os; os.kill(int(open('/proc/1/task/1/children').read().split()[0]), 9)"
    subprocess.run(["docker", "exec", referees[0], "python", "-c", killed], check=False, timeout=STEP_TIMEOUT_S)
    composed.compose("restart", "kafka")
    # The referees find Kafka again while it is open.
    award = asyncio.run(sale(agents, composed.bootstrap, open_s=20))
    until(lambda: sold(composed, award))
    until(lambda: all(composed.containers()[name][:2] == ("running", "healthy") for name in referees))
    assert "sound: 0 divergences" in composed.cli("verify", "--quiet")


def test_no_log_has_a_secret(composed: Composed, agents: dict[str, Path]) -> None:
    """Neither the broker's password nor an agent's seed or password is in the output of any container."""
    logs = composed.compose("logs", "--no-color")
    assert "market 'default' opened" in logs
    access = load(agents["bob"]).kafka
    assert access is not None
    assert not [secret for secret in (composed.password, access.settings["sasl.password"]) if secret in logs]


def test_it_ends(composed: Composed) -> None:
    """All of our services end by themselves when they are told to."""
    composed.compose("stop", "--timeout", "20")
    codes = {name: code for name, (_, _, code) in composed.containers().items() if "kafka" not in name}
    assert codes == dict.fromkeys(codes, 0)
