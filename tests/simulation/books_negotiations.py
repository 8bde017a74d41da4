"""The part of the books that keeps negotiations: turns and rounds, nothing taken back, and a deal is one step."""

from __future__ import annotations

from dataclasses import dataclass, field

from contractnet.messages import Entry, NegotiationOutcome, NegotiationProtocol
from contractnet.messages import events as e
from tests.simulation.books_resales import ResaleBooks

DEAL = [e.CreditsTransferred, e.LeaseEnded, e.SlotReserved, e.NegotiationClosed]
"""What follows the capture of a negotiation's hold."""


@dataclass(slots=True)
class Talk:
    """A negotiation that goes on."""

    opened: e.NegotiationOpened
    cap_ucr: int = 0
    round: int = 0
    offers: list[e.OfferMade] = field(default_factory=list)

    def of(self, account: bytes) -> list[e.OfferMade]:
        """The offers of a party."""
        return [offer for offer in self.offers if offer.account == account]


class NegotiationBooks(ResaleBooks):
    """Base of the books; every broken promise is an AssertionError."""

    holds: dict[bytes, tuple[bytes, int]]
    leases: dict[bytes, e.SlotReserved]
    owing: list[object]

    def __init__(self) -> None:
        super().__init__()
        self.talks: dict[bytes, Talk] = {}
        self.ended_talks: list[bytes] = []
        self.captured: int | None = None

    def need_fee(self, account: bytes) -> None:
        """An offer was made."""
        raise NotImplementedError

    def check_negotiations(self) -> None:
        """Between records."""
        for ident, talk in self.talks.items():
            assert talk.opened.award in self.leases, "somebody bargains over a lease that is over"
            assert (ident in self.holds) == (talk.cap_ucr > 0), "a negotiation without its hold, or the other way round"

    def capture(self, event: e.HoldCaptured) -> None:
        """The hold of a negotiation pays."""
        if event.hold in self.talks:
            assert event.captured_ucr + event.released_ucr == self.talks[event.hold].cap_ucr
            self.captured = event.captured_ucr
            self.owing = list(DEAL)

    def _NegotiationOpened(self, _: Entry, event: e.NegotiationOpened) -> None:
        assert self.leases[event.award].account == event.holder != event.counterpart
        assert all(talk.opened.award != event.award for talk in self.talks.values())
        self.need_free(event.award, event.counterpart)
        self.talks[event.negotiation] = Talk(event)

    def _NegotiationJoined(self, entry: Entry, event: e.NegotiationJoined) -> None:
        talk = self.talks[event.negotiation]
        assert talk.round == 0, "somebody joined twice"
        talk.round = 1
        if event.negotiation in self.claims:
            self.join_claim(entry, event, talk.opened.holder)
            return
        assert event.account == talk.opened.counterpart
        talk.cap_ucr = event.cap_ucr
        self.owing = [e.HoldPlaced]

    def _OfferMade(self, _: Entry, event: e.OfferMade) -> None:
        talk = self.talks[event.negotiation]
        buyer = talk.opened.counterpart
        self.need_fee(event.account)
        assert event.account in (talk.opened.holder, buyer)
        assert event.round == talk.round
        assert all(offer.round < event.round for offer in talk.of(event.account)), "two offers in a round"
        assert event.account != buyer or event.price_ucr <= talk.cap_ucr, "more than was set aside"
        if talk.opened.protocol is NegotiationProtocol.ALTERNATING:
            assert (event.account == buyer) == (event.round % 2 == 0), "out of turn"
            talk.round += 1
        else:
            for offer in talk.of(event.account):
                gain = event.price_ucr - offer.price_ucr
                fair = offer.options != event.options or (gain >= 0 if event.account == buyer else gain <= 0)
                assert fair, "a concession was taken back"
        talk.offers.append(event)

    def _OffersOpened(self, _: Entry, event: e.OffersOpened) -> None:
        talk = self.talks[event.negotiation]
        assert event.round == talk.round
        assert talk.opened.protocol is NegotiationProtocol.MONOTONIC
        assert all(talk.of(a) for a in (talk.opened.holder, talk.opened.counterpart)), "somebody never opened"
        talk.round += 1

    def _NegotiationClosed(self, entry: Entry, event: e.NegotiationClosed) -> None:
        talk = self.talks.pop(event.negotiation)
        self.ended_talks.append(event.negotiation)
        self.end_claim(entry, event, talk)
        called = event.negotiation in self.resales
        assert (event.negotiation in self.holds) == called, "a hold outlives its negotiation, or backs no bid"
        assert event.rounds <= talk.opened.rounds_max
        captured, self.captured = self.captured, None
        if event.outcome is not NegotiationOutcome.DEAL:
            assert (captured, event.price_ucr) == (None, 0)
            return
        assert called == (self.call_ms > 0), "a deal is called for, or is not, against the operator's word"
        assert called or captured == event.price_ucr > 0
        named = [offer.price_ucr for offer in talk.offers if offer.options == event.options]
        assert min(named) <= event.price_ucr <= max(named), "a deal that nobody has offered"
        assert called or self.leases[event.negotiation].account == talk.opened.counterpart
