"""A strategy of contractnet.strategies.bargaining in a negotiation of a market."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from contractnet.client.negotiation import Negotiation
from contractnet.errors import BrokenRuleError, RejectedError
from contractnet.messages import Code, NegotiationProtocol, Offer
from contractnet.messages.notices import RoundBegan
from contractnet.strategies.bargaining import AlternatingParty, Domain, MonotonicParty, Standing, agreed

Strategy = MonotonicParty | AlternatingParty[int]

_LATE = (Code.ROUND_OVER, Code.NEGOTIATION_CLOSED)


async def play(negotiation: Negotiation, strategy: Strategy, domain: Domain, offers: Sequence[Offer]) -> None:
    """Make the strategy's moves until the negotiation is over. `offers` are what the domain's outcomes stand for."""
    outcomes = {offer: outcome for outcome, offer in enumerate(offers)}
    monotonic = negotiation.terms.protocol is NegotiationProtocol.MONOTONIC
    began = await negotiation.round()
    while isinstance(began, RoundBegan):
        unknown = [offer for offer in began.offers if offer not in outcomes]
        if unknown:
            await negotiation.leave()
            raise BrokenRuleError(f"the other party offered {unknown[0]}, which is none of the {len(offers)} outcomes")
        stand = [outcomes[offer] for offer in began.offers]
        try:
            if monotonic:
                move = _concession(negotiation.side, cast(MonotonicParty, strategy), domain, stand, began.round)
                await _offer(negotiation, began.round, offers[move])
            elif (began.round - 1) % 2 == negotiation.side:
                await _turn(negotiation, cast("AlternatingParty[int]", strategy), offers, stand, began.round)
        except RejectedError as error:
            # Who is late stands still, or it is over: the next notice tells.
            if error.code not in _LATE:
                raise
        began = await negotiation.round(began.round)


def _concession(side: int, strategy: MonotonicParty, domain: Domain, stand: list[int], round_: int) -> int:
    """The outcome to offer: the deal, once both offers come to one, so that both name it; else what the strategy
    says."""
    if not stand:
        return strategy.propose()
    deal = agreed(domain, (stand[0], stand[1]))
    return strategy.respond(Standing(stand[side], stand[1 - side], round_ - 1)) if deal is None else deal


async def _turn(
    negotiation: Negotiation, strategy: AlternatingParty[int], offers: Sequence[Offer], stand: list[int], round_: int
) -> None:
    if stand and strategy.accepts(stand[0], round_ - 1):
        await negotiation.accept(round_ - 1)
    elif round_ > negotiation.terms.rounds_max:
        await negotiation.leave()
    else:
        await _offer(negotiation, round_, offers[strategy.propose(round_)])


async def _offer(negotiation: Negotiation, round_: int, offer: Offer) -> None:
    await negotiation.offer(round_, offer.price_ucr, offer.options)
