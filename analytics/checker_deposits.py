"""Deposits of managers that sell, as the independent checker sees them: exact fractions, rounded at the very end."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from analytics.checker_parts import Account, Bid, Cfp, Fields, need

if TYPE_CHECKING:
    from analytics.checker_books import Book

RATE_MAX, HOUR_MS, MONEY_MAX = 1_000_000, 3_600_000, 10**15


def deposit_ucr(cfp: Cfp) -> int:
    """What the manager of a CFP holds until its end; 0: nothing."""
    exact = Fraction(cfp.deposit_permille, 1000) * cfp.reserve_ucr * cfp.slots * Fraction(_bound_ms(cfp), HOUR_MS)
    return exact.__ceil__()


def _bound_ms(cfp: Cfp) -> int:
    return cfp.closes_at_ms - cfp.opened_ms + cfp.decide_ms


@dataclass(slots=True)
class Deposits:
    """A market's rate, and what the record at hand says of deposits."""

    permille: int = 0
    opening: dict[bytes, Cfp] = field(default_factory=dict)
    """CFPs whose deposit has to follow."""
    freed: set[bytes] = field(default_factory=set)
    """CFPs whose deposit is free, and whose end has to follow."""
    paid: dict[bytes, list[tuple[bytes, int]]] = field(default_factory=dict)
    """By CFP: to whom and how much."""

    def set(self, e: Fields) -> None:
        """The operator's."""
        need(0 <= e["hourly_permille"] <= RATE_MAX, "the rate of deposits is in its limits")
        self.permille = e["hourly_permille"]

    def open(self, ident: bytes, cfp: Cfp, opened_ms: int, bank: bytes) -> None:
        """A CFP begins."""
        cfp.opened_ms = opened_ms
        cfp.deposit_permille = 0 if cfp.buys or cfp.manager == bank else self.permille
        if cfp.deposit_permille:
            self.opening[ident] = cfp

    def place(self, e: Fields, cfp: Cfp) -> bool:
        """A hold; whether it is a deposit."""
        if self.opening.pop(e["hold"], None) is None:
            return False
        need((e["account"], e["amount_ucr"]) == (cfp.manager, deposit_ucr(cfp)), "a manager deposits what is due")
        need(e["cfp"] == e["hold"] and e["amount_ucr"] <= MONEY_MAX, "a deposit is that of its CFP")
        return True

    def release(self, hold: bytes, cfps: dict[bytes, Cfp]) -> None:
        """A hold is free; it may have been a deposit."""
        if hold in cfps and not cfps[hold].buys:
            self.freed.add(hold)

    def post(self, e: Fields, cfp: Cfp) -> None:
        """A part of a deposit."""
        need(e["cfp"] in self.freed and e["award"] is None, "a deposit pays when it is free")
        need((e["debit"], e["pool"], e["task"]) == (cfp.manager, cfp.pool, ""), "a deposit is its manager's")
        self.paid.setdefault(e["cfp"], []).append((e["credit"], e["amount_ucr"]))

    def close(self, ident: bytes, cfp: Cfp, now_ms: int, accounts: dict[bytes, Account]) -> None:
        """A CFP ends: whom its deposit has paid, and how much."""
        self.freed.discard(ident)
        paid = self.paid.pop(ident, [])
        if not cfp.deposit_permille:
            return
        root, won = accounts[cfp.manager].root, cfp.given.keys() | cfp.wins.keys()
        strangers = {i: b for i, b in cfp.bids.items() if accounts[b.account].root != root}
        claims = [b for i, b in strangers.items() if i not in won and _could_win(cfp, i, b)]
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
        need(not self.opening, "a manager that sells holds its deposit")
        need(not self.freed and not self.paid, "a deposit is free when its CFP ends")


def _could_win(cfp: Cfp, ident: bytes, bid: Bid) -> bool:
    return not bid.withdrawn and bid.price_ucr >= cfp.reserve_ucr and cfp.losses.get(ident) != "OUTBID"


def held(book: Book) -> set[bytes]:
    """The holds of deposits that there have to be."""
    return {ident for ident, cfp in book.cfps.items() if cfp.deposit_permille}
