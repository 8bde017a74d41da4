"""What must hold of work that is bought, kept from the ledger's events alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contractnet.messages import Entry, Progress
from contractnet.messages import events as e

if TYPE_CHECKING:
    from tests.simulation.books import Auction

BONDS_RULES = 10


@dataclass(slots=True)
class Work:
    """Work that has not ended."""

    award: e.AwardMade
    promised_ms: int
    awarded_at_ms: int
    delay_ms: int | None = None


class PurchaseBooks:
    """Terms of CFPs that buy, pools of asks, and work; `Books` has the rest."""

    rules: int
    auctions: dict[bytes, Auction]

    def __init__(self) -> None:
        self.terms: dict[bytes, e.PurchaseOpened] = {}
        self.offered: dict[bytes, str] = {}
        self.works: dict[bytes, Work] = {}

    def _PurchaseOpened(self, _: Entry, event: e.PurchaseOpened) -> None:
        ceiling_ucr = self.auctions[event.cfp].opened.reserve_price_ucr
        assert self.rules < BONDS_RULES or event.bond_ucr <= ceiling_ucr, "a bond above the ceiling"
        self.terms[event.cfp] = event

    def _UnitsOffered(self, _: Entry, event: e.UnitsOffered) -> None:
        self.offered[event.bid] = event.pool

    def begin(self, entry: Entry, award: e.AwardMade, bid: e.BidPlaced) -> None:
        """An ask has won."""
        assert award.award in self.offered, "an ask without a pool won"
        self.works[award.award] = Work(award, bid.start_delay_ms, entry.source.at_ms)

    def _WorkReported(self, entry: Entry, event: e.WorkReported) -> None:
        work, terms = self.works[event.award], self.terms[event.cfp]
        if event.progress is Progress.STARTED:
            assert work.delay_ms is None, "work started twice"
            work.delay_ms = max(work.promised_ms, entry.source.at_ms - work.awarded_at_ms)
            assert event.delay_ms == work.delay_ms
            return
        if event.progress is Progress.DONE:
            assert work.delay_ms is not None, "work was done before it started"
            late_ms = work.delay_ms - work.promised_ms
            wanted = max(0, (work.award.price_ucr * 1000 - terms.delay_cost_per_s_ucr * late_ms) // 1000)
            assert event.paid_ucr == wanted, "work was paid something else"
        else:
            assert event.paid_ucr == 0, "work that failed was paid"
        del self.works[event.award]
