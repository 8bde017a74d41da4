"""CFPs that open, and bids on them, as the independent checker sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from analytics.checker import resales
from analytics.checker.parts import Bid, Cfp, Fields, need
from analytics.checker.purchases import check_manager
from analytics.checker.roots import weight_of

if TYPE_CHECKING:
    from analytics.checker.books import Book


def opened(book: Book, e: Fields, source: Fields) -> None:
    """By a command, or by a deal over a lease."""
    need(e["cfp"] not in book.cfps, "a CFP is opened once")
    buys = e["direction"] == "BUY"
    need(e["closes_at_ms"] > source["at_ms"] and (buys or e["direction"] == "SELL"), "a CFP is open for a while")
    terms = (e["manager"], e["pool"], e["units"], e["duration_ms"], e["slots"], e["reserve_price_ucr"])
    cfp = Cfp(*terms, e["pricing"], e["closes_at_ms"], book.epoch, buys=buys, opened_ms=source["at_ms"])
    if e["cfp"] in book.talks:
        cfp.resale = award = resales.check_call(book, e, source)
        book.resales[award] = e["cfp"]
    else:
        need((e["cfp"], source["cause"]) == (source["command"], "COMMAND"), "a CFP has its command's id")
        check_manager(e, book.accounts, book.bank, None if buys else book._pool(e["pool"]))
        book.deposits.open(e["cfp"], cfp, source["at_ms"], book)
    book.cfps[e["cfp"]] = cfp
    if buys:
        book.purchases.opening.append((e["cfp"], cfp))


def bid_placed(book: Book, e: Fields, source: Fields) -> None:
    """By a command, or as the buyer's part of a deal."""
    if e["bid"] in book.talks:
        resales.check_bid(book, e)
    else:
        need((e["bid"], source["cause"]) == (source["command"], "COMMAND"), "a bid has its command's id")
    cfp = book._cfp(e["cfp"])
    need(source["at_ms"] < cfp.closes_at_ms, "a bid comes before the deadline")
    need(e["account"] not in (cfp.manager, book.bank), "manager and bank do not bid")
    need(e["bid"] not in cfp.bids and e["account"] not in cfp.bidders, "an account has one live bid on a CFP")
    need(e["account"] not in cfp.refused, "who has refused does not bid")
    need(cfp.resale is None or e["start_delay_ms"] == 0, "a lease that is sold on begins when it is awarded")
    cfp.need_taken(e["account"])
    cfp.bidders.add(e["account"])
    weight = weight_of(book, e["account"], cfp.epoch)
    need(e["weight_permille"] == weight, f"the weight is that of the CFP's opening, {weight}")
    price_ucr, delay_ms = e["price_ucr"], e["start_delay_ms"]
    bid = Bid(e["account"], price_ucr, weight, delay_ms, e["task"], e["pass_hash"], placed_ms=source["at_ms"])
    cfp.bids[e["bid"]], book.groups.newest = bid, {e["bid"]: bid}
    book.count_bid(e["cfp"], e["bid"], e["account"])


STEPS: dict[str, Callable[[Book, Fields, Fields], None]] = {"CfpOpened": opened, "BidPlaced": bid_placed}
