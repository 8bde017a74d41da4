"""Keys by the command line, in a market that runs: replaced while agents work, revoked, expired, helped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest

from contractnet import Agent, Code, KeyPair
from contractnet.credentials import load
from contractnet.errors import RejectedError
from contractnet.messages import commands as c
from tests.cli.command import contractnet, done, refused

pytestmark = [pytest.mark.broker, pytest.mark.slow]
PATIENCE_S = 60.0


async def code_of(sending: Awaitable[object]) -> Code:
    """The code that the market answers with."""
    try:
        await sending
    except RejectedError as error:
        return error.code
    return Code.ACCEPTED


async def asked(agent: Agent) -> Code:
    """What the market says to a command of this agent's key that has no effect: UNKNOWN_LEASE where the key is good."""
    return await code_of(agent.release(bytes(16)))


async def asked_once(file: Path) -> Code:
    """The same over a connection of its own."""
    async with Agent.connect(file) as agent:
        return await asked(agent)


def new_key(data: Path, file: Path) -> tuple[Path, str]:
    """`key new`: the copy of a credential file, and its public key."""
    copy = file.with_suffix(".new.json")
    told = done(data, "key", "new", file, "--out", copy)
    keys = load(copy).keys
    assert keys.public.hex() in told
    assert keys.seed.hex() not in told
    return copy, keys.public.hex()


def listed(data: Path, account: str, *wanted: str) -> str:
    """`key list` of an account, once the projector has published lines that begin like these."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        ended = contractnet("--data", data, "key", "list", "--account", account)
        if all(f"  {line}" in ended.stdout for line in wanted):
            return ended.stdout
        assert time.monotonic() < give_up_at, f"{wanted} not in {ended.stdout}{ended.stderr}"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a market that runs: the tests are one story, in order."""
    folder = tmp_path_factory.mktemp("keys") / "data"
    try:
        done(folder, "up", "--detach")
        for name in ("manager", "ann"):
            done(folder, "enroll", name, "--project", "vision", "--credits", "100")
        done(folder, "pool", "create", "gpu", "--owner", "manager", "--units", "2")
        yield folder
    finally:
        contractnet("--data", folder, "down")


@pytest.fixture
def ann(data: Path) -> Path:
    """The credential file of an agent."""
    return data / "agents" / "ann.json"


def test_a_key_is_handed_over_while_its_agent_works(data: Path, ann: Path) -> None:
    """The old key signs on until the new one does; then it is revoked and refused, and the account goes on."""
    old = load(ann).keys.public.hex()

    async def work(agent: Agent, until: asyncio.Event) -> list[Code]:
        codes = [await asked(agent)]
        while not until.is_set():
            codes.append(await asked(agent))
        return codes

    async def play() -> None:
        async with Agent.connect(ann) as before:
            finished = asyncio.Event()
            working = asyncio.create_task(work(before, finished))
            copy, public = await asyncio.to_thread(new_key, data, ann)
            assert await asked_once(copy) is Code.UNKNOWN_KEY
            told = await asyncio.to_thread(done, data, "key", "register", "ann", public, "--expires-in", "30d")
            assert f"key {public} is registered, expires 2" in told
            async with Agent.connect(copy) as after:
                assert await asked(after) is Code.UNKNOWN_LEASE
                finished.set()
                codes = await working
                assert set(codes) == {Code.UNKNOWN_LEASE}
                assert len(codes) > 2
                told = await asyncio.to_thread(done, data, "key", "revoke", "ann", old, "--yes")
                assert f"key {old} is revoked; command " in told
                assert await asked(before) is Code.REVOKED_KEY
                assert await asked(after) is Code.UNKNOWN_LEASE
            copy.replace(ann)

    asyncio.run(play())
    new = load(ann).keys.public.hex()
    listed(data, "ann", f"{old}  revoked 2", f"{new}  valid, expires 2")


def test_a_rotation_keeps_what_the_agent_has(data: Path, ann: Path) -> None:
    """`key rotate` changes the file; a bid of the old key stays the account's; who still holds that key is refused."""

    async def play() -> None:
        async with Agent.connect(data / "agents" / "manager.json") as manager, Agent.connect(ann) as before:
            cfp = await manager.call_for_proposals("gpu", duration_s=60, open_s=600)
            bid = await before.bid(cfp, 1_000_000)
            told = await asyncio.to_thread(done, data, "key", "rotate", ann)
            assert load(ann).keys.public.hex() in told
            assert f"{before.credential.keys.public.hex()} is revoked" in told
            assert await asked(before) is Code.REVOKED_KEY
            async with Agent.connect(ann) as after:
                assert await code_of(after.submit(after.prepare(c.WithdrawBid(bid.id)))) is Code.ACCEPTED
            await manager.cancel(cfp)

    asyncio.run(play())


def test_an_expired_key_is_refused_and_the_bank_helps(data: Path, ann: Path) -> None:
    """From its end on a key is refused, for rotations too; the bank registers another one."""

    async def wear_out() -> set[Code]:
        codes: list[Code] = []
        give_up_at = time.monotonic() + PATIENCE_S
        async with Agent.connect(ann) as agent:
            while Code.REVOKED_KEY not in codes and time.monotonic() < give_up_at:
                codes.append(await asked(agent))
                await asyncio.sleep(0.1)
        return set(codes)

    assert ", expires 2" in done(data, "key", "rotate", ann, "--expires-in", "5s")
    ended = load(ann).keys.public.hex()
    assert asyncio.run(wear_out()) - {Code.UNKNOWN_LEASE} == {Code.REVOKED_KEY}
    listed(data, "ann", f"{ended}  expired 2")
    told = refused(data, "key", "rotate", ann)
    assert "REVOKED_KEY" in told
    assert "contractnet key new" in told
    assert load(ann).pending is None
    copy, public = new_key(data, ann)
    done(data, "key", "register", ann, public)
    copy.replace(ann)
    assert asyncio.run(asked_once(ann)) is Code.UNKNOWN_LEASE


def test_a_holder_keeps_its_own_keys(data: Path, ann: Path) -> None:
    """With its file an agent registers and revokes its own keys; not its last live one, nor those of others."""
    copy, public = new_key(data, ann)
    account = load(ann).account
    assert account is not None
    done(data, "key", "register", ann, public, "--own", "--expires-at", "2999-12-31")
    listed(data, account.hex(), f"{public}  valid, expires 2999-12-31 00:00:00 UTC")
    assert "KEY_TAKEN" in (told := refused(data, "key", "register", "manager", public))
    assert "contractnet key new" in told
    done(data, "key", "revoke", ann, public, "--own", "--yes")
    assert asyncio.run(asked_once(copy)) is Code.REVOKED_KEY
    assert "UNKNOWN_KEY" in refused(data, "key", "revoke", ann, public, "--yes")
    manager = load(data / "agents" / "manager.json")
    alone = refused(data, "key", "revoke", "manager", manager.keys.public.hex(), "--own", "--yes")
    assert "LAST_KEY" in alone
    assert "contractnet key register" in alone
    assert asyncio.run(asked_once(data / "agents" / "manager.json")) is Code.UNKNOWN_LEASE


def test_the_operator_helps_the_bank(data: Path) -> None:
    """The bank rotates its key; should that be lost, the operator registers another, also after its own rotation."""
    bank, operator = data / "keys" / "bank-default.json", data / "keys" / "operator.json"
    done(data, "key", "rotate", bank)
    done(data, "enroll", "bob", "--project", "nlp")
    first, lost = operator.read_bytes(), load(bank).keys.public.hex()
    assert "operator-default.json" in done(data, "key", "rotate", operator, "--yes")
    assert operator.read_bytes() == first
    assert "exists already" in refused(data, "key", "rotate", operator, "--yes")
    useless = data.parent / "useless.json"
    told = refused(data, "key", "rotate", operator, "--out", useless, "--yes")
    assert "REVOKED_KEY" in told
    assert "Moving to a new operator" in told
    assert not useless.exists()
    second = data / "keys" / "operator-default.json"
    before = load(second).keys.public.hex()
    assert f"{before} is revoked" in done(data, "key", "rotate", second, "--yes")
    assert "NOT_OWNER" in refused(data, "key", "register", "ann", KeyPair.generate().public.hex(), "--bank")
    copy, public = new_key(data, bank)
    done(data, "key", "register", bank, public, "--bank")
    copy.replace(bank)
    done(data, "key", "revoke", bank, lost, "--yes")
    listed(data, "bank", f"{lost}  revoked 2", f"{public}  valid")
    done(data, "enroll", "cat", "--project", "nlp")


def test_all_of_it_is_sound(data: Path) -> None:
    """The market's audit covers what was done here, and the table of keys."""
    every = done(data, "key", "list")
    assert every.startswith("the operator\n")
    assert all(name in every for name in ("account bank (", "account ann (", "account manager ("))
    assert "no account 'nobody'" in refused(data, "key", "list", "--account", "nobody")
    assert "sound: 0 divergences" in done(data, "verify", "--quiet")
