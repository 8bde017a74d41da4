"""A strategy of contractnet.strategies.bargaining in a negotiation of a market."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from contractnet.client.negotiation import Negotiation
from contractnet.errors import BrokenRuleError, RejectedError
from contractnet.messages import Code, NegotiationProtocol, Offer
from contractnet.messages.notices import RoundBegan
from contractnet.strategies.bargaining import AlternatingParty, Domain, Ladder, MonotonicParty, Standing, agreed

_LATE = (Code.ROUND_OVER, Code.NEGOTIATION_CLOSED)


class MonotonicStrategy(Protocol):
    """Makes a side's party of monotonic concession, for a domain in which there is something to agree on. `Zeuthen` is
    one; bring your own: any class or function like this will do."""

    def __call__(self, domain: Domain, side: int, /) -> MonotonicParty:
        """The party that bargains for `side`."""


class AlternatingStrategy(Protocol):
    """The same of alternating offers: `functools.partial(OutcomeAlternator, discounts=(0.9, 0.8))` is one. In a market
    their number is limited, so `horizon` is the negotiation's `rounds_max`."""

    def __call__(self, domain: Domain, side: int, /, *, horizon: int) -> AlternatingParty[int]:
        """The party that bargains for `side`, when nothing can be offered after round `horizon`."""


Strategy = MonotonicStrategy | AlternatingStrategy


async def play(negotiation: Negotiation, strategy: Strategy, domain: Domain, offers: Sequence[Offer]) -> None:
    """Make the strategy's moves until the negotiation is over, as `Agent.negotiate` says."""
    domain = domain.only(outcome for outcome, offer in enumerate(offers) if _affordable(negotiation, offer))
    if not domain.frontier:
        await _leave(negotiation)
        return
    try:
        player = _player(negotiation, strategy, domain, offers)
    except ValueError:
        await _leave(negotiation)
        raise
    outcomes = {offer: outcome for outcome, offer in enumerate(offers)}
    began = await negotiation.round()
    while isinstance(began, RoundBegan):
        unknown = [offer for offer in began.offers if offer not in outcomes]
        if unknown:
            await _leave(negotiation)
            raise BrokenRuleError(f"the other party offered {unknown[0]}, which is none of the {len(offers)} outcomes")
        try:
            await player.move(began.round, [outcomes[offer] for offer in began.offers])
        except RejectedError as error:
            # Who is late stands still, or it is over: the next notice tells.
            if error.code not in _LATE:
                await _leave(negotiation)
                raise
        began = await negotiation.round(began.round)


def _player(
    negotiation: Negotiation, strategy: Strategy, domain: Domain, offers: Sequence[Offer]
) -> _Concession | _Alternation:
    if negotiation.terms.protocol is NegotiationProtocol.MONOTONIC:
        conceding = cast(MonotonicStrategy, strategy)(domain, negotiation.side)
        return _Concession(negotiation, conceding, domain, offers)
    alternating = cast(AlternatingStrategy, strategy)
    party = alternating(domain, negotiation.side, horizon=negotiation.terms.rounds_max)
    return _Alternation(negotiation, party, domain, offers)


class _Moves:
    """One side's moves. Those of `domain` are the outcomes that it can pay for."""

    def __init__(self, negotiation: Negotiation, domain: Domain, offers: Sequence[Offer]) -> None:
        self._negotiation = negotiation
        self._side = negotiation.side
        self._domain = domain
        self._offers = offers
        self._ladder = Ladder(domain, negotiation.side)

    async def _offer(self, round_: int, outcome: int, floor: int) -> None:
        """Offer the outcome; in place of one that it cannot pay for, what is best for the other of those that it can,
        and that are worth as much to itself as that one, or as `floor`."""
        offer = self._offers[outcome]
        if not _affordable(self._negotiation, offer):
            gains = self._domain.gains[self._side]
            offer = self._offers[self._ladder.offer(min(gains[outcome], gains[floor]))]
        await self._negotiation.offer(round_, offer.price_ucr, offer.options)


class _Concession(_Moves):
    """Monotonic concession."""

    def __init__(
        self, negotiation: Negotiation, party: MonotonicParty, domain: Domain, offers: Sequence[Offer]
    ) -> None:
        super().__init__(negotiation, domain, offers)
        self._party = party

    async def move(self, round_: int, stand: list[int]) -> None:
        """Offer the deal, once both offers come to one, so that both name it; else what the strategy says."""
        if not stand:
            opening = self._party.propose()
            await self._offer(round_, opening, opening)
            return
        own, other = stand[self._side], stand[1 - self._side]
        outcome = agreed(self._domain, (stand[0], stand[1]))
        if outcome is None:
            outcome = self._party.respond(Standing(own, other, round_ - 1))
        await self._offer(round_, outcome, own)


class _Alternation(_Moves):
    """Alternating offers."""

    def __init__(
        self, negotiation: Negotiation, party: AlternatingParty[int], domain: Domain, offers: Sequence[Offer]
    ) -> None:
        super().__init__(negotiation, domain, offers)
        self._party = party

    async def move(self, round_: int, stand: list[int]) -> None:
        """Take the last offer, make the next one, or, after the last round, leave; nothing in the other's turn."""
        if (round_ - 1) % 2 != self._side:
            return
        negotiation = self._negotiation
        affordable = bool(stand) and _affordable(negotiation, self._offers[stand[0]])
        if affordable and self._party.accepts(stand[0], round_ - 1):
            await negotiation.accept(round_ - 1)
        elif round_ > negotiation.terms.rounds_max:
            await negotiation.leave()
        else:
            outcome = self._party.propose(round_)
            await self._offer(round_, outcome, outcome)


def _affordable(negotiation: Negotiation, offer: Offer) -> bool:
    return negotiation.cap_ucr is None or offer.price_ucr <= negotiation.cap_ucr


async def _leave(negotiation: Negotiation) -> None:
    """Leave, unless it is over already."""
    try:
        await negotiation.leave()
    except RejectedError as error:
        if error.code is not Code.NEGOTIATION_CLOSED:
            raise
