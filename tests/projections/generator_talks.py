"""The part of random histories that bargains."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from contractnet.messages import Direction, Event, Issue, LeaseEnd, NegotiationOutcome, NegotiationProtocol, Pricing
from contractnet.messages import events as ev
from tests.projections.parts import Cfp

CAP_UCR = 1_000
SECOND = (Pricing.SECOND, 1_790_000_000_500)


@dataclass
class _Talk:
    ident: bytes
    lease: tuple[bytes, str]
    holder: bytes
    buyer: bytes
    round: int = 0
    claimed: bool = False


@dataclass
class Talks:
    """Negotiations that go on."""

    dice: random.Random
    going: dict[bytes, _Talk] = field(default_factory=dict)
    sold: tuple[bytes, str] = (b"", "")
    """The lease of the newest deal."""
    called: dict[bytes, Cfp] = field(default_factory=dict)
    """Calls for leases that nobody has taken over yet."""

    def over(self, award: bytes) -> bool:
        """Whether a lease is bargained for."""
        return any(talk.lease[0] == award for talk in self.going.values())

    def step(self, command: bytes, lease: tuple[bytes, str], buyer: bytes, holder: bytes) -> list[Event]:
        """Another negotiation about the lease, or what happens next in one."""
        if buyer != holder and not self.over(lease[0]) and (not self.going or self.dice.random() < 0.2):
            self.going[command] = talk = _Talk(command, lease, holder, buyer)
            issues = (Issue("when 'now' ü", ("a", "b")), Issue("n", ("x", "y", "z")))
            terms = (NegotiationProtocol.MONOTONIC, self.dice.choice([(), issues]), 9, 60_000, 1)
            opened = ev.NegotiationOpened(command, lease[0], talk.holder, talk.buyer, *terms)
            if self.dice.random() < 0.6:
                return [opened]
            talk.claimed = True
            claimed = ev.LeaseClaimed(command, buyer, CAP_UCR, "task 'claimed'", bytes(32))
            return [opened, claimed, ev.HoldPlaced(command, buyer, CAP_UCR, command)]
        if not self.going:
            return [ev.ClockAdvanced()]
        talk = self.dice.choice(list(self.going.values()))
        if talk.round == 0 and talk.claimed:
            talk.round = 1
            return [ev.NegotiationJoined(talk.ident, talk.holder, 0, "none of it", bytes(32))]
        if talk.round == 0:
            talk.round = 1
            joined = ev.NegotiationJoined(talk.ident, talk.buyer, CAP_UCR, "task \0", bytes(32))
            return [joined, ev.HoldPlaced(talk.ident, talk.buyer, CAP_UCR, talk.ident)]
        if self.dice.random() < 0.6:
            who, options = self.dice.choice([talk.holder, talk.buyer]), self.dice.choice([(), (1, 2)])
            events: list[Event] = [ev.OfferMade(talk.ident, talk.round, who, options, self.dice.randint(1, CAP_UCR))]
            if self.dice.random() < 0.5:
                events.append(ev.OffersOpened(talk.ident, talk.round))
                talk.round += 1
            return events
        return self._end(self.going.pop(talk.ident))

    def _end(self, talk: _Talk) -> list[Event]:
        ends = (talk.ident, talk.holder, talk.buyer)
        if self.dice.random() < 0.5:
            released = ev.HoldReleased(talk.ident, talk.buyer, CAP_UCR)
            return [released, ev.NegotiationClosed(*ends, NegotiationOutcome.STANDSTILL, talk.round, (), 0)]
        price_ucr = self.dice.randint(1, CAP_UCR)
        if self.dice.random() < 0.4:
            bids = {talk.ident: (talk.buyer, price_ucr, "sold")}
            self.called[talk.ident] = Cfp(talk.ident, talk.holder, talk.lease[1], 2, bids)
            return [
                ev.CfpOpened(talk.ident, talk.holder, Direction.SELL, talk.lease[1], 2, 9, 1, price_ucr, *SECOND),
                ev.BidPlaced(talk.ident, talk.ident, talk.buyer, price_ucr, 700, 0, "sold", bytes(32), None),
                ev.HoldResized(talk.ident, talk.buyer, price_ucr),
                ev.NegotiationClosed(*ends, NegotiationOutcome.DEAL, talk.round, (1, 2), price_ucr),
            ]
        self.sold = talk.lease
        return [
            ev.HoldCaptured(talk.ident, talk.buyer, price_ucr, CAP_UCR - price_ucr),
            ev.LeaseEnded(talk.lease[0], talk.lease[1], LeaseEnd.RESOLD),
            ev.SlotReserved(talk.ident, talk.lease[1], 2, talk.buyer, 5, 60_000, bytes(32)),
            ev.NegotiationClosed(*ends, NegotiationOutcome.DEAL, talk.round, (1, 2), price_ucr),
        ]
