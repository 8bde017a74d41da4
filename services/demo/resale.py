"""Leases of a pool with long slots are sold on: who needs its GPU no longer bargains with one who waits for one.

Neither knows what it is worth to the other. Both know the list prices that may be named, and concede by the clock.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from contractnet.client import Agent, Award, Deal, Negotiation
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import Code, Offer
from contractnet.messages.notices import RoundBegan
from contractnet.strategies.bargaining import Domain, TimeDependent
from services.demo.backlog import Backlog, Job
from services.demo.demand import SPEEDS
from services.demo.tally import Tally

LEFT_S_MIN = 2.5
"""Less is not worth the trouble: a negotiation takes a second or two."""
ROUNDS, ROUND_S = 8, 0.5
CALL_S_MAX = 65
"""No call for a lease that was bargained for takes longer, where the operator has them."""
CONCEDED_BY = 6
"""The round by which both have given in entirely."""
ASKED_MAX = 3
"""How many neighbours are asked, one after the other, as long as they decline."""
PRICES = 24
STEP_UCR = 100_000
"""List prices are multiples of this for a unit that does an l4's work."""
# A holder concedes slowly, a buyer in a hurry: see TimeDependent.
HOLDER_SHAPE, BUYER_SHAPE = 0.8, 1.5
# Over before an answer: the lease ran out, the other has left, or somebody came too late.
_OVER = {Code.UNKNOWN_LEASE, Code.UNKNOWN_NEGOTIATION, Code.NEGOTIATION_CLOSED, Code.ROUND_OVER}

Use = Callable[[Job, Award], Awaitable[None]]


def offers_for(units: int, pool: str) -> list[Offer]:
    """What may be named for units of a pool, the lowest price first."""
    return [Offer((), round(STEP_UCR * n * units * SPEEDS[pool])) for n in range(1, PRICES + 1)]


def domain_for(offers: Sequence[Offer], worth_ucr: int) -> Domain:
    """A price is worth itself to the holder, who has no more use for the lease, and what is left of the worth to the
    buyer."""
    prices = [offer.price_ucr for offer in offers]
    return Domain(prices, [worth_ucr - price for price in prices])


class Reseller:
    """Sells what is left of a lease to one of the neighbours."""

    def __init__(self, agent: Agent, neighbours: Sequence[bytes], resold: set[str], rng: random.Random) -> None:
        self._agent = agent
        self._neighbours = [account for account in neighbours if account != agent.credential.account]
        self._resold = resold
        self._rng = rng

    async def sell(self, award: Award, left_s: float) -> bool:
        """Whether somebody has bought it."""
        if award.pool not in self._resold or left_s < LEFT_S_MIN or not self._neighbours:
            return False
        for account in self._rng.sample(self._neighbours, min(ASKED_MAX, len(self._neighbours))):
            begun_s = time.monotonic()
            try:
                sold = await self._ask(award, account, left_s)
            except RejectedError as error:
                if error.code not in _OVER:
                    raise
                sold = False
            if sold is not None:
                return sold
            left_s -= time.monotonic() - begun_s
            if left_s < LEFT_S_MIN:
                break
        return False

    async def _ask(self, award: Award, account: bytes, left_s: float) -> bool | None:
        """Whether it has bought the rest of the lease, so many seconds; None where it declines to bargain."""
        offers = offers_for(award.units, award.pool)
        domain = domain_for(offers, offers[-1].price_ucr)
        negotiation = await self._agent.open_negotiation(
            award, account, rounds_max=ROUNDS, round_s=ROUND_S, still_rounds_max=2
        )
        if not isinstance(await negotiation.round(), RoundBegan):
            return None
        strategy = partial(TimeDependent, rounds=CONCEDED_BY, shape=HOLDER_SHAPE)
        try:
            deal = await self._agent.negotiate(negotiation, strategy, domain, offers, left_s + ROUND_S)
            # Until a call for it is over the lease is still this holder's, and it ends where nobody gets it.
            return deal is not None and await negotiation.sold(CALL_S_MAX) is not None
        except OutcomeTimeoutError:
            return False  # the lease ends by itself


class LeaseBuyer:
    """Answers whoever offers a lease: bargains where some job waits that it is worth something to."""

    def __init__(self, agent: Agent, backlog: Backlog, tally: Tally, use: Use) -> None:
        self._agent = agent
        self._backlog = backlog
        self._tally = tally
        self._use = use

    async def answer(self, negotiation: Negotiation) -> None:
        """See one to its end, and use what it brought."""
        try:
            await self._bargain(negotiation)
        except RejectedError as error:
            if error.code not in _OVER:
                self._tally.rejections[error.code] += 1
        except OutcomeTimeoutError:
            self._tally.rejections["no end of a negotiation in time"] += 1

    async def _bargain(self, negotiation: Negotiation) -> None:
        terms = negotiation.terms
        if negotiation.claimed:
            await negotiation.leave()  # a neighbour who wants a lease of ours: none of these agents claims
            return
        offers = offers_for(terms.units, terms.pool)
        # What is left when it is over, if all goes well.
        left_s = (terms.ends_at_ms - self._agent.connection.now_ms()) / 1000 - 1.0

        def worth(job: Job) -> int:
            return job.worth_ucr(terms.units, max(0.0, left_s), terms.pool)

        best = self._backlog.best(worth, offers[0].price_ucr)
        if best is None:
            await negotiation.leave()
            return
        job, worth_ucr = best
        cap_ucr = max(offer.price_ucr for offer in offers if offer.price_ucr <= worth_ucr)
        with self._backlog.promised(job, cap_ucr) as promise:
            await negotiation.join(cap_ucr, task=job.task.name)
            domain = domain_for(offers, worth_ucr)
            strategy = partial(TimeDependent, rounds=CONCEDED_BY, shape=BUYER_SHAPE)
            deal = await self._agent.negotiate(negotiation, strategy, domain, offers, ROUNDS * ROUND_S + 10)
            award = None if deal is None else deal.award or await negotiation.award(CALL_S_MAX)
            if deal is not None and award is not None:
                promise.paid_ucr = deal.price_ucr
                self._count(deal)
                await self._use(job, award)

    def _count(self, deal: Deal) -> None:
        self._tally.deals += 1
        self._tally.deals_paid_ucr += deal.price_ucr
