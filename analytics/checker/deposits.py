"""Deposits of managers, as the independent checker sees them: exact fractions, rounded at the very end."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from analytics.checker.parts import BUYERS_DEPOSIT_RULES, Bid, Cfp, Fields, need
from analytics.checker.prices import LEASES_PER_POOL_MAX, peak

if TYPE_CHECKING:
    from analytics.checker.books import Book

RATE_MAX, HOUR_MS, MONEY_MAX = 1_000_000, 3_600_000, 10**15


def deposit_ucr(cfp: Cfp) -> int:
    """What the manager of a CFP holds until its end; 0: nothing."""
    if cfp.buys:
        worth = 0 if cfp.terms is None else cfp.terms.bond_ucr
    else:
        worth = max(cfp.reserve_ucr, Fraction(cfp.deposit_floor_ucr * cfp.units * cfp.duration_ms, HOUR_MS).__ceil__())
    exact = Fraction(cfp.deposit_permille, 1000) * worth * cfp.slots * Fraction(_bound_ms(cfp), HOUR_MS)
    return exact.__ceil__()


def hold_of(ident: bytes, cfp: Cfp) -> bytes:
    """The id of a deposit's hold: where the manager buys, the CFP's own is that of the ceiling."""
    return hashlib.sha256(b"contractnet/deposit/1" + ident).digest()[:16] if cfp.buys else ident


def _bound_ms(cfp: Cfp) -> int:
    return cfp.closes_at_ms - cfp.opened_ms + cfp.decide_ms


@dataclass(slots=True)
class Deposits:
    """A market's rate and floor, and what the record at hand says of deposits."""

    permille: int = 0
    floor_ucr: int = 0
    opening: dict[bytes, Cfp] = field(default_factory=dict)
    """CFPs whose deposit has to follow, by its hold."""
    standing: dict[bytes, bytes] = field(default_factory=dict)
    """Holds of deposits that are not free, with their CFPs."""
    freed: set[bytes] = field(default_factory=set)
    """CFPs whose deposit is free, and whose end has to follow."""
    paid: dict[bytes, list[tuple[bytes, int]]] = field(default_factory=dict)
    """By CFP: to whom and how much."""

    def set(self, e: Fields) -> None:
        """The operator's."""
        need(0 <= e["hourly_permille"] <= RATE_MAX, "the rate of deposits is in its limits")
        need(0 <= e["floor_ucr"] <= MONEY_MAX, "the floor of deposits is in its limits")
        self.permille, self.floor_ucr = e["hourly_permille"], e["floor_ucr"]

    def open(self, ident: bytes, cfp: Cfp, opened_ms: int, book: Book) -> None:
        """A CFP begins."""
        cfp.opened_ms = opened_ms
        owes = cfp.manager != book.bank and (not cfp.buys or book.version >= BUYERS_DEPOSIT_RULES)
        cfp.deposit_permille = self.permille if owes else 0
        if cfp.deposit_permille:
            cfp.deposit_floor_ucr = 0 if cfp.buys else self.floor_ucr
            self.opening[hold_of(ident, cfp)] = cfp
            self.stand(ident, cfp)

    def stand(self, ident: bytes, cfp: Cfp) -> None:
        """A CFP has a deposit."""
        self.standing[hold_of(ident, cfp)] = ident

    def place(self, e: Fields, cfp: Cfp) -> bool:
        """A hold; whether it is a deposit."""
        opened = self.opening.pop(e["hold"], None)
        if opened is None:
            return False
        need(opened is cfp, "a deposit is that of its CFP")
        need((e["account"], e["amount_ucr"]) == (cfp.manager, deposit_ucr(cfp)), "a manager deposits what is due")
        need(e["amount_ucr"] <= MONEY_MAX, "a deposit is not more than credits there are")
        return True

    def release(self, hold: bytes) -> None:
        """A hold is free; it may have been a deposit."""
        ident = self.standing.pop(hold, None)
        if ident is not None:
            self.freed.add(ident)

    def post(self, e: Fields, cfp: Cfp) -> None:
        """A part of a deposit."""
        need(e["cfp"] in self.freed and e["award"] is None, "a deposit pays when it is free")
        need((e["debit"], e["pool"], e["task"]) == (cfp.manager, cfp.pool, ""), "a deposit is its manager's")
        self.paid.setdefault(e["cfp"], []).append((e["credit"], e["amount_ucr"]))

    def close(self, ident: bytes, cfp: Cfp, book: Book) -> None:
        """A CFP ends: whom its deposit has paid, and how much."""
        paid = self.paid.pop(ident, [])
        if not cfp.deposit_permille:
            return
        need(ident in self.freed, "a deposit is free when its CFP ends")
        self.freed.discard(ident)
        accounts, now_ms = book.accounts, book.now_ms
        root, won = accounts[cfp.manager].root, cfp.given.keys() | cfp.wins.keys()
        strangers = {i: b for i, b in cfp.bids.items() if accounts[b.account].root != root}
        claims = [b for i, b in strangers.items() if i not in won and _could_win(book, cfp, i, b)]
        unserved = min(len(claims), cfp.slots - len(strangers.keys() & won))
        times = [Fraction((b.freed_ms or now_ms) - b.placed_ms) for b in claims]
        whole = max(sum(times), Fraction(unserved * _bound_ms(cfp)))
        pot = Fraction(deposit_ucr(cfp) * unserved, cfp.slots)
        due = [(b.account, (pot * t / whole).__floor__()) for b, t in zip(claims, times, strict=True)] if pot else []
        need(
            paid == [(account, amount) for account, amount in due if amount], "a deposit pays whom a CFP did not serve"
        )

    def end(self) -> None:
        """The record is over."""
        need(not self.opening, "a manager holds its deposit")
        need(not self.freed and not self.paid, "a deposit is free when its CFP ends")


def _could_win(book: Book, cfp: Cfp, ident: bytes, bid: Bid) -> bool:
    if bid.withdrawn or cfp.losses.get(ident) == "OUTBID":
        return False
    if cfp.terms is None:
        return bid.price_ucr >= cfp.reserve_ucr
    if bid.freed_ms:
        return True
    pool, start_ms = book.pools[bid.pool], book.now_ms + bid.delay_ms
    end_ms = start_ms + cfp.duration_ms + cfp.terms.grace_ms
    used = peak((held.lease for held in pool.leases.values()), start_ms, end_ms)
    return len(pool.leases) < LEASES_PER_POOL_MAX and used + cfp.units <= pool.units


def held(book: Book) -> set[bytes]:
    """The holds of deposits that there have to be."""
    return {hold_of(ident, cfp) for ident, cfp in book.cfps.items() if cfp.deposit_permille}
