"""What must hold of weights, and of who wins at which price, kept from the ledger's events alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

from contractnet.messages import Entry, Pricing, ReleaseReason
from contractnet.messages import events as e

if TYPE_CHECKING:
    from tests.simulation.books import Auction

FAMILY_RULES = 10
"""From this version on accounts of one budget root take turns in ties, and share their least weight."""

Score = Callable[[e.BidPlaced], Fraction]
"""How good a bid is, the greatest being the best."""


class RankingBooks:
    """Every weight that there ever was, and the awards that follow; `Books` has the rest."""

    rules: int
    head: bytes
    roots: dict[bytes, str]
    terms: dict[bytes, e.PurchaseOpened]

    def __init__(self) -> None:
        self.weighings: list[e.WeightChanged] = []
        self.weighed: dict[bytes, int] = {}
        """How many weights had changed when a CFP opened."""

    def _WeightChanged(self, _: Entry, event: e.WeightChanged) -> None:
        assert 500 <= event.weight_permille <= 1000
        self.weighings.append(event)

    def check_weight(self, bid: e.BidPlaced) -> None:
        """A bid counts by the weights of the CFP's opening."""
        weights = dict.fromkeys(self.roots, 1000)
        for event in self.weighings[: self.weighed[bid.cfp]]:
            weights[event.account] = event.weight_permille
        kin = [a for a, root in self.roots.items() if root == self.roots[bid.account]]
        least = min(weights[a] for a in (kin if self.rules >= FAMILY_RULES else [bid.account]))
        assert bid.weight_permille == least, "a bid has another weight than its root had"

    def check_ranking(self, auction: Auction) -> None:
        """Nobody lost to a worse bid for the same interval, ties fall as the chain says, and a second price is the best
        loser's."""
        terms = self.terms.get(auction.opened.cfp)

        def product(bid: e.BidPlaced) -> Fraction:
            return Fraction(bid.price_ucr * bid.weight_permille)

        def cheapness(bid: e.BidPlaced) -> Fraction:
            assert terms is not None
            total = bid.price_ucr + Fraction(terms.delay_cost_per_s_ucr * bid.start_delay_ms, 1000)
            return -total / bid.weight_permille

        won = [auction.bids[a.award] for a in auction.awards.values()]
        lost = [auction.bids[i] for i, why in auction.rejected.items() if why is ReleaseReason.OUTBID]
        score = product if terms is None else cheapness
        place = {bid.bid: self._place(bid, [*won, *lost], score) for bid in (*won, *lost)}
        for bid in lost:
            for winner in (w for w in won if w.start_delay_ms == bid.start_delay_ms or terms is not None):
                assert score(bid) <= score(winner), "a worse bid won"
                assert score(bid) < score(winner) or place[winner.bid] < place[bid.bid], "a tie fell the wrong way"
        if terms is None and len({b.start_delay_ms for b in (*won, *lost)}) == 1:
            _check_prices(auction, max((product(b) for b in lost), default=Fraction(0)))

    def _place(self, bid: e.BidPlaced, bids: list[e.BidPlaced], score: Score) -> tuple[int, bytes, bytes]:
        """Where a bid stands among its equals: its turn in its root, and the lots."""

        def lot(name: bytes) -> bytes:
            return hashlib.sha256(self.head + bid.cfp + name).digest()

        own, root = lot(bid.account), self.roots[bid.account]
        if self.rules < FAMILY_RULES:
            return 0, b"", own
        equals = [b for b in bids if score(b) == score(bid) and self.roots[b.account] == root]
        return sum(lot(b.account) < own for b in equals), lot(root.encode()), own


def _check_prices(auction: Auction, best: Fraction) -> None:
    """Of awards that all exclude each other; `best` is the weight times price of the best loser."""
    for award in auction.awards.values():
        bid = auction.bids[award.award]
        if auction.opened.pricing is Pricing.FIRST:
            assert award.price_ucr == bid.price_ucr
        elif award.price_ucr > auction.opened.reserve_price_ucr:
            assert (award.price_ucr - 1) * bid.weight_permille <= best <= award.price_ucr * bid.weight_permille
        else:
            assert best <= award.price_ucr * bid.weight_permille, "a winner paid less than it would take to win"
