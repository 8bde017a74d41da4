"""A market of a test's own, with a bank, a manager that owns a pool, and bidders."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contractnet import Agent, Bank, Connection, Credential, Operator, credits, operator_credential
from contractnet.client.admin import RULES_VERSION
from contractnet.signing import KeyPair

OPERATOR = KeyPair.from_seed(bytes(range(32)))
POOL = "gpu"


@dataclass(frozen=True, slots=True)
class Stage:
    """Everybody shares one connection. `bidders` have 100 credits each."""

    connection: Connection
    bank: Bank
    manager: Agent
    bidders: list[Agent]

    async def enroll(self, name: str, ucr: int = 0) -> Credential:
        """One more account, with credits."""
        credential = await self.bank.enroll(name, "project")
        assert credential.account is not None
        if ucr:
            await self.bank.issue(credential.account, ucr)
        return credential


async def new_market(bootstrap: str, rules_version: int = RULES_VERSION) -> Credential:
    """Open a market of a new name; its bank."""
    market = f"market-{uuid.uuid4().hex[:12]}"
    async with Operator.connect(operator_credential(market, keys=OPERATOR), bootstrap) as operator:
        return await operator.open_market(rules_version=rules_version)


@asynccontextmanager
async def staged(bootstrap: str, bidders: int = 2, units: int = 4) -> AsyncIterator[Stage]:
    """A market with a manager, a pool and bidders."""
    banker = await new_market(bootstrap)
    async with Connection.open(bootstrap, market=banker.market, genesis=banker.genesis) as connection:
        bank = Bank(connection, banker)
        stage = Stage(connection, bank, connection.agent(await bank.enroll("manager", "infra")), [])
        account = stage.manager.credential.account
        assert account is not None
        await bank.create_pool(POOL, account, units)
        for number in range(bidders):
            credential = await stage.enroll(f"bidder-{number}", credits(100))
            stage.bidders.append(connection.agent(credential))
        yield stage
