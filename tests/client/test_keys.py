"""Keys of the bank and the operator: replaced while the market runs, also across a crash."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from broker.interface import Broker
from contractnet import Agent, Bank, Code, Credential, KeyPair, Operator, operator_credential
from contractnet.credentials import load, save
from contractnet.errors import CredentialError, OutcomeTimeoutError, RejectedError
from tests.client.stage import OPERATOR, new_market, staged

pytestmark = pytest.mark.broker


async def code_of(sending: object) -> Code:
    """The code that a command is rejected with."""
    with pytest.raises(RejectedError) as caught:
        await sending  # type: ignore[misc]  # any awaitable
    return caught.value.code


def operator_of(bank: Credential) -> Credential:
    """The operator of a bank's market."""
    return replace(operator_credential(bank.market, keys=OPERATOR), genesis=bank.genesis)


@pytest.mark.parametrize("rules_version", [1, 3])
def test_the_bank_rotates_its_key_across_a_crash(referee: Broker, tmp_path: Path, rules_version: int) -> None:
    """Whoever comes after the crash finishes the rotation, and the bank goes on with the new key alone."""

    async def play() -> None:
        before, path = await new_market(referee.bootstrap, rules_version), tmp_path / "bank.json"
        save(before, path)
        async with Bank.connect(path, referee.bootstrap) as bank:
            with pytest.raises(OutcomeTimeoutError):
                await bank.rotate_key(timeout_s=0)
            await asyncio.sleep(0.5)
        async with Bank.connect(path, referee.bootstrap) as bank:
            assert bank.credential.keys != before.keys
            assert load(path) == bank.credential
            await bank.enroll("ann", "project")
        async with Bank.connect(before, referee.bootstrap) as old:
            assert await code_of(old.enroll("bob", "project")) is Code.REVOKED_KEY

    asyncio.run(play())


def test_the_operator_rotates_its_key_into_a_new_file(referee: Broker, tmp_path: Path) -> None:
    """The old file stays, its key signs nothing more in this market; the new one can do what the old one could."""

    async def play() -> None:
        bank = await new_market(referee.bootstrap)
        path = tmp_path / "operator-market.json"
        async with Operator.connect(operator_of(bank), referee.bootstrap) as operator:
            await operator.rotate_key(path)
            with pytest.raises(CredentialError, match="exists"):
                await operator.rotate_key(path)
        async with Operator.connect(operator_of(bank), referee.bootstrap) as old:
            assert await code_of(old.activate_rules(99)) is Code.REVOKED_KEY
        async with Operator.connect(path, referee.bootstrap) as new:
            assert await code_of(new.activate_rules(99)) is Code.UNKNOWN_RULES
            fresh = KeyPair.generate()
            await new.register_bank_key(bank, fresh.public)
        async with Bank.connect(replace(bank, keys=fresh), referee.bootstrap) as again:
            await again.revoke_key(bank, bank.keys.public)
            await again.enroll("ann", "project")
        async with Bank.connect(bank, referee.bootstrap) as lost:
            assert await code_of(lost.enroll("bob", "project")) is Code.REVOKED_KEY

    asyncio.run(play())


def test_the_operator_rotates_its_key_again_in_that_file(referee: Broker, tmp_path: Path) -> None:
    """The first key never stays in its file; a later one does. What the market rejects leaves no file."""

    async def play() -> None:
        bank = await new_market(referee.bootstrap)
        path, useless = tmp_path / "operator-market.json", tmp_path / "useless.json"
        async with Operator.connect(operator_of(bank), referee.bootstrap) as first:
            with pytest.raises(CredentialError, match="name a new one"):
                await first.rotate_key(None)
            await first.rotate_key(path)
        before = load(path)
        async with Operator.connect(path, referee.bootstrap) as second:
            await second.rotate_key(None)
        assert load(path).keys.public != before.keys.public
        async with Operator.connect(path, referee.bootstrap) as third:
            assert await code_of(third.activate_rules(99)) is Code.UNKNOWN_RULES
        for old in (operator_of(bank), before):
            async with Operator.connect(old, referee.bootstrap) as refused:
                assert await code_of(refused.rotate_key(useless)) is Code.REVOKED_KEY
            assert not useless.exists()

    asyncio.run(play())


def test_an_agents_key_expires_and_the_bank_renews_it(referee: Broker) -> None:
    """A key with an end is refused after it; another one, registered by the bank, goes on."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=1) as stage:
            (alice,) = stage.bidders
            await alice.rotate_key(expires_at_ms=stage.connection.now_ms() + 1_500)
            assert await code_of(alice.cancel(bytes(16))) is Code.UNKNOWN_CFP
            await asyncio.sleep(2.5)
            assert await code_of(alice.cancel(bytes(16))) is Code.REVOKED_KEY
            fresh = KeyPair.generate()
            await stage.bank.register_key(alice.credential, fresh.public)
            async with Agent.connect(replace(alice.credential, keys=fresh), referee.bootstrap) as renewed:
                assert await code_of(renewed.cancel(bytes(16))) is Code.UNKNOWN_CFP

    asyncio.run(play())


@pytest.mark.parametrize("crash", [False, True])
def test_a_key_that_the_bank_revoked_cannot_be_rotated(referee: Broker, tmp_path: Path, crash: bool) -> None:
    """The rotation is refused, also when it is sent again after a crash, and the file keeps the key that it had."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=0) as stage:
            path = tmp_path / "ann.json"
            before = await stage.bank.enroll("ann", "project", path)
            await stage.bank.revoke_key(before, before.keys.public)
            async with Agent.connect(path, referee.bootstrap) as ann:
                if crash:
                    with pytest.raises(OutcomeTimeoutError):
                        await ann.rotate_key(timeout_s=0)
                    assert load(path).pending is not None
                assert await code_of(ann.rotate_key()) is Code.REVOKED_KEY
            assert load(path) == before

    asyncio.run(play())
