"""What must hold of resales with an open call and of claims, kept from the ledger's events alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contractnet.messages import CfpOutcome, Direction, Entry, LeaseEnd, NegotiationOutcome
from contractnet.messages import events as e

if TYPE_CHECKING:
    from tests.simulation.books import Auction
    from tests.simulation.books_negotiations import Talk

DEAL: list[object] = [e.BidPlaced, e.HoldResized, e.NegotiationClosed]
"""What follows the opening of a call for a lease."""
SALE: list[object] = [e.LeaseEnded, e.SlotReserved, e.HoldCaptured, e.CreditsTransferred]
"""What follows the award of one."""
WAIT_RULES, WAIT_MS, AGAIN_MS = 10, 300_000, 3_600_000
"""Since which rules claims wait for minutes: for how many milliseconds, and how long their root waits then."""


class ResaleBooks:
    """Base of the books; every broken promise is an AssertionError."""

    holds: dict[bytes, tuple[bytes, int]]
    leases: dict[bytes, e.SlotReserved]
    owing: list[object]
    roots: dict[bytes, str]
    rules: int
    talks: dict[bytes, Talk]

    def __init__(self) -> None:
        self.call_ms = 0
        self.resales: dict[bytes, bytes] = {}
        """The lease of each call for one."""
        self.claims: dict[bytes, int] = {}
        """When it is too late for the holder to join each."""
        self.unjoined: dict[tuple[bytes, str], int] = {}
        """When the last claim of a budget root on a lease ended that its holder had not joined."""
        self.last: int | None = None
        """That of the root and the lease whose negotiation opens."""
        self.sold: e.SlotReserved | None = None
        """The lease that the record at hand sells on."""

    def _ResaleCallSet(self, _: Entry, event: e.ResaleCallSet) -> None:
        self.call_ms = event.call_ms

    def _LeaseClaimed(self, entry: Entry, event: e.LeaseClaimed) -> None:
        talk, at_ms = self.talks[event.negotiation], entry.source.at_ms
        assert (talk.round, talk.cap_ucr) == (0, 0)
        assert event.account == talk.opened.counterpart
        talk.cap_ucr = event.cap_ucr
        wait_ms = talk.opened.round_ms if self.rules < WAIT_RULES else min(talk.opened.round_ms, WAIT_MS)
        self.claims[event.negotiation] = at_ms + wait_ms
        assert self.last is None or at_ms >= self.last + AGAIN_MS, "a root claims a lease again that it kept waiting"
        self.owing = [e.HoldPlaced]

    def join_claim(self, entry: Entry, event: e.NegotiationJoined, holder: bytes) -> None:
        """The holder of a lease that is claimed bargains."""
        assert (event.account, event.cap_ucr) == (holder, 0)
        assert entry.source.at_ms < self.claims[event.negotiation], "a holder joins too late"

    def end_claim(self, entry: Entry, event: e.NegotiationClosed, talk: Talk) -> None:
        """A negotiation ends; it may be a claim that nobody joined."""
        until_ms, at_ms = self.claims.pop(event.negotiation, None), entry.source.at_ms
        if until_ms is None or talk.round:
            return
        assert event.outcome is not NegotiationOutcome.EXPIRED or at_ms >= until_ms, "a claim's time was cut"
        if self.rules >= WAIT_RULES:
            self.unjoined[talk.opened.award, self.roots[event.counterpart]] = at_ms

    def need_free(self, award: bytes, counterpart: bytes) -> None:
        """A negotiation over a lease begins. Whom its holder asks has not been kept waiting."""
        assert award not in self.resales.values(), "a lease is bargained for and called for"
        self.last = self.unjoined.pop((award, self.roots[counterpart]), None)

    def call_for(self, entry: Entry, event: e.CfpOpened) -> bool:
        """A CFP opens; whether it is for a lease that was bargained for."""
        talk = self.talks.get(event.cfp)
        if talk is None:
            return False
        lease, until_ms = self.leases[talk.opened.award], entry.source.at_ms + self.call_ms
        assert self.call_ms > 0, "a deal was called for that is to be settled at once"
        assert (event.manager, event.pool, event.units) == (talk.opened.holder, lease.pool, lease.units)
        assert (event.closes_at_ms, event.slots, event.direction) == (until_ms, 1, Direction.SELL)
        assert until_ms < lease.ends_at_ms, "a call outlives its lease"
        assert lease.award not in self.resales.values(), "a lease is called for twice"
        self.resales[event.cfp] = lease.award
        self.owing = list(DEAL)
        return True

    def is_agreed(self, event: e.BidPlaced, auction: Auction) -> bool:
        """A bid; whether it is the buyer's part of a deal."""
        assert event.cfp not in self.resales or event.start_delay_ms == 0, "a resale begins later"
        if event.bid != event.cfp:
            return False
        assert event.account == self.talks[event.cfp].opened.counterpart
        assert event.price_ucr == auction.opened.reserve_price_ucr
        return True

    def shrink(self, event: e.HoldResized) -> bool:
        """A hold changes; whether it was a buyer's cap."""
        talk = self.talks.get(event.hold)
        if talk is None:
            return False
        assert self.holds[event.hold] == (event.account, talk.cap_ucr)
        assert event.amount_ucr <= talk.cap_ucr
        self.holds[event.hold] = (event.account, event.amount_ucr)
        return True

    def sell(self, entry: Entry, event: e.AwardMade) -> None:
        """A slot is awarded; it may be a lease."""
        if event.cfp in self.resales:
            self.sold = self.leases[self.resales[event.cfp]]
            assert entry.source.at_ms < self.sold.ends_at_ms, "a lease that is over was sold"
            self.owing = list(SALE)

    def end_sold(self, event: e.LeaseEnded) -> None:
        """A lease ends; while it is called for, only by its sale."""
        mine = self.sold is not None and self.sold.award == event.award
        assert mine or event.award not in self.resales.values() or event.reason is LeaseEnd.EXPIRED
        assert not mine or event.reason is LeaseEnd.RESOLD

    def take_over(self, event: e.SlotReserved) -> None:
        """A lease begins; it may be what was left of another."""
        sold, self.sold = self.sold, None
        if sold is not None:
            assert (event.pool, event.units, event.ends_at_ms) == (sold.pool, sold.units, sold.ends_at_ms)
            assert event.starts_at_ms >= sold.starts_at_ms

    def end_call(self, entry: Entry, event: e.CfpClosed) -> None:
        """A CFP ends; of a lease without a winner only as that is over."""
        award = self.resales.pop(event.cfp, None)
        if award is not None and event.outcome is not CfpOutcome.AWARDED:
            assert event.outcome is CfpOutcome.UNAWARDED, "somebody took a deal back"
            assert entry.source.at_ms >= self.leases[award].ends_at_ms, "nobody won, and the buyer's bid stood"
