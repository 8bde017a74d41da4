"""CFPs that their manager awards, refusals and invitations, as the independent checker sees them."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from analytics.checker.parts import Cfp, Fields, need

if TYPE_CHECKING:
    from analytics.checker.books import Book

DAY_MS, DECIDE_MS_MIN = 24 * 3600 * 1000, 100
INVITED_MAX = 64


def choosable(cfp: Cfp) -> set[bytes]:
    """The bids that a manager may still award."""
    decided = cfp.given.keys() | cfp.wins.keys() | cfp.declined
    standing = ((i, b) for i, b in cfp.bids.items() if i not in decided and not b.withdrawn)
    return {i for i, b in standing if cfp.buys or b.price_ucr >= cfp.reserve_ucr}


def defer(cfp: Cfp, e: Fields, source: Fields) -> None:
    """A CFP is its manager's to award."""
    need(e["cfp"] == source["command"] and not cfp.decide_ms and not cfp.bids, "an award is deferred at the opening")
    need(cfp.pricing == "FIRST", "a manager awards at the bids' own prices")
    longest_ms = DAY_MS - (cfp.closes_at_ms - source["at_ms"])
    need(DECIDE_MS_MIN <= e["decide_ms"] <= longest_ms, "a manager decides within a day of the opening")
    cfp.decide_ms = e["decide_ms"]


def invite(cfp: Cfp, e: Fields, source: Fields, known: Container[bytes], bank: bytes) -> None:
    """One of the `known` accounts may answer."""
    account = e["account"]
    need(e["cfp"] == source["command"] and not cfp.bids and not cfp.refused, "accounts are invited at the opening")
    need(account in known, f"account {account.hex()} exists")
    need(account not in (cfp.manager, bank) and account not in cfp.invited, "others are invited, each once")
    cfp.invited.add(account)
    need(len(cfp.invited) <= INVITED_MAX, f"at most {INVITED_MAX} are invited")


def refuse(cfp: Cfp, e: Fields, source: Fields, known: Container[bytes], bank: bytes) -> None:
    """One of the `known` accounts does not bid."""
    account = e["account"]
    need(account in known, f"account {account.hex()} exists")
    need(source["at_ms"] < cfp.closes_at_ms, "a refusal comes before the deadline")
    need(account not in (cfp.manager, bank), "manager and bank do not answer a CFP")
    answered = account in cfp.refused or any(b.account == account for b in cfp.bids.values())
    need(not answered, "an account refuses once, and has not bid")
    cfp.need_taken(account)
    cfp.refused.add(account)


def withdraw(cfp: Cfp, e: Fields, source: Fields) -> None:
    """A bidder takes its bid back."""
    need(source["at_ms"] < cfp.closes_at_ms, "a bid is withdrawn before the deadline")
    bid = cfp.bids.get(e["bid"])
    need(bid is not None and bid.account == e["account"] and not bid.withdrawn, "a live bid is withdrawn")
    assert bid is not None
    bid.withdrawn = True
    cfp.bidders.remove(bid.account)


def begin(cfp: Cfp, e: Fields, source: Fields) -> None:
    """The deadline."""
    need(cfp.decide_ms > 0 and not cfp.until_ms, "a manager decides once, on a CFP of its own award")
    need(source["at_ms"] >= cfp.closes_at_ms, "a manager decides after the deadline")
    need(e["decides_until_ms"] == source["at_ms"] + cfp.decide_ms, "a manager has its time from the deadline on")
    need(e["bids"] == len(choosable(cfp)) > 0, "there are so many bids to choose from")
    cfp.until_ms = e["decides_until_ms"]


def choose(cfp: Cfp, bid: bytes, price_ucr: int, source: Fields) -> None:
    """The manager awards a bid. `price_ucr` is what it pays."""
    _in_time(cfp, source)
    need(bid in choosable(cfp), "a manager awards a bid that stands")
    need(price_ucr == cfp.bids[bid].price_ucr, "a winner pays its own bid, or is promised its own ask")


def decline(cfp: Cfp, bid: bytes, source: Fields) -> None:
    """The manager rejects a bid."""
    _in_time(cfp, source)
    need(not cfp.bids[bid].withdrawn and bid not in cfp.declined, "a manager rejects a bid once")
    cfp.declined.add(bid)
    cfp.bids[bid].freed_ms = source["at_ms"]


def settle_choice(cfp: Cfp, award: bytes) -> None:
    """The end of the record of an award that did not end its CFP."""
    win = cfp.wins.pop(award)
    cfp.given[award] = win["price_ucr"]


def check_goes_on(cfp: Cfp) -> None:
    """After a choice that did not end the CFP."""
    need(len(cfp.given) < cfp.slots and bool(choosable(cfp)), "a CFP ends when nothing is left to choose")


def check_end(cfp: Cfp, e: Fields, source: Fields) -> None:
    """Outcome and reasons are those of how it ended: by time, by a choice, or by a cancel."""
    at_ms, awards = source["at_ms"], len(cfp.given) + len(cfp.wins)
    left = choosable(cfp)
    cancelled = e["outcome"] == "CANCELLED" or "CFP_CANCELLED" in cfp.losses.values()
    if source["cause"] == "DUE":
        need(not cancelled and at_ms >= (cfp.until_ms or cfp.closes_at_ms), "a CFP ends when its time is over")
        # A group may have dropped the last bid meanwhile.
        dropped = bool(cfp.until_ms) and any(cfp.bids[bid].withdrawn for bid in cfp.declined)
        given = bool(left) == bool(cfp.until_ms)
        need(given or dropped, "a manager is given time exactly where there is something to choose")
        outcome, reason = ("EXPIRED" if left else "UNAWARDED"), "EXPIRED"
    elif cancelled:
        need(not cfp.until_ms or at_ms < cfp.until_ms, "a manager takes a CFP back in its time")
        outcome, reason = "CANCELLED", "CFP_CANCELLED"
    else:
        _in_time(cfp, source)
        need(awards == cfp.slots or not left, "a CFP ends when nothing is left to choose")
        outcome, reason = "UNAWARDED", "NOT_CHOSEN"
    need(e["outcome"] == ("AWARDED" if awards else outcome), "the outcome follows from the awards")
    for bid, why in cfp.losses.items():
        b = cfp.bids[bid]
        low = not cancelled and not cfp.buys and b.price_ucr < cfp.reserve_ucr
        wanted = "WITHDRAWN" if b.withdrawn else "BELOW_RESERVE" if low else reason
        need(why == wanted, f"bid {bid.hex()} lost because {wanted}")


def _in_time(cfp: Cfp, source: Fields) -> None:
    need(source["cause"] == "COMMAND", "a manager chooses by a command")
    need(cfp.until_ms > source["at_ms"], "a manager chooses between the deadline and the end of its time")


STEPS: dict[str, Callable[[Book, Fields, Fields], None]] = {
    "AwardDeferred": lambda book, e, source: defer(book._cfp(e["cfp"]), e, source),
    "AccountInvited": lambda book, e, source: invite(book._cfp(e["cfp"]), e, source, book.accounts, book.bank),
    "CfpRefused": lambda book, e, source: refuse(book._cfp(e["cfp"]), e, source, book.accounts, book.bank),
    "DecisionOpened": lambda book, e, source: begin(book._cfp(e["cfp"]), e, source),
    "BidWithdrawn": lambda book, e, source: withdraw(book._cfp(e["cfp"]), e, source),
}
