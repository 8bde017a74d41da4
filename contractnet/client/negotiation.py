"""A negotiation as one of its parties sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from contractnet.client.connection import TIMEOUT_S
from contractnet.client.lease import Award, Token, pass_hash, pass_secret
from contractnet.client.shown import Shown
from contractnet.client.talks import Talk, Terms
from contractnet.errors import OutcomeTimeoutError
from contractnet.messages import NegotiationOutcome, Winner
from contractnet.messages import commands as c
from contractnet.messages.notices import LeaseWanted, NegotiationEnded, RoundBegan

if TYPE_CHECKING:
    from contractnet.client.agent import Agent


@dataclass(frozen=True, slots=True, repr=False)
class Deal(Shown):
    """What a negotiation came to: the agreed option of each issue, by number, and the agreed price.

    Where the operator has it so, the lease is called for at that price first: `called` is whether it is, or was, and
    `Negotiation.sold` and `Negotiation.award` wait for what comes of it. Else the lease and the price have moved.

    `award` is what the buyer has by now: the rest of the lease, with the token and the secret for a gate. None for the
    holder, and while the call is open.
    """

    negotiation: bytes
    options: tuple[int, ...]
    price_ucr: int
    called: bool
    award: Award | None = field(compare=False)


class Negotiation:
    """A negotiation over what is left of a lease. `terms` are those that it was proposed with; `side` is 0 for the
    holder, who sells, and 1 for the counterpart, who buys. `claimed`: the counterpart has opened it, and the holder is
    asked; `terms.counterpart_name` says who it is. `cap_ucr` is the most that the buyer can pay: None for the
    holder, and before the buyer has joined.

    Methods that send a command raise RejectedError: ROUND_OVER and NEGOTIATION_CLOSED where it came too late.
    """

    def __init__(
        self, agent: Agent, terms: Terms, talk: Talk, secret: bytes = bytes(32), cap_ucr: int | None = None
    ) -> None:
        self.id = terms.negotiation
        self.terms = terms
        self.side = 0 if terms.account == terms.holder else 1
        self.claimed = isinstance(terms, LeaseWanted)
        self.cap_ucr = cap_ucr
        self._agent = agent
        self._talk = talk
        self._secret = secret

    def __repr__(self) -> str:
        terms = self.terms
        return f"Negotiation(id={self.id.hex()}, {terms.protocol}, over {terms.units} x {terms.pool}, side={self.side})"

    async def join(self, cap_ucr: int = 0, task: str = "", timeout_s: float = TIMEOUT_S) -> None:
        """Begin to bargain, as whoever is asked. The counterpart's `cap_ucr` is held until the end: no offer or deal is
        above it. The holder of a lease that is claimed joins without one."""
        seed = self._agent.credential.keys.seed

        def command(ident: bytes) -> c.JoinNegotiation:
            return c.JoinNegotiation(self.id, cap_ucr, task, pass_hash(pass_secret(seed, ident)))

        sealed = self._agent.seal_with_id(command)
        self._secret = pass_secret(seed, sealed.command_id)
        await self._agent.submit(sealed, timeout_s)
        if self.side:
            self.cap_ucr = cap_ucr

    async def round(self, after: int = 0) -> RoundBegan | NegotiationEnded:
        """The newest round after round `after`, as soon as it begins, or the end of the negotiation.

        A round has its number, its end in market time, and the offers that stand: of monotonic concession the holder's
        and the counterpart's, of alternating offers the last one.
        """
        return await self._talk.after(after)

    async def offer(
        self, round_: int, price_ucr: int, options: Sequence[int] = (), timeout_s: float = TIMEOUT_S
    ) -> None:
        """Make an offer in a round: a price, and an option of each issue by its number."""
        await self._agent.submit(
            self._agent.prepare(c.MakeOffer(self.id, round_, tuple(options), price_ucr)), timeout_s
        )

    async def accept(self, round_: int, timeout_s: float = TIMEOUT_S) -> None:
        """Take the other's offer of a round (alternating offers)."""
        await self._agent.submit(self._agent.prepare(c.AcceptOffer(self.id, round_)), timeout_s)

    async def leave(self, timeout_s: float = TIMEOUT_S) -> None:
        """End it without a deal, or decline to join."""
        await self._agent.submit(self._agent.prepare(c.LeaveNegotiation(self.id)), timeout_s)

    async def outcome(self, timeout_s: float | None = None) -> Deal | None:
        """The deal, or None for none, once it is over. Raises OutcomeTimeoutError when it is not within `timeout_s`
        seconds (None: wait)."""
        try:
            async with asyncio.timeout(timeout_s):
                ended = await self._talk.after(self.terms.rounds_max + 1)
        except TimeoutError as error:
            silence = self._agent.connection.silence()
            message = f"negotiation {self.id.hex()} has not ended within {timeout_s:g} s ({silence})"
            raise OutcomeTimeoutError(message, self.id) from error
        assert isinstance(ended, NegotiationEnded)
        if ended.outcome is not NegotiationOutcome.DEAL:
            return None
        award = self._award(ended.price_ucr) if self.side else None
        return Deal(self.id, ended.options, ended.price_ucr, self._is_called(), award)

    async def sold(self, timeout_s: float | None = None) -> Winner | None:
        """Who has the lease after a deal, by bid, and for how much, once a call for it is over. The buyer's bid has the
        negotiation's id. None without a deal, and where the lease was over before anybody could have it.

        Raises OutcomeTimeoutError when that is not known within `timeout_s` seconds (None: wait).
        """
        deal = await self.outcome(timeout_s)
        if deal is None:
            return None
        if not deal.called:
            return Winner(self.id, deal.price_ucr)
        settled = await self._agent.connection.cfp_outcome(self.id, timeout_s)
        return next(iter(settled.winners), None)

    async def award(self, timeout_s: float | None = None) -> Award | None:
        """What the buyer has after a deal, once a call for the lease is over; None for the holder, where somebody else
        has bid more, and without a deal. Raises OutcomeTimeoutError as `sold` does."""
        won = await self.sold(timeout_s)
        return self._award(won.price_ucr) if won is not None and won.bid == self.id and self.side else None

    def _is_called(self) -> bool:
        # It is announced before the sealed end in the same record.
        book = self._agent.connection.book
        return self.id in book.open_cfps or self.id in book.settled

    def _award(self, price_ucr: int) -> Award | None:
        # The grant stands before the sealed end in the same record.
        lease = self._agent.connection.book.grant_of(self.id)
        if lease is None:
            return None
        return Award(
            id=self.id,
            price_ucr=price_ucr,
            pool=lease.pool,
            units=lease.units,
            starts_at_ms=lease.starts_at_ms,
            ends_at_ms=lease.ends_at_ms,
            token=Token(self._agent.connection.partition, lease.token_offset, lease.token_index),
            secret=self._secret,
        )
