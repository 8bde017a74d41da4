"""What must hold of deposits, kept from the ledger's events alone: properties, not the formula."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import TYPE_CHECKING

from contractnet.messages import Direction, Entry, PostingReason, ReleaseReason
from contractnet.messages import events as e

if TYPE_CHECKING:
    from tests.simulation.books import Auction

HOUR_MS, FLOOR_RULES, BUYER_RULES = 3_600_000, 10, 11


def deposit_of(cfp: bytes) -> bytes:
    """The hold that is the deposit of a manager that buys."""
    return hashlib.sha256(b"contractnet/deposit/1" + cfp).digest()[:16]


class DepositBooks:
    """The rate, and whom deposits have paid; `Books` has the rest."""

    rules: int
    terms: dict[bytes, e.PurchaseOpened]
    offered: dict[bytes, str]
    leases: dict[bytes, e.SlotReserved]
    pools: dict[str, int]

    def __init__(self) -> None:
        self.rate = self.floor_ucr = 0
        self.roots: dict[bytes, str] = {}
        self.shares: dict[bytes, dict[bytes, int]] = {}
        """By CFP that is about to end: what was paid to whom."""

    def _DepositSet(self, _: Entry, event: e.DepositSet) -> None:
        assert event.floor_ucr == 0 or self.rules >= FLOOR_RULES, "a floor under older rules"
        self.rate, self.floor_ucr = event.hourly_permille, event.floor_ucr

    def rate_of(self, opened: e.CfpOpened, bank: bytes) -> Fraction:
        """What a manager deposits for each slot and millisecond: a part of the reserve, or of the floor."""
        sells = opened.direction is Direction.SELL and opened.manager != bank
        floor_ucr = (Fraction(self.floor_ucr * opened.duration_ms, HOUR_MS) * opened.units).__ceil__()
        worth_ucr = max(opened.reserve_price_ucr, floor_ucr)
        return Fraction(self.rate, 1000 * HOUR_MS) * worth_ucr if sells else Fraction(0)

    def rate_of_buyer(self, opened: e.PurchaseOpened) -> Fraction:
        """The same where it buys: a part of the bond."""
        return Fraction(self.rate, 1000 * HOUR_MS) * (opened.bond_ucr if self.rules >= BUYER_RULES else 0)

    def has_room(self, auction: Auction, ask: e.BidPlaced, at_ms: int) -> bool:
        """Whether the pool of an ask has units for it; beside those that its CFP has given."""
        terms, pool, start_ms = self.terms[ask.cfp], self.offered[ask.bid], at_ms + ask.start_delay_ms
        end_ms = start_ms + auction.opened.duration_ms + terms.grace_ms
        mine = [x for x in self.leases.values() if x.pool == pool]
        mine = [x for x in mine if start_ms < x.ends_at_ms and x.starts_at_ms < end_ms]
        most = max(
            sum(x.units for x in mine if x.starts_at_ms <= instant < x.ends_at_ms)
            for instant in (start_ms, *(x.starts_at_ms for x in mine if x.starts_at_ms > start_ms))
        )
        return most + auction.opened.units <= self.pools[pool]

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
            declined_at_ms = auction.declined_at_ms.get(bid)
            if ident in self.terms:
                good = declined_at_ms is not None or self.has_room(auction, placed, entry.source.at_ms)
            else:
                good = placed.price_ucr >= auction.opened.reserve_price_ucr
            if bid not in won and not beaten and good:
                end_ms = entry.source.at_ms if declined_at_ms is None else declined_at_ms
                claims[placed.account] = end_ms - auction.placed_at_ms[bid]
        free = auction.opened.slots - len(won & others.keys())
        assert set(paid) <= set(claims), "a deposit pays somebody who could not have been served, or was"
        assert free or not paid, "a deposit pays although others have all slots"
        rate = auction.deposit_rate
        assert sum(paid.values()) <= auction.deposit_ucr, "a deposit pays more than it has"
        if not free or not auction.deposit_rate:
            assert not paid
            return
        for account, bound_ms in claims.items():
            # Rounding up the deposit may add less than one micro-credit.
            assert paid.get(account, 0) < bound_ms * rate + 1, "a deposit pays more than its rate"
            served = len(claims) <= free and all(time <= auction.bound_ms for time in claims.values())
            assert not served or paid.get(account, 0) > bound_ms * rate - 1, "a deposit pays less than its rate"
            for other, time_ms in claims.items():
                assert bound_ms > time_ms or paid.get(account, 0) <= paid.get(other, 0), "less time is paid more"
