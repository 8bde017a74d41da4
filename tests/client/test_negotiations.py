"""Two agents bargain over a lease, through the SDK and a real market: the lease and the credits move."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

import pytest

from broker.interface import Broker
from contractnet import Agent, Award, Deal, Gate, Issue, Negotiation, NegotiationProtocol, Offer
from contractnet.errors import GateRefusedError, RejectedError
from contractnet.messages.commands import LeaveNegotiation
from contractnet.strategies.bargaining import Domain, OutcomeAlternator, Zeuthen
from contractnet.strategies.bargaining import negotiate as driven
from tests.client.stage import POOL, Stage, staged

pytestmark = pytest.mark.broker

WHEN = Issue("data kept", ("a day", "a week"))
OFFERS = [Offer((kept,), price_ucr) for kept in (0, 1) for price_ucr in range(5, 105, 5)]
"""Keeping the data for a week costs the holder 12 and is worth 30 to the buyer; the slot 20 and 90."""
DOMAIN = Domain(
    [offer.price_ucr - 20 - 12 * offer.options[0] for offer in OFFERS],
    [90 + 30 * offer.options[0] - offer.price_ucr for offer in OFFERS],
)


async def leased(stage: Stage, holder: Agent) -> Award:
    """A lease of one unit for a minute."""
    cfp = await stage.manager.call_for_proposals(POOL, duration_s=60, open_s=0.5)
    award = await (await holder.bid(cfp, 100)).outcome(20)
    assert award is not None
    return award


async def asked(agent: Agent) -> Negotiation:
    """The first negotiation that an agent is asked for."""
    async for negotiation in agent.negotiations():
        return negotiation
    raise AssertionError("the connection was closed")


async def bargained(
    holder: Agent, buyer: Agent, lease: Award, strategies: tuple[Any, Any], protocol: NegotiationProtocol
) -> tuple[Deal | None, Deal | None]:
    """What both see of a negotiation that two strategies play."""
    account = buyer.credential.account
    assert account is not None
    opened = await holder.open_negotiation(lease, account, protocol=protocol, issues=[WHEN], rounds_max=60, round_s=20)
    invited = await asked(buyer)
    assert (invited.id, invited.side, invited.terms.issues) == (opened.id, 1, (WHEN,))
    await invited.join(100, "serve")
    async with asyncio.timeout(60):
        first, second = await asyncio.gather(
            holder.negotiate(opened, strategies[0], DOMAIN, OFFERS),
            buyer.negotiate(invited, strategies[1], DOMAIN, OFFERS),
        )
    return first, second


async def paid(agent: Agent, ucr: int) -> None:
    """Return once the market has told the agent that it has so much, and holds nothing."""
    async with asyncio.timeout(20):
        while (balance := agent.balance()) is None or (balance.available_ucr, balance.held_ucr) != (ucr, 0):
            await asyncio.sleep(0.02)


def test_zeuthens_strategies_reach_the_nash_deal(referee: Broker) -> None:
    """On a market as in the driver without one: the deal has the greatest product of gains. Its price is paid, and the
    gate admits the buyer and the holder no more."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            holder, buyer = stage.bidders
            lease = await leased(stage, holder)
            balances = [agent.balance() for agent in (holder, buyer)]
            assert balances[0] is not None
            strategies = (Zeuthen(DOMAIN, 0), Zeuthen(DOMAIN, 1))
            sold, bought = await bargained(holder, buyer, lease, strategies, NegotiationProtocol.MONOTONIC)
            assert sold is not None
            assert bought is not None
            outcome = OFFERS.index(Offer(sold.options, sold.price_ucr))
            assert DOMAIN.product(outcome) == DOMAIN.nash_product()
            assert outcome == driven(DOMAIN, Zeuthen(DOMAIN, 0), Zeuthen(DOMAIN, 1)).deal
            assert (bought, sold.award) == (sold, None)
            award = bought.award
            assert award is not None
            assert (award.pool, award.units, award.ends_at_ms) == (lease.pool, lease.units, lease.ends_at_ms)
            assert award.token > lease.token
            await paid(holder, balances[0].available_ucr + sold.price_ucr)
            await paid(buyer, 100_000_000 - sold.price_ucr)
            await asyncio.to_thread(admits, stage, award, lease)

    asyncio.run(play())


def admits(stage: Stage, award: Award, former: Award) -> None:
    """A gate of the pool lets the buyer in, and the former holder not."""
    with Gate(POOL, stage.connection.bootstrap, credential=stage.manager.credential) as gate:
        assert gate.admit(award.id, award.token, award.secret, wait_s=10).award == award.id
        with pytest.raises(GateRefusedError, match="ENDED"):
            gate.admit(former.id, former.token, former.secret)


def test_alternating_offers_and_a_refusal(referee: Broker) -> None:
    """The subgame-perfect strategies agree at once; who is asked may decline, and nobody else may speak."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=3) as stage:
            holder, buyer, other = stage.bidders
            lease = await leased(stage, holder)
            discounts = (Fraction(9, 10), Fraction(9, 10))
            strategies = tuple(OutcomeAlternator(DOMAIN, side, discounts) for side in (0, 1))
            sold, bought = await bargained(
                holder, buyer, lease, (strategies[0], strategies[1]), NegotiationProtocol.ALTERNATING
            )
            assert sold == bought is not None
            assert bought is not None
            assert Offer(bought.options, bought.price_ucr) == OFFERS[strategies[0].propose(1)]
            assert bought.award is not None
            account = other.credential.account
            assert account is not None
            again = await buyer.open_negotiation(bought.award, account)
            with pytest.raises(RejectedError, match="NOT_A_PARTY"):
                await holder.submit(holder.prepare(LeaveNegotiation(again.id)))
            await (await asked(other)).leave()
            assert await again.outcome(20) is None

    asyncio.run(play())
