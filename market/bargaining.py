"""Negotiations between two accounts: what they are, and what the market can tell of offers without knowing what an
outcome is worth to whom.

It knows one thing: the holder of the lease prefers a higher price and the buyer a lower one. So of two offers with the
same options one is better for the other party; about offers with different options nothing can be said. A party that
makes an offer is bound by it: of each combination of options the best price that it has named stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from contractnet.messages import Issue, NegotiationProtocol, Offer

HOLDER, BUYER = 0, 1
Made = tuple[Offer | None, Offer | None]
"""What the parties have offered in one round, the holder's first; None: nothing, so that it stands still."""


@dataclass(slots=True)
class Party:
    """One side: `stands` is the best price that it has named for each combination of options."""

    account: bytes
    stands: dict[tuple[int, ...], int] = field(default_factory=dict)
    last: Offer | None = None
    """Its newest offer that is open."""
    sealed: Offer | None = None
    """Its offer of a round that is not open yet."""


@dataclass(slots=True)
class Negotiation:
    """A negotiation that has not ended, over what is left of the lease `award`. `round` is 0 until the counterpart has
    joined."""

    id: bytes
    award: bytes
    protocol: NegotiationProtocol
    issues: tuple[Issue, ...]
    rounds_max: int
    round_ms: int
    still_rounds_max: int
    parties: tuple[Party, Party]
    """The holder and the buyer."""
    until_ms: int
    """When it is too late to join, or for the offers of the round."""
    round: int = 0
    still_rounds: int = 0
    """Rounds in a row in which nobody conceded."""
    cap_ucr: int = 0
    """What the buyer holds: from its joining on, or from its claim. 0: nothing yet."""
    task: str = ""
    pass_hash: bytes = bytes(32)
    claimed: bool = False
    """The buyer has opened it, and holds its cap from then on; the holder joins."""

    @property
    def joiner(self) -> Party:
        """Who is asked."""
        return self.parties[HOLDER if self.claimed else BUYER]

    @property
    def opener(self) -> bytes:
        """The account that asked."""
        return self.parties[BUYER if self.claimed else HOLDER].account

    def side_of(self, account: bytes) -> int | None:
        """0 for the holder, 1 for the buyer, None for anybody else."""
        return next((side for side in (HOLDER, BUYER) if self.parties[side].account == account), None)

    @property
    def turn(self) -> int:
        """Whose offer the round is (alternating offers): the holder's in round 1."""
        return (self.round - 1) % 2


def better_for_other(side: int, price_ucr: int, than_ucr: int) -> bool:
    """Whether the other side likes a price more than another."""
    return price_ucr < than_ucr if side == HOLDER else price_ucr > than_ucr


def takes_back(party: Party, side: int, offer: Offer) -> bool:
    """Whether an offer is worse for the other side than one of the same options before. Nothing else can be told
    without knowing utilities; whatever the utilities, such an offer breaks the protocol."""
    stands_ucr = party.stands.get(offer.options)
    return stands_ucr is not None and better_for_other(side, stands_ucr, offer.price_ucr)


def concedes(party: Party, side: int, offer: Offer | None) -> bool:
    """Whether an offer is more than what stands already."""
    if offer is None:
        return False
    stands_ucr = party.stands.get(offer.options)
    return stands_ucr is None or better_for_other(side, offer.price_ucr, stands_ucr)


def agreement(parties: Sequence[Party], made: Made) -> Offer | None:
    """The deal that a round's offers lead to, if any.

    Both have named a price for the same options, and the buyer's is not below the holder's: the price is the middle of
    the two, rounded down. Where each has come over to another's offer, the holder's is the deal.
    """
    stands = [dict(party.stands) for party in parties]
    for side, offer in enumerate(made):
        if offer is not None:
            stands[side][offer.options] = offer.price_ucr
    for offer in reversed(made):
        if offer is None or not all(offer.options in named for named in stands):
            continue
        asked_ucr, bid_ucr = (named[offer.options] for named in stands)
        if asked_ucr <= bid_ucr:
            return Offer(offer.options, (asked_ucr + bid_ucr) // 2)
    return None


def open_up(negotiation: Negotiation) -> None:
    """The offers of the round stand from now on, and the next round begins."""
    made: Made = (negotiation.parties[HOLDER].sealed, negotiation.parties[BUYER].sealed)
    conceded = [concedes(p, side, made[side]) for side, p in enumerate(negotiation.parties)]
    negotiation.still_rounds = 0 if any(conceded) else negotiation.still_rounds + 1
    for party, offer in zip(negotiation.parties, made, strict=True):
        if offer is not None:
            party.stands[offer.options] = offer.price_ucr
            party.last, party.sealed = offer, None
    negotiation.round += 1
