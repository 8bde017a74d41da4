"""Resales with an open call, and claims, through the SDK: a deal waits for others, and a lease is asked for."""

from __future__ import annotations

import asyncio

import pytest

from broker.interface import Broker
from contractnet import Agent, Deal, Negotiation, NegotiationProtocol, Operator, operator_credential
from contractnet.client.cfp import Cfp
from contractnet.messages.notices import RoundBegan
from tests.client.stage import OPERATOR, POOL, Stage, staged
from tests.client.test_negotiations import admits, asked, leased

pytestmark = pytest.mark.broker

ALTERNATING = NegotiationProtocol.ALTERNATING


async def calling(stage: Stage, call_s: float) -> None:
    """The operator has leases called for."""
    credential = operator_credential(stage.bank.credential.market, keys=OPERATOR)
    async with Operator.connect(credential, stage.connection.bootstrap) as operator:
        await operator.set_resale_call(call_s)


async def agreed(holder: Negotiation, buyer: Negotiation, price_ucr: int) -> tuple[Deal, Deal]:
    """The holder asks for a price in round 1, and the buyer takes it."""
    await holder.round()
    await holder.offer(1, price_ucr)
    began = await buyer.round(1)
    assert isinstance(began, RoundBegan)
    await buyer.accept(1)
    deals = await asyncio.gather(holder.outcome(20), buyer.outcome(20))
    assert deals[0] is not None
    assert deals[1] is not None
    return deals[0], deals[1]


async def called(agent: Agent, ident: bytes) -> Cfp:
    """The call for a lease, as anybody sees it."""
    async for cfp in agent.cfps(POOL):
        if cfp.id == ident:
            return cfp
    raise AssertionError("the connection was closed")


def test_a_deal_is_called_for_and_a_lease_is_claimed(referee: Broker) -> None:
    """A friend's price is outbid by a third. Then a lease is claimed, the holder joins, and nobody bids more: the
    claimant has it at the agreed price when the call is over, and the gate admits it."""

    async def play() -> None:
        async with staged(referee.bootstrap, bidders=3) as stage:
            holder, friend, other = stage.bidders
            await calling(stage, 1)
            account = friend.credential.account
            assert account is not None
            lease = await leased(stage, holder)
            sold = await holder.open_negotiation(lease, account, protocol=ALTERNATING, round_s=20)
            bought = await asked(friend)
            assert not bought.claimed
            await bought.join(100, "serve")
            deals = await agreed(sold, bought, 5)
            assert [(deal.called, deal.award, deal.price_ucr) for deal in deals] == [(True, None, 5)] * 2
            bid = await other.bid(await called(other, bought.id), 50)
            won, lost, winner = await asyncio.gather(bid.outcome(20), bought.award(20), sold.sold(20))
            assert won is not None
            assert (won.ends_at_ms, lost) == (lease.ends_at_ms, None)
            assert winner is not None
            assert (winner.bid, winner.price_ucr) == (bid.id, won.price_ucr)
            assert won.price_ucr in (5, 6), "the second price, and a tie"
            await asyncio.to_thread(admits, stage, won, lease)

            wanted = await friend.claim(won.id, 40, task="serve", protocol=ALTERNATING, round_s=20)
            proposed = await asked(other)
            assert (proposed.id, proposed.side, proposed.claimed) == (wanted.id, 0, True)
            await proposed.join()
            deals = await agreed(proposed, wanted, 30)
            assert [deal.called for deal in deals] == [True, True]
            award, none = await asyncio.gather(wanted.award(20), proposed.award(20))
            assert none is None
            assert award is not None
            assert (award.id, award.price_ucr, award.ends_at_ms) == (wanted.id, 30, lease.ends_at_ms)
            await asyncio.to_thread(admits, stage, award, won)

            await calling(stage, 0)
            refused = await other.claim(award.id, 40)
            await (await asked(friend)).leave()
            assert await refused.outcome(20) is None

    asyncio.run(play())
