"""Access control as `contractnet up` makes it: its files, its secrets, the members, and the insecure way."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from contractnet import Agent, Connection
from contractnet.access import client_settings, load_access, scram
from contractnet.cli.directory import DataDirectory
from contractnet.credentials import load
from contractnet.errors import AccessRefusedError, RejectedError
from contractnet.refusals import check_access
from contractnet.rights import ROLES
from services import state
from tests.cli.command import contractnet

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def done(data: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """What a command that succeeds prints."""
    ended = contractnet("--data", data, *arguments, env=env)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def address(data: Path) -> str:
    """The broker of a running `up`."""
    found = DataDirectory(data).bootstrap()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a market that was started the insecure way, as earlier versions did, and then is not: the
    tests are one story, in order."""
    folder = tmp_path_factory.mktemp("access") / "data"
    try:
        yield folder
    finally:
        contractnet("--data", folder, "down")


def test_the_insecure_way_says_so(data: Path) -> None:
    """`--insecure` warns at its start, takes anybody, and the agents it enrolls have no user of the broker."""
    told = done(data, "up", "--insecure", "--detach")
    assert "INSECURE, for development only" in told
    assert "guards that are off: the limit of what is issued" in told
    assert "policy resale" not in told
    check_access(address(data))
    done(data, "enroll", "old", "--project", "vision", "--credits", "5")
    assert load(data / "agents" / "old.json").kafka is None
    done(data, "down")


def test_the_next_up_is_guarded(data: Path) -> None:
    """The same directory comes up with access control, and the agents of before are given users."""
    told = done(data, "up", "--detach")
    assert "INSECURE" not in told
    assert "were given users" in told
    credential = load(data / "agents" / "old.json")
    assert credential.kafka is not None
    check_access(address(data), access=credential.kafka)

    async def bid() -> None:
        async with Agent.connect(data / "agents" / "old.json") as agent:
            assert agent.connection.genesis == credential.genesis

    asyncio.run(bid())


def test_commands_of_the_directory_need_no_more(data: Path) -> None:
    """In the directory of the market enrolment, pools, status, verify and a swarm work as ever."""
    done(data, "enroll", "ann", "--project", "vision", "--credits", "5")
    done(data, "pool", "create", "gpu", "--owner", "ann", "--units", "2")
    assert "healthy" in done(data, "status")
    assert "sound: 0 divergences" in done(data, "verify", "--quiet")
    assert "ok " in done(data, "simulate", "--agents", "6", "--duration", "3", "--processes", "1")


def test_an_agent_reads_no_bids(data: Path) -> None:
    """With an agent's credential the ledger cannot be audited; the refusal says which role could, at once."""
    credential = load(data / "agents" / "ann.json")
    assert credential.kafka is not None
    mine = data / "mine.properties"
    mine.write_text("".join(f"{name}={value}\n" for name, value in credential.kafka.settings.items()))
    mine.chmod(0o600)
    begun = time.monotonic()
    ended = contractnet("--data", data, "verify", "--quiet", env={"CONTRACTNET_ACCESS": str(mine)})
    assert time.monotonic() - begun < 15
    assert ended.returncode == 1
    assert "CONTRACTNET_ACCESS" in ended.stderr
    ended = contractnet("--data", data, "enroll", "eve", "--project", "x", env={"CONTRACTNET_ACCESS": str(mine)})
    assert ended.returncode == 1
    assert "does not allow user" in ended.stderr


def test_wrong_credentials_are_told_within_seconds(data: Path) -> None:
    """An agent whose password is wrong hears so at its start, not after half a minute of silence."""
    credential = load(data / "agents" / "ann.json")
    assert credential.kafka is not None
    wrong = scram(credential.kafka.user or "", "wrong")

    async def connect() -> None:
        await Connection.open(address(data), genesis=credential.genesis, access=wrong)

    begun = time.monotonic()
    with pytest.raises(AccessRefusedError, match=r"contractnet access grant"):
        asyncio.run(connect())
    assert time.monotonic() - begun < 10


def test_a_client_that_may_not_send_is_told_within_seconds(data: Path) -> None:
    """A command from credentials that must not write `commands` ends with the refusal."""
    path = data / "agents" / "ann.json"
    auditor = load_access(data / "access" / "auditor.properties")

    async def send() -> None:
        credential = load(path)
        async with Connection.open(address(data), genesis=credential.genesis, access=auditor) as connection:
            await connection.agent(credential).release(bytes(16))

    begun = time.monotonic()
    with pytest.raises(AccessRefusedError):
        asyncio.run(send())
    assert time.monotonic() - begun < 10


def passwords(data: Path) -> set[str]:
    """Every password that the directory holds."""
    files = [*(data / "access").glob("*.properties")]
    found = {load_access(file).settings["sasl.password"] for file in files}
    for file in (data / "agents").glob("*.json"):
        kafka = load(file).kafka
        assert kafka is not None
        found.add(kafka.settings["sasl.password"])
    return found


def test_secrets_stay_where_they_are(data: Path) -> None:
    """Secret files are their owner's only; no password is in a log, a command line or an environment."""
    secrets = passwords(data)
    assert len(secrets) > len(ROLES)
    assert stat.S_IMODE((data / "access").stat().st_mode) == 0o700
    holding = [*(data / "access").iterdir(), *(data / "agents").iterdir(), data / "broker" / "server.properties"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in holding} == {0o600}
    noted = state.read(DataDirectory(data))
    assert noted is not None
    logs = [*(data / "logs").iterdir(), data / "broker" / "broker.log", data / "run" / "up.json"]
    texts = {str(log): log.read_text(errors="replace") for log in logs}
    for pid in [noted.pid, noted.broker_pid, *(part.pid for part in noted.parts)]:
        assert pid is not None
        process = psutil.Process(pid)
        texts[f"process {pid}"] = " ".join([*process.cmdline(), *process.environ().values()])
    assert [place for place, text in texts.items() if any(secret in text for secret in secrets)] == []


def test_a_second_up_keeps_the_passwords(data: Path) -> None:
    """Ending and starting again makes no new password, and the credentials of all stay good."""
    before = passwords(data)
    done(data, "down")
    assert "INSECURE" not in done(data, "up", "--detach")
    assert passwords(data) == before
    for role in ROLES:
        check_access(address(data), access=load_access(data / "access" / f"{role}.properties"))
    done(data, "enroll", "bob", "--project", "vision", "--credits", "5")


def test_a_lost_user_is_granted_anew(data: Path) -> None:
    """`access grant` gives a credential file another user, and the old one lets nobody in any more."""
    path = data / "agents" / "bob.json"
    former = load(path).kafka
    assert former is not None
    done(data, "access", "grant", "bob")
    renewed = load(path).kafka
    assert renewed is not None
    assert renewed.user != former.user
    check_access(address(data), access=renewed)
    with pytest.raises(AccessRefusedError):
        check_access(address(data), access=former)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_role_is_given_another_password(data: Path) -> None:
    """`access renew` ends a stolen password of a role for whoever connects from then on, the operator's own included;
    once the broker was started anew, for connections that were open as well, and for the broker's own user."""
    files = {role: data / "access" / f"{role}.properties" for role in ("projector", "operator")}
    stolen = {role: load_access(file) for role, file in files.items()}
    thief = AdminClient(client_settings(address(data), stolen["projector"]) | {"log_level": 0})
    thief.list_topics(timeout=10)
    for role, file in files.items():
        told = done(data, "access", "renew", role)
        assert f"What runs as {role} has to be started anew" in told
        check_access(address(data), access=load_access(file))
        with pytest.raises(AccessRefusedError, match="does not accept"):
            check_access(address(data), access=stolen[role])
        assert load_access(file).user == role
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert not any(secret in told for secret in passwords(data))
    assert {file.suffix for file in (data / "access").iterdir()} == {".properties"}
    assert thief.list_topics(timeout=10).topics, "its connection is open still"
    own = data / "access" / "broker.properties"
    stolen["broker"] = load_access(own)
    done(data, "down")
    own.unlink()
    done(data, "up", "--detach")
    check_access(address(data), access=load_access(own))
    for access in stolen.values():
        with pytest.raises(AccessRefusedError, match="does not accept"):
            check_access(address(data), access=access)
    with pytest.raises(KafkaException):
        thief.list_topics(timeout=3)
    assert "healthy" in done(data, "status")
    for who in ("broker", "agent", "agent-1f0c9a3b5d7e2468"):
        ended = contractnet("--data", data, "access", "renew", who)
        assert ended.returncode == 1
        assert "is no role" in ended.stderr


def test_a_process_that_speaks_for_many_has_their_quotas_together(data: Path) -> None:
    """`access quota` lets one user write more, says how much, and takes no role and nobody unknown."""
    done(data, "enroll", "planner", "--project", "vision")
    told = done(data, "access", "quota", "planner", "--agents", "20")
    assert "may write 640 KiB/s" in told
    for who in ("referee", "agent-nobody"):
        ended = contractnet("--data", data, "access", "quota", who, "--agents", "2")
        assert ended.returncode == 1
        assert "is no agent enrolled here" in ended.stderr


def test_a_revoked_agent_is_shut_out_at_once(data: Path) -> None:
    """`access revoke` ends a user also over the connection that it has, and lets it make no other."""
    path = data / "agents" / "old.json"
    kafka = load(path).kafka
    assert kafka is not None

    async def send() -> None:
        async with Agent.connect(path) as agent:
            with pytest.raises(RejectedError):
                await agent.release(bytes(16))
            assert "is revoked" in await asyncio.to_thread(done, data, "access", "revoke", str(path))
            await agent.release(bytes(16), timeout_s=10)

    with pytest.raises(AccessRefusedError, match="does not allow"):
        asyncio.run(send())
    with pytest.raises(AccessRefusedError, match="does not accept"):
        check_access(address(data), access=kafka)
    ended = contractnet("--data", data, "access", "revoke", "referee")
    assert ended.returncode == 1


def test_the_rights_can_be_shown(data: Path) -> None:
    """`access show` prints every right as a command of Kafka's own tool, and no secret."""
    told = done(data, "access", "show")
    assert re.search(r"--allow-principal 'User:\*' --operation Write --topic commands", told)
    assert re.search(r"--deny-principal User:auditor --operation Write --topic commands", told)
    assert not any(secret in told for secret in passwords(data))


def test_the_other_mode_is_not_mixed_in(data: Path) -> None:
    """While the broker runs with access control, it cannot be had without."""
    ended = contractnet("--data", data, "broker", "start", "--insecure")
    assert ended.returncode == 1
    assert "contractnet broker stop" in ended.stderr
    assert json.loads((data / "run" / "up.json").read_text())["ready"]
    assert not os.path.exists(data / "access" / "off")
