"""What must hold of deposits, kept from the ledger's events alone: properties, not the formula."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from contractnet.messages import Direction, Entry, PostingReason, ReleaseReason
from contractnet.messages import events as e

if TYPE_CHECKING:
    from tests.simulation.books import Auction

HOUR_MS = 3_600_000


class DepositBooks:
    """The rate, and whom deposits have paid; `Books` has the rest."""

    def __init__(self) -> None:
        self.rate = 0
        self.roots: dict[bytes, str] = {}
        self.shares: dict[bytes, dict[bytes, int]] = {}
        """By CFP that is about to end: what was paid to whom."""

    def _DepositSet(self, _: Entry, event: e.DepositSet) -> None:
        self.rate = event.hourly_permille

    def rate_of(self, opened: e.CfpOpened, bank: bytes) -> Fraction:
        """What a manager deposits for each micro-credit of reserve, slot and millisecond."""
        sells = opened.direction is Direction.SELL and opened.manager != bank
        return Fraction(self.rate, 1000 * HOUR_MS) if sells else Fraction(0)

    def post_deposit(self, event: e.CreditsTransferred, auction: Auction | None) -> None:
        """Credits moved, maybe out of a deposit."""
        if event.reason is not PostingReason.DEPOSIT:
            return
        assert event.cfp is not None
        assert auction is not None, "a deposit pays for a CFP that is over"
        assert event.debit == auction.opened.manager
        mine = self.shares.setdefault(event.cfp, {})
        assert event.credit not in mine, "a deposit pays an account twice"
        mine[event.credit] = event.amount_ucr

    def settle_deposit(self, entry: Entry, ident: bytes, auction: Auction) -> None:
        """A CFP ends: who was paid had a bid that could have been served, and was paid by the time it was bound."""
        paid, root = self.shares.pop(ident, {}), self.roots[auction.opened.manager]
        won = {award.award for award in auction.awards.values()}
        others = {i: b for i, b in auction.bids.items() if self.roots[b.account] != root}
        claims: dict[bytes, int] = {}
        for bid, placed in others.items():
            lost = auction.rejected.get(bid)
            beaten = lost in (ReleaseReason.OUTBID, ReleaseReason.WITHDRAWN, ReleaseReason.GROUP_WON)
            if bid not in won and not beaten and placed.price_ucr >= auction.opened.reserve_price_ucr:
                end_ms = auction.declined_at_ms.get(bid, entry.source.at_ms)
                claims[placed.account] = end_ms - auction.placed_at_ms[bid]
        free = auction.opened.slots - len(won & others.keys())
        assert set(paid) <= set(claims), "a deposit pays somebody who could not have been served, or was"
        assert free or not paid, "a deposit pays although others have all slots"
        reserve_rate = auction.deposit_rate * auction.opened.reserve_price_ucr
        assert sum(paid.values()) <= auction.deposit_ucr, "a deposit pays more than it has"
        if not free or not auction.deposit_rate:
            assert not paid
            return
        for account, bound_ms in claims.items():
            # Rounding up the deposit may add less than one micro-credit.
            assert paid.get(account, 0) < bound_ms * reserve_rate + 1, "a deposit pays more than its rate"
            served = len(claims) <= free and all(time <= auction.bound_ms for time in claims.values())
            assert not served or paid.get(account, 0) > bound_ms * reserve_rate - 1, "a deposit pays less than its rate"
            for other, time_ms in claims.items():
                assert bound_ms > time_ms or paid.get(account, 0) <= paid.get(other, 0), "less time is paid more"
