"""What happens to bids because of their groups. Fields and units: schemas/events/."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event


@dataclass(frozen=True, slots=True)
class BidGrouped(Event):
    """The bid that was just placed belongs to a group of its bidder's, of which at most `wins_max` win."""

    bid: bytes
    account: bytes
    group: bytes
    wins_max: int


@dataclass(frozen=True, slots=True)
class HoldResized(Event):
    """A hold backs more or less of its bid than before: the holds of a group are the prices of those that could still
    win together."""

    hold: bytes
    account: bytes
    amount_ucr: int
