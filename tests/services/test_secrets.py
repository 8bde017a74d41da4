"""A short real life of a market, with a crash and errors: no secret outside of the files for secrets, and nothing
that others on the machine may read."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.security import USER
from contractnet import Agent, credits
from contractnet.access import load_access, role_file
from contractnet.cli.directory import DataDirectory
from contractnet.credentials import Credential, load
from contractnet.errors import ContractnetError
from services import state
from tests.cli.command import contractnet, environment
from tests.services.test_up import pid_of, processes, wait_for

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PASSWORD = "sasl.password"
TRACEBACK = """
from contractnet import Agent
from contractnet.credentials import load
credential = load(path)
pair, pending, kafka = credential.keys, credential.pending, credential.kafka
print(credential, [credential], {"c": credential}, pair, str(pair), pending, kafka, vars, sep="\\n")
raise RuntimeError(credential, pair, pending, kafka)
"""


@dataclass
class Life:
    """What is left of it: the data directory, all that was printed, and the secrets."""

    data: Path
    printed: str
    members: list[Credential]
    award_secrets: list[bytes]

    def seeds(self) -> list[bytes]:
        """Of every key that a credential file holds: its own, those that were rotated away, and the one to come."""
        pending = [m.pending.seed for m in self.members if m.pending is not None]
        return [*(m.keys.seed for m in self.members), *(s for m in self.members for s in m.retired_seeds), *pending]

    def passwords(self) -> list[str]:
        """What everybody shows the broker: the roles, the broker itself, the agents."""
        shown = [load_access(path) for path in access_files(self.data)]
        return [access.settings[PASSWORD] for access in (*shown, *(m.kafka for m in self.members if m.kafka))]


async def trade(seller: Path, buyer: Path) -> list[bytes]:
    """One call, one bid, one award; its secret."""
    async with Agent.connect(seller) as ann, Agent.connect(buyer) as bob:
        cfp = await ann.call_for_proposals("gpu", duration_s=5, open_s=0.5)
        bid = await bob.bid(cfp, credits(2))
        award = await bid.outcome(20)
        assert award is not None
        print(ann, bob, cfp, bid, award)
        return [award.secret]


async def interrupted_rotation(file: Path, worker: int) -> None:
    """A rotation whose answer does not come in time, since the worker stands still: the file keeps both keys."""
    async with Agent.connect(file) as agent:
        os.kill(worker, signal.SIGSTOP)
        try:
            with pytest.raises(ContractnetError):
                await agent.rotate_key(timeout_s=0.5)
        finally:
            os.kill(worker, signal.SIGCONT)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Up, members, an award, keys rotated, a worker killed, errors with tracebacks, down."""
    data = tmp_path_factory.mktemp("secrets") / "data"
    directory = DataDirectory(data)
    printed = []

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        done = contractnet("--data", data, *arguments, env={"PYTHONFAULTHANDLER": "1"})
        printed.append(done.stdout + done.stderr)
        return done

    started = run("up", "--detach")
    assert started.returncode == 0, printed
    try:
        commands = [process.cmdline() for process in processes(data)]
        for name in ("ann", "bob"):
            assert run("enroll", name, "--project", "p", "--credits", "10").returncode == 0, printed
        assert run("pool", "create", "gpu", "--owner", "ann", "--units", "2").returncode == 0, printed
        secrets = asyncio.run(trade(directory.agent("ann"), directory.agent("bob")))
        assert run("key", "rotate", directory.agent("ann")).returncode == 0, printed
        assert run("key", "rotate", directory.bank("default")).returncode == 0, printed
        worker = pid_of(data, "worker-0") or next(p.pid for p in processes(data) if "streams.app" in p.cmdline())
        asyncio.run(interrupted_rotation(directory.agent("bob"), worker))
        os.kill(worker, 9)
        wait_for("another worker", lambda: pid_of(data, "worker-0") not in (None, worker))
        run("enroll", "ann", "--project", "p", "--debug")
        run("status")
        run("query", "FROM accounts", "--json")
        run("--debug", "pool", "create", "gpu", "--owner", "ann", "--units", "2")
        for name in ("ann", "bob"):
            code = f"path = {str(directory.agent(name))!r}\n{TRACEBACK}"
            failed = subprocess.run(
                [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False
            )
            assert "RuntimeError" in failed.stderr
            printed += [failed.stdout, failed.stderr]
        printed.append(json.dumps(commands))
        yield Life(data, "\n".join(printed), [load(path) for path in credential_files(data)], secrets)
    finally:
        if state.running_pid(directory) is not None:
            run("down")


def credential_files(data: Path) -> list[Path]:
    """The files that are for secrets."""
    directory = DataDirectory(data)
    return sorted([*directory.keys.glob("*.json"), *directory.agents.glob("*.json")])


def access_files(data: Path) -> list[Path]:
    """The files of what roles and broker show."""
    return sorted(DataDirectory(data).access.glob("*.properties"))


def forms(secret: bytes) -> list[bytes]:
    """How a secret might look: raw, hex, base64, and as Python shows bytes."""
    encoded = base64.b64encode(secret).rstrip(b"=")
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), encoded, repr(secret)[2:-1].encode()]


def places_of(secrets: Iterable[bytes], life: Life, keep: Iterable[Path]) -> list[str]:
    """Where a secret is, of all that was printed and of all files but those `keep`."""
    texts = {"what was printed": life.printed.encode(errors="surrogateescape")}
    kept = set(keep)
    for root, _, names in os.walk(life.data):
        for path in (Path(root) / name for name in names):
            if path not in kept and path.is_file():
                texts[str(path)] = path.read_bytes()
    assert any("logs" in name for name in texts)
    assert any("broker" in name for name in texts)
    return [name for s in secrets for form in forms(s) for name, text in texts.items() if form in text]


def test_no_seed_is_in_any_log_output_topic_or_table(life: Life) -> None:
    """Signing seeds, former and future ones too, and the secrets of awards: nowhere but in the credential files."""
    assert len(life.members) == 4
    assert sum(len(m.retired_seeds) for m in life.members) == 2, "ann's and the bank's keys were rotated"
    assert [m.name for m in life.members if m.pending is not None] == ["bob"]
    secrets = [*life.seeds(), *life.award_secrets]
    assert len(set(secrets)) == 4 + 2 + 1 + 1
    assert places_of(secrets, life, credential_files(life.data)) == []


def test_no_password_is_in_any_log_output_topic_or_table(life: Life) -> None:
    """What roles and agents show the broker is in their own files; the broker keeps no password but its own."""
    passwords = life.passwords()
    assert len(set(passwords)) == len(passwords) == len(access_files(life.data)) + 2
    own = load_access(role_file(life.data, USER)).settings[PASSWORD]
    files = [*credential_files(life.data), *access_files(life.data)]
    assert places_of((p.encode() for p in passwords if p != own), life, files) == []
    settings = life.data / "broker" / "server.properties"
    assert places_of([own.encode()], life, [*files, settings]) == []


def test_no_inbox_key_is_in_any_log_or_output(life: Life) -> None:
    """The market has them, as it seals with them; what people read has not."""
    keys = [m.inbox_key for m in life.members if m.inbox_key]
    logs = [path.read_bytes() for path in (life.data / "logs").iterdir()]
    texts = [life.printed.encode(errors="surrogateescape"), *logs]
    assert keys
    assert not [form for text in texts for key in keys for form in forms(key) if form in text]


def test_everything_is_its_owners_alone(life: Life) -> None:
    """Every file 0600 (or 0700 where it is run), every directory 0700, the broker's and the ledger included."""
    open_to_others = [
        f"{stat.filemode(path.lstat().st_mode)} {path}"
        for root, folders, names in os.walk(life.data)
        for path in [Path(root), *(Path(root) / name for name in (*folders, *names))]
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]
    assert open_to_others == []
    assert stat.S_IMODE(life.data.stat().st_mode) == 0o700


def test_the_search_finds_a_secret_where_there_is_one(life: Life) -> None:
    """The files for secrets have them, in one of the forms that are looked for."""
    found = places_of(life.seeds(), life, [])
    assert {str(path) for path in credential_files(life.data)} == set(found)
    assert len(found) == len(life.seeds())
    shown = places_of((p.encode() for p in life.passwords()), life, [])
    assert {str(path) for path in access_files(life.data)} < set(shown)
