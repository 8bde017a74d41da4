"""Leases that are called for once they are bargained for, and claims, as the independent checker sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from analytics.checker.negotiations import WAIT_MS_MAX, agreed, do, find, held_by_award, too_late
from analytics.checker.parts import CLAIMS_RULES, Bid, Cfp, Fields, Held, need
from analytics.checker.prices import Lease, Lots, Sale
from analytics.checker.sales import check_won

if TYPE_CHECKING:
    from analytics.checker.books import Book

CALL_MS_MIN, CALL_MS_MAX = 50, 60_000


def set_call(book: Book, e: Fields, _: Fields) -> None:
    """The operator's word."""
    need(e["call_ms"] == 0 or CALL_MS_MIN <= e["call_ms"] <= CALL_MS_MAX, "the length of calls is in its limits")
    book.resale_ms = e["call_ms"]


def claimed(book: Book, e: Fields, source: Fields) -> None:
    """The buyer has opened the negotiation that was just opened."""
    talk = find(book, e)
    fresh = e["negotiation"] == source["command"] and (talk.round, talk.cap_ucr) == (0, 0)
    need(fresh and e["account"] == talk.parties[1], "the buyer claims as it opens")
    need(e["cap_ucr"] > 0, "a cap is something")
    talk.cap_ucr, talk.task, talk.pass_hash = e["cap_ucr"], e["task"], e["pass_hash"]
    talk.claimed = True
    if book.version >= CLAIMS_RULES:
        talk.until_ms = min(talk.until_ms, source["at_ms"] + WAIT_MS_MAX)


def check_call(book: Book, e: Fields, source: Fields) -> bytes:
    """A deal opens a call for its lease, which is returned."""
    talk, (_, price_ucr) = book.talks[e["cfp"]], agreed(book, e["cfp"], source)
    do(talk, "CfpOpened")
    need(book.resale_ms > 0 and not too_late(book, talk, source), "a deal is called for where there is time for that")
    held, closes_ms = held_by_award(book, talk.award), source["at_ms"] + book.resale_ms
    pool = next(name for name, pool in book.pools.items() if talk.award in pool.leases)
    said = (e["manager"], e["direction"], e["pool"], e["units"], e["slots"], e["pricing"])
    need(said == (talk.parties[0], "SELL", pool, held.lease.units, 1, "SECOND"), "a holder sells its lease on")
    need((e["reserve_price_ucr"], e["closes_at_ms"]) == (price_ucr, closes_ms), "others pay the agreed price or more")
    need(e["duration_ms"] == held.lease.end_ms - max(closes_ms, held.lease.start_ms), "it sells what is left then")
    need(talk.award not in book.resales, "a lease is sold on once at a time")
    return talk.award


def check_bid(book: Book, e: Fields) -> None:
    """The buyer's part of a deal is a bid in its call."""
    talk = find(book, {"negotiation": e["bid"]})
    do(talk, "BidPlaced")
    assert talk.deal is not None
    said = (e["cfp"], e["account"], e["price_ucr"], e["start_delay_ms"], e["task"], e["pass_hash"], e["claim"])
    wanted = (e["bid"], talk.parties[1], talk.deal[1], 0, talk.task, talk.pass_hash, None)
    need(said == wanted, "the buyer bids what it has agreed on")


def shrink(book: Book, e: Fields) -> int:
    """A buyer holds what it has agreed on, and no longer its cap. The difference."""
    talk = book.talks[e["hold"]]
    do(talk, "HoldResized")
    need(e["hold"] in book.holds, "a deal has its hold")
    account, before_ucr = book.holds[e["hold"]]
    assert talk.deal is not None
    need((e["account"], e["amount_ucr"]) == (account, talk.deal[1]), "what was agreed on is held")
    book.holds[e["hold"]] = (account, e["amount_ucr"])
    change_ucr: int = e["amount_ucr"] - before_ucr
    return change_ucr


def give_up(book: Book, award: bytes, held: Held, pool: str, source: Fields) -> bool:
    """The holder's lease ends as its call is awarded; whether there is such a call."""
    if award not in book.resales:
        return False
    cfp = book.cfps[book.resales[award]]
    need(len(cfp.wins) == 1 and source["at_ms"] < held.lease.end_ms, "a lease is sold on while there is one")
    book.resold[award] = (pool, held)
    return True


def take_over(book: Book, e: Fields, source: Fields, cfp: Cfp, bid: Bid) -> None:
    """What is left of it is the winner's."""
    assert cfp.resale is not None
    need(cfp.resale in book.resold, "a lease that is sold on ends before")
    pool, held = book.resold.pop(cfp.resale)
    lease = Lease(max(source["at_ms"], held.lease.start_ms), held.lease.end_ms, held.lease.units)
    same = (e["pool"], e["units"], e["account"], e["starts_at_ms"], e["ends_at_ms"], e["pass_hash"])
    wanted = (pool, lease.units, bid.account, lease.start_ms, lease.end_ms, bid.pass_hash)
    need(same == wanted, "the winner has what was left of the lease")
    book.pools[pool].lock(e["award"], Held(bid.account, lease))


def check_resale(book: Book, cfp: Cfp, lots: dict[bytes, Lots]) -> None:
    """Who wins a call for a lease: its own units are the room, and none where it is over."""
    assert cfp.resale is not None
    over = not cfp.wins and book.now_ms >= held_by_award(book, cfp.resale).lease.end_ms
    room = 0 if over else cfp.units
    check_won(cfp, Sale(cfp.units, cfp.duration_ms, 1, cfp.reserve_ucr, room, 0, 0), book.now_ms, lots)


STEPS: dict[str, Callable[[Book, Fields, Fields], None]] = {"ResaleCallSet": set_call, "LeaseClaimed": claimed}
