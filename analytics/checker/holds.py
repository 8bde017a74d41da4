"""What holds back, as the independent checker sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.checker import deposits
from analytics.checker.parts import Fields, need
from analytics.checker.purchases import escrow_of

if TYPE_CHECKING:
    from analytics.checker.books import Book


def check(book: Book, e: Fields) -> bool:
    """A hold backs a cap, a bid, an ask, a ceiling, a deposit or a price in escrow; whether it is the last."""
    if e["hold"] in book.talks:
        talk = book.talks[e["hold"]]
        need((talk.parties[1], talk.cap_ucr) == (e["account"], e["amount_ucr"]), "a hold backs a cap")
        return False
    cfp, who = book._cfp(e["cfp"]), (e["account"], e["amount_ucr"])
    bid = cfp.bids.get(e["hold"])
    if book.deposits.place(e, cfp):
        return False
    award = next((a for a in book.parts if escrow_of(a) == e["hold"]), None)
    if bid is not None:
        fits = book.groups.may_hold(bid, e) if cfp.terms is None else e["amount_ucr"] == cfp.terms.bond_ucr
        need(bid.account == e["account"] and fits, "a hold backs a bid")
        need(bool(bid.pool) == cfp.buys, "an ask names a pool before it is backed")
    elif award is None:
        opening = any(other is cfp for _, other in book.purchases.opening)
        need(cfp.buys and opening and e["hold"] == e["cfp"], "a hold backs a bid or a purchase")
        need(who == (cfp.manager, cfp.reserve_ucr * cfp.slots), "a manager holds its ceiling")
    else:
        win, cfp = book._win(award, "HoldPlaced")
        need(who == (cfp.manager, win["price_ucr"]), "the price is captured by an escrow")
    return award is not None


def shrink(book: Book, e: Fields) -> int:
    """A manager that buys has given one more slot itself: it holds the ceiling of the others. The difference."""
    cfp = book.cfps[e["hold"]]
    need(cfp.buys and bool(cfp.wins), "a ceiling shrinks with an award")
    book._win(next(reversed(cfp.wins)), "HoldResized")
    account, before_ucr = book.holds[e["hold"]]
    left_ucr = cfp.reserve_ucr * (cfp.slots - len(cfp.given) - len(cfp.wins))
    need((e["account"], e["amount_ucr"]) == (account, left_ucr), "the ceiling of the slots that are left is held")
    book.holds[e["hold"]] = (account, left_ucr)
    return left_ucr - before_ucr


def look_over(book: Book) -> None:
    """What is open has its hold, and nothing else has one."""
    undecided = {b for c in book.cfps.values() for b in c.bids if b not in c.given and b not in c.declined}
    buying = {ident for ident, cfp in book.cfps.items() if cfp.buys}
    joined = {ident for ident, talk in book.talks.items() if talk.cap_ucr}
    working = book.purchases.backed()
    backed = undecided | buying | joined | set(working) | deposits.held(book)
    need(set(book.holds) == backed, "each open bid, purchase, work and negotiation has its holds")
    need(all(book.holds[hold] == amount for hold, amount in working.items()), "escrows and bonds are whole")
