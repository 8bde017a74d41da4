"""Two agents bargain over a lease, through the SDK and a real market: the lease and the credits move."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from fractions import Fraction
from functools import partial

import pytest

from broker.interface import Broker
from contractnet import Agent, Award, Deal, Gate, Issue, Negotiation, NegotiationProtocol, Offer
from contractnet.client.bargaining import Strategy
from contractnet.errors import GateRefusedError, RejectedError
from contractnet.messages.commands import LeaveNegotiation
from contractnet.strategies.bargaining import (
    Domain,
    FixedStep,
    OutcomeAlternator,
    OutcomeSplitter,
    Standing,
    TimeDependent,
    Zeuthen,
)
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
    """A lease of one unit, for longer than a test takes."""
    cfp = await stage.manager.call_for_proposals(POOL, duration_s=600, open_s=2)
    award = await (await holder.bid(cfp, 100)).outcome(20)
    assert award is not None
    return award


ONE_OF: dict[NegotiationProtocol, Strategy] = {
    NegotiationProtocol.MONOTONIC: Zeuthen,
    NegotiationProtocol.ALTERNATING: partial(OutcomeAlternator, discounts=(0.9, 0.8)),
}


async def asked(agent: Agent) -> Negotiation:
    """The first negotiation that an agent is asked for."""
    async for negotiation in agent.negotiations():
        return negotiation
    raise AssertionError("the connection was closed")


async def opened(
    holder: Agent,
    buyer: Agent,
    lease: Award,
    protocol: NegotiationProtocol = NegotiationProtocol.MONOTONIC,
    rounds_max: int = 60,
    cap_ucr: int = 100,
) -> tuple[Negotiation, Negotiation]:
    """A negotiation in its first round, as both see it. A round takes longer than a test may."""
    account = buyer.credential.account
    assert account is not None
    proposed = await holder.open_negotiation(
        lease, account, protocol=protocol, issues=[WHEN], rounds_max=rounds_max, round_s=120
    )
    invited = await asked(buyer)
    assert (invited.id, invited.side, invited.terms.issues) == (proposed.id, 1, (WHEN,))
    await invited.join(cap_ucr, "serve")
    assert (proposed.cap_ucr, invited.cap_ucr) == (None, cap_ucr)
    return proposed, invited


async def played(
    agents: Sequence[Agent],
    talks: tuple[Negotiation, Negotiation],
    strategies: tuple[Strategy, Strategy],
    domains: tuple[Domain, Domain] = (DOMAIN, DOMAIN),
    offers: Sequence[Offer] = OFFERS,
) -> Deal | None:
    """What a negotiation that two strategies play comes to: both see the same."""
    both = zip(agents, talks, strategies, domains, strict=True)
    async with asyncio.timeout(60):
        sold, bought = await asyncio.gather(*(agent.negotiate(t, s, d, offers) for agent, t, s, d in both))
    assert sold == bought
    return bought


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
            bought = await played((holder, buyer), await opened(holder, buyer, lease), (Zeuthen, Zeuthen))
            assert bought is not None
            outcome = OFFERS.index(Offer(bought.options, bought.price_ucr))
            assert DOMAIN.product(outcome) == DOMAIN.nash_product()
            assert outcome == driven(DOMAIN, Zeuthen(DOMAIN, 0), Zeuthen(DOMAIN, 1)).deal
            award = bought.award
            assert award is not None
            assert (award.pool, award.units, award.ends_at_ms) == (lease.pool, lease.units, lease.ends_at_ms)
            assert award.token > lease.token
            await paid(holder, balances[0].available_ucr + bought.price_ucr)
            await paid(buyer, 100_000_000 - bought.price_ucr)
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
            talks = await opened(holder, buyer, lease, NegotiationProtocol.ALTERNATING, 61)
            patient = partial(OutcomeAlternator, discounts=discounts)
            bought = await played((holder, buyer), talks, (patient, patient))
            assert bought is not None
            expected = OutcomeAlternator(DOMAIN, 0, discounts, horizon=61).propose(1)
            assert Offer(bought.options, bought.price_ucr) == OFFERS[expected]
            assert bought.award is not None
            account = other.credential.account
            assert account is not None
            again = await buyer.open_negotiation(bought.award, account)
            with pytest.raises(RejectedError, match="NOT_A_PARTY"):
                await holder.submit(holder.prepare(LeaveNegotiation(again.id)))
            await (await asked(other)).leave()
            assert await again.outcome(20) is None

    asyncio.run(play())


TABLE_ROW = {2: 0.2, 3: 0.92, 4: 0.344, 5: 0.8624, 10: 0.576077, 50: 0.714092}
"""Party 0's share with discounts of 0.9 and 0.8, by the number of rounds: tests/strategies/test_alternating.py has the
whole table of the reference."""
PIE = 10_000


def test_the_rounds_of_a_market_are_the_horizon(referee: Broker) -> None:
    """Rubinstein's parties divide a pie in a market of so many rounds: the holder's share is that of the table, in the
    first round. Each buyer is the holder of the next negotiation."""
    offers = [Offer((0,), price_ucr) for price_ucr in range(1, PIE)]
    domain = Domain([offer.price_ucr for offer in offers], [PIE - offer.price_ucr for offer in offers])
    strategy = partial(OutcomeSplitter, discounts=(Fraction(9, 10), Fraction(8, 10)))

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            holder, buyer = stage.bidders
            lease = await leased(stage, holder)
            for rounds_max, share in TABLE_ROW.items():
                talks = await opened(holder, buyer, lease, NegotiationProtocol.ALTERNATING, rounds_max, PIE)
                deal = await played((holder, buyer), talks, (strategy, strategy), (domain, domain), offers)
                assert deal is not None
                assert deal.price_ucr / PIE == pytest.approx(share, abs=1 / PIE)
                assert deal.award is not None
                lease, holder, buyer = deal.award, buyer, holder

    asyncio.run(play())


HOPELESS = Domain(DOMAIN.gains[0], DOMAIN.gains[1], (1_000, 0))
"""A reserve above all that can be paid."""


@pytest.mark.parametrize("hopeless", [0, 1])
def test_where_nothing_is_acceptable_one_leaves(referee: Broker, hopeless: int) -> None:
    """The one who sees that no outcome can be agreed on leaves at once, long before a round's time is over: there is no
    deal, and the cap is free. Whichever side it is, and also where the strategy cannot be made."""
    domains = (HOPELESS, DOMAIN) if hopeless == 0 else (DOMAIN, HOPELESS)

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            holder, buyer = stage.bidders
            lease = await leased(stage, holder)
            for protocol in NegotiationProtocol.MONOTONIC, NegotiationProtocol.ALTERNATING:
                strategy = ONE_OF[protocol]
                talks = await opened(holder, buyer, lease, protocol)
                assert await played((holder, buyer), talks, (strategy, strategy), domains) is None
                await paid(buyer, 100_000_000)
            talks = await opened(holder, buyer, lease)
            with pytest.raises(ValueError, match="a step is a share"):
                await holder.negotiate(talks[0], partial(FixedStep, step=2), DOMAIN, OFFERS)
            assert await talks[1].outcome(20) is None

    asyncio.run(play())


def eager(domain: Domain, side: int) -> TimeDependent:
    """Gives in entirely in three rounds."""
    return TimeDependent(domain, side, rounds=3, shape=1)


class Firm:
    """Stands at one outcome."""

    def __init__(self, outcome: int) -> None:
        self.outcome = outcome

    def propose(self) -> int:
        return self.outcome

    def respond(self, standing: Standing) -> int:
        return standing.own


def priced(price_ucr: int) -> int:
    """The outcome of this price, with the data kept for a day."""
    return OFFERS.index(Offer((0,), price_ucr))


def test_a_buyer_names_nothing_above_its_cap(referee: Broker) -> None:
    """A buyer that would give in to any price has set 50 aside. Whoever asks for 50 gets it; with who asks for more it
    ends without a deal and without an error; with a cap below all that can be agreed on it leaves at once."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            holder, buyer = stage.bidders
            lease = await leased(stage, holder)

            async def firm(price_ucr: int, cap_ucr: int, party: Strategy = eager) -> Deal | None:
                talks = await opened(holder, buyer, lease, cap_ucr=cap_ucr)
                return await played((holder, buyer), talks, (lambda *_: Firm(priced(price_ucr)), party))

            def giving_in(*_: object) -> Firm:
                return Firm(priced(85))

            assert await firm(85, 50) is None
            assert await firm(85, 50, giving_in) is None
            assert await firm(85, 15) is None
            await paid(buyer, 100_000_000)
            deal = await firm(50, 50, giving_in)
            assert deal is not None
            assert (deal.price_ucr, deal.options) == (50, (0,))

    asyncio.run(play())


class Insistent:
    """Offers one outcome and takes one, whatever it costs."""

    def __init__(self, offered: int, taken: int) -> None:
        self.offered, self.taken = offered, taken

    def propose(self, round_: int) -> int:
        return self.offered

    def accepts(self, offer: int, round_: int) -> bool:
        return offer == self.taken


def test_a_buyer_takes_nothing_above_its_cap(referee: Broker) -> None:
    """Alternating offers: it answers 85 by what it has set aside, 50; who insists on 85 ends without a deal."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            holder, buyer = stage.bidders
            lease = await leased(stage, holder)
            for takes, expected in ((85, None), (50, 50)):
                talks = await opened(holder, buyer, lease, NegotiationProtocol.ALTERNATING, 4, cap_ucr=50)
                parties = Insistent(priced(85), priced(takes)), Insistent(priced(85), priced(85))
                strategies = [lambda *_, party=party, **__: party for party in parties]
                deal = await played((holder, buyer), talks, (strategies[0], strategies[1]))
                assert (None if deal is None else deal.price_ucr) == expected

    asyncio.run(play())


def test_a_refused_move_ends_it(referee: Broker) -> None:
    """A party that takes its offer back is refused, and the negotiation is over for both."""

    class Fickle(Firm):
        def respond(self, standing: Standing) -> int:
            return priced(85)

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            holder, buyer = stage.bidders
            lease = await leased(stage, holder)
            talks = await opened(holder, buyer, lease)
            waiting = asyncio.create_task(buyer.negotiate(talks[1], lambda *_: Firm(priced(25)), DOMAIN, OFFERS))
            with pytest.raises(RejectedError, match="NOT_MONOTONIC"):
                await holder.negotiate(talks[0], lambda *_: Fickle(priced(60)), DOMAIN, OFFERS)
            async with asyncio.timeout(20):
                assert await waiting is None
            await paid(buyer, 100_000_000)

    asyncio.run(play())
