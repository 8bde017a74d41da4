"""The part of an agent that bargains over leases (docs/negotiations.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from contractnet.client.bargaining import Strategy, play
from contractnet.client.connection import TIMEOUT_S
from contractnet.client.inbox import Inbox
from contractnet.client.lease import Award, pass_hash, pass_secret
from contractnet.client.negotiation import Deal, Negotiation
from contractnet.client.rotation import KeyHolder
from contractnet.messages import Issue, NegotiationProtocol, Offer
from contractnet.messages import commands as c
from contractnet.messages.notices import LeaseGranted
from contractnet.strategies.bargaining import Domain

if TYPE_CHECKING:
    from contractnet.client.agent import Agent

ROUNDS_MAX, ROUND_S, STILL_ROUNDS_MAX = 100, 10.0, 1


class Bargainer(KeyHolder):
    """Base of Agent."""

    _subscriptions: WeakSet[Any]

    def _need_inbox(self) -> Inbox:
        raise NotImplementedError

    async def open_negotiation(
        self,
        lease: Award | bytes,
        counterpart: bytes,
        *,
        protocol: NegotiationProtocol | str = NegotiationProtocol.MONOTONIC,
        issues: Sequence[Issue] = (),
        rounds_max: int = ROUNDS_MAX,
        round_s: float = ROUND_S,
        still_rounds_max: int = STILL_ROUNDS_MAX,
        timeout_s: float = TIMEOUT_S,
    ) -> Negotiation:
        """Ask an account (16 bytes) to bargain over a lease that this agent holds: the price, and an option of each
        of the issues.

        The counterpart may join within `round_s` seconds, and each round takes offers for as long. With MONOTONIC it
        is over after `rounds_max` rounds, or more than `still_rounds_max` in a row in which nobody concedes.
        """
        command = c.OpenNegotiation(
            award=lease if isinstance(lease, bytes) else lease.id,
            counterpart=counterpart,
            protocol=NegotiationProtocol(protocol),
            issues=tuple(issues),
            rounds_max=rounds_max,
            round_ms=round(round_s * 1000),
            still_rounds_max=still_rounds_max,
        )
        inbox, sealed = self._need_inbox(), self.prepare(command)
        talk = inbox.talks.of(sealed.command_id)
        await self.submit(sealed, timeout_s)
        return Negotiation(cast("Agent", self), await talk.terms(), talk)

    async def claim(
        self,
        lease: LeaseGranted | bytes,
        cap_ucr: int,
        *,
        task: str = "",
        protocol: NegotiationProtocol | str = NegotiationProtocol.MONOTONIC,
        issues: Sequence[Issue] = (),
        rounds_max: int = ROUNDS_MAX,
        round_s: float = ROUND_S,
        still_rounds_max: int = STILL_ROUNDS_MAX,
        timeout_s: float = TIMEOUT_S,
    ) -> Negotiation:
        """Ask whoever holds a lease (one of `connection.leases`, or its award's 16 bytes) to bargain over it, as its
        buyer. `cap_ucr` is held from now on: no offer or deal is above it.

        The holder may join within `round_s` seconds, 300 at most, leave, or bargain with somebody else instead: then
        the outcome is None, and the cap is free. Who was not joined may not claim this lease again for an hour, nor may
        others of its budget root (LIMIT_REACHED). The other terms are those of `open_negotiation`.
        """
        award, seed = lease if isinstance(lease, bytes) else lease.award, self.credential.keys.seed

        def command(ident: bytes) -> c.ClaimLease:
            return c.ClaimLease(
                award=award,
                protocol=NegotiationProtocol(protocol),
                issues=tuple(issues),
                rounds_max=rounds_max,
                round_ms=round(round_s * 1000),
                still_rounds_max=still_rounds_max,
                cap_ucr=cap_ucr,
                task=task,
                pass_hash=pass_hash(pass_secret(seed, ident)),
            )

        agent = cast("Agent", self)
        inbox, sealed = self._need_inbox(), agent.seal_with_id(command)
        talk = inbox.talks.of(sealed.command_id)
        await self.submit(sealed, timeout_s)
        return Negotiation(agent, await talk.terms(), talk, pass_secret(seed, sealed.command_id), cap_ucr)

    async def negotiations(self) -> AsyncIterator[Negotiation]:
        """Iterate over the negotiations that this agent is asked for, as the counterpart, or as the holder of a lease
        that is claimed: those that wait for it, and each later one."""
        inbox = self._need_inbox()
        proposals = inbox.talks.asked()
        self._subscriptions.add(proposals)
        async for terms in proposals:
            yield Negotiation(cast("Agent", self), terms, inbox.talks.of(terms.negotiation))

    async def negotiate(
        self,
        negotiation: Negotiation,
        strategy: Strategy,
        domain: Domain,
        offers: Sequence[Offer],
        timeout_s: float | None = None,
    ) -> Deal | None:
        """Let a strategy of contractnet.strategies.bargaining bargain to the end; the deal, or None.

        `strategy` makes this side's party: `Zeuthen` as it is, others with `functools.partial` or a function; see
        `MonotonicStrategy` and `AlternatingStrategy`. `domain` has what each outcome is worth to the holder (party 0)
        and to the counterpart (party 1), and `offers` what each outcome is. Whoever is asked joins first.

        It leaves, and there is no deal, where no outcome is at least as good as none for both; for the buyer, where
        none of these has a price within what it has set aside. It names no price above that: what the strategy would
        give in is given in as far as that goes. It leaves as well before it raises: RejectedError when the market
        refuses a move for another reason than that it came too late, ValueError when the strategy cannot be made, and
        BrokenRuleError when the other party offers what is none of the outcomes.

        A lease that is called for after the deal is not there yet: `deal.called`, `negotiation.award()`.
        """
        await play(negotiation, strategy, domain, offers)
        return await negotiation.outcome(timeout_s)
