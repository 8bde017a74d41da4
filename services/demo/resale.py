"""Leases of a pool with long slots are sold on: who needs its GPU no longer bargains with one who waits for one, and
who was outbid claims the lease of one who has won. How they bargain is in bargains.py."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Sequence

from contractnet.client import Agent, Award, Negotiation
from contractnet.errors import OutcomeTimeoutError, RejectedError
from contractnet.messages import Code
from contractnet.messages.notices import RoundBegan
from services.demo.backlog import Backlog, Job, Promise
from services.demo.bargains import ROUND_S, ROUNDS, Bargain, claimable_ucr, terms_of
from services.demo.tally import Tally
from services.demo.tenancy import Tenant

LEFT_S_MIN = 2.5
"""Less is not worth the trouble: a negotiation takes a second or two."""
CALL_S_MAX = 65
"""No call for a lease that was bargained for takes longer, where the operator has them."""
CLAIM_AFTER_S = (0.5, 2.0)
"""How long whoever was outbid waits before it claims: the holder may have less to do by then."""
ASKED_MAX = 3
"""How many neighbours are asked, one after the other, as long as they decline."""
# Over before an answer: the lease ran out, the other has left, somebody else bargains over it, or came too late.
_OVER = {
    Code.UNKNOWN_LEASE,
    Code.UNKNOWN_NEGOTIATION,
    Code.NEGOTIATION_CLOSED,
    Code.ROUND_OVER,
    Code.LEASE_IN_NEGOTIATION,
    Code.LIMIT_REACHED,
}


class Reseller:
    """Sells what is left of a lease to one of the neighbours."""

    def __init__(
        self, agent: Agent, neighbours: Sequence[bytes], resold: set[str], tally: Tally, rng: random.Random
    ) -> None:
        self._agent = agent
        self._tally = tally
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
                # INSUFFICIENT_CREDIT: no credits for the fee of an offer.
                if error.code not in _OVER:
                    self._tally.refuse(error)
                sold = False
            if sold is not None:
                return sold
            left_s -= time.monotonic() - begun_s
            if left_s < LEFT_S_MIN:
                break
        return False

    async def _ask(self, award: Award, account: bytes, left_s: float) -> bool | None:
        """Whether it has bought the rest of the lease, so many seconds; None where it declines to bargain."""
        terms = terms_of(self._rng)
        negotiation = await self._agent.open_negotiation(
            award,
            account,
            protocol=terms.protocol,
            issues=terms.issues,
            rounds_max=terms.rounds_max,
            round_s=ROUND_S,
            still_rounds_max=terms.still_rounds_max,
        )
        if not isinstance(await negotiation.round(), RoundBegan):
            return None
        return await sells(self._agent, negotiation, left_s)


async def sells(agent: Agent, negotiation: Negotiation, left_s: float, kept_ucr: int = 0) -> bool:
    """Bargain as the holder of a lease that is worth `kept_ucr` to it, and has so many seconds; whether it is sold."""
    bargain = Bargain.of(negotiation)
    domain = bargain.domain(kept_ucr=kept_ucr)
    try:
        deal = await agent.negotiate(negotiation, bargain.strategy(), domain, bargain.offers, left_s + ROUND_S)
        # Until a call for it is over the lease is still this holder's, and it ends where nobody gets it.
        return deal is not None and await negotiation.sold(CALL_S_MAX) is not None
    except OutcomeTimeoutError:
        return False  # the lease ends by itself


class LeaseBuyer:
    """Bargains for leases of others where some job waits that it is worth something to: asked by the holder, or by a
    claim of its own; and as a holder answers the claims of others."""

    def __init__(self, agent: Agent, backlog: Backlog, tally: Tally, tenant: Tenant, rng: random.Random) -> None:
        self._agent = agent
        self._backlog = backlog
        self._tally = tally
        self._tenant = tenant
        self._rng = rng

    async def answer(self, negotiation: Negotiation) -> None:
        """See one to its end, and use what it brought."""
        await self._guarded(self._hold(negotiation) if negotiation.claimed else self._bargain(negotiation))

    async def claim(self, job: Job, award: bytes, pool: str, units: int, seconds: float) -> None:
        """Ask whoever holds a lease for it, as it is worth more to a job."""
        await self._guarded(self._claim(job, award, pool, units, seconds))

    async def _guarded(self, bargaining: Awaitable[None]) -> None:
        try:
            await bargaining
        except RejectedError as error:
            if error.code not in _OVER:
                self._tally.refuse(error)
        except OutcomeTimeoutError:
            self._tally.rejections["no end of a negotiation in time"] += 1

    def _left_s(self, ends_at_ms: int) -> float:
        """What is left when it is over, if all goes well."""
        return max(0.0, (ends_at_ms - self._agent.connection.now_ms()) / 1000 - 1.0)

    async def _bargain(self, negotiation: Negotiation) -> None:
        terms, bargain = negotiation.terms, Bargain.of(negotiation)
        left_s = self._left_s(terms.ends_at_ms)

        def worth(job: Job) -> int:
            return self._backlog.worth_ucr(job, terms.units, left_s, terms.pool)

        best = self._backlog.best(worth, bargain.least_ucr)
        if best is None:
            await negotiation.leave()
            return
        job, worth_ucr = best
        cap_ucr = bargain.cap_ucr(worth_ucr)
        with self._backlog.promised(job, cap_ucr) as promise:
            await negotiation.join(cap_ucr, task=job.task.name)
            await self._conclude(negotiation, job, worth_ucr, promise)

    async def _claim(self, job: Job, award: bytes, pool: str, units: int, seconds: float) -> None:
        wait_s = self._rng.uniform(*CLAIM_AFTER_S)
        await asyncio.sleep(wait_s)
        worth_ucr = self._backlog.worth_ucr(job, units, seconds - wait_s - 1.0, pool)
        if job.busy or worth_ucr < claimable_ucr(pool, units) or not self._backlog.affords(worth_ucr):
            return
        terms = terms_of(self._rng, with_issue=0.0)
        with self._backlog.promised(job, worth_ucr) as promise:
            self._tally.claims += 1
            negotiation = await self._agent.claim(
                award,
                worth_ucr,
                task=job.task.name,
                protocol=terms.protocol,
                rounds_max=terms.rounds_max,
                round_s=ROUND_S,
                still_rounds_max=terms.still_rounds_max,
            )
            if isinstance(await negotiation.round(), RoundBegan):
                self._tally.claims_joined += 1
                await self._conclude(negotiation, job, worth_ucr, promise)

    async def _conclude(self, negotiation: Negotiation, job: Job, worth_ucr: int, promise: Promise) -> None:
        """Bargain as the buyer, and use what it brings."""
        bargain, tally = Bargain.of(negotiation), self._tally
        tally.talks[bargain.style] += 1
        domain = bargain.domain(worth_ucr)
        deal = await self._agent.negotiate(
            negotiation, bargain.strategy(), domain, bargain.offers, ROUNDS * ROUND_S + 10
        )
        award = None if deal is None else deal.award or await negotiation.award(CALL_S_MAX)
        if deal is None or award is None:
            return
        promise.paid_ucr = deal.price_ucr
        tally.deals += 1
        tally.deals_paid_ucr += deal.price_ucr
        tally.deals_over_issues += bool(deal.options)
        tally.claims_won += negotiation.claimed
        tally.agreed[bargain.style] += 1
        await self._tenant.use(job, award)

    async def _hold(self, negotiation: Negotiation) -> None:
        """Answer a claim: bargain where the dearest price is more than the lease is worth to the job that uses it."""
        terms, bargain = negotiation.terms, Bargain.of(negotiation)
        left_s = self._left_s(terms.ends_at_ms)
        job, share = self._tenant.use_of(terms.award)
        kept_ucr = 0 if job is None else round(share * self._backlog.worth_ucr(job, terms.units, left_s, terms.pool))
        if left_s < LEFT_S_MIN - 1.0 or kept_ucr >= bargain.most_kept_ucr:
            await negotiation.leave()
            return
        with self._tenant.bargaining(terms.award):
            await negotiation.join()
            if await sells(self._agent, negotiation, left_s, kept_ucr):
                self._tenant.lost(terms.award)
