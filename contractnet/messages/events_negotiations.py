"""What happened in negotiations; contractnet.messages.events has them as well."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event
from contractnet.messages.types import Issue, NegotiationOutcome, NegotiationProtocol


@dataclass(frozen=True, slots=True)
class NegotiationOpened(Event):
    """A holder asks an account to bargain over what is left of its lease."""

    negotiation: bytes
    award: bytes
    holder: bytes
    counterpart: bytes
    protocol: NegotiationProtocol
    issues: tuple[Issue, ...]
    rounds_max: int
    round_ms: int
    still_rounds_max: int


@dataclass(frozen=True, slots=True)
class NegotiationJoined(Event):
    """The counterpart bargains, and the first round begins; the hold of its cap follows."""

    negotiation: bytes
    account: bytes
    cap_ucr: int
    task: str
    pass_hash: bytes


@dataclass(frozen=True, slots=True)
class OfferMade(Event):
    """A party made its offer of a round. In monotonic concession it is sealed until the round's offers open."""

    negotiation: bytes
    round: int
    account: bytes
    options: tuple[int, ...]
    price_ucr: int


@dataclass(frozen=True, slots=True)
class OffersOpened(Event):
    """The offers of a round of monotonic concession are open to both; the next round begins, or it is the end."""

    negotiation: bytes
    round: int


@dataclass(frozen=True, slots=True)
class NegotiationClosed(Event):
    """A negotiation ended. `rounds` is how many had offers; without a deal options are none and the price is 0."""

    negotiation: bytes
    holder: bytes
    counterpart: bytes
    outcome: NegotiationOutcome
    rounds: int
    options: tuple[int, ...]
    price_ucr: int
