"""Pools of units and the leases of them, as the independent checker sees them begin, change and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.checker import negotiations as bargains
from analytics.checker import resales
from analytics.checker.parts import Fields, Held, Pool, need
from analytics.checker.prices import Lease

if TYPE_CHECKING:
    from analytics.checker.books import Book


def created(book: Book, e: Fields, _: Fields) -> None:
    """A pool begins."""
    need(e["pool"] not in book.pools, "a pool is created once")
    need(e["owner"] in book.accounts, "a pool has an owner")
    book.pools[e["pool"]] = Pool(e["owner"], e["units"])


def resized(book: Book, e: Fields, source: Fields) -> None:
    """A pool changes its size."""
    need(e["pool"] in book.pools, f"pool {e['pool']!r} exists")
    pool = book.pools[e["pool"]]
    pool.units = e["units"]
    need(pool.is_respected(source["at_ms"], 2**63), "units in use cannot be taken away")


def reserved(book: Book, e: Fields, source: Fields) -> None:
    """Units are locked, by an award or by a deal."""
    if e["award"] in book.talks:
        bargains.take_over(book, e, source)
        return
    win, cfp = book._win(e["award"], "SlotReserved")
    bid, pool = cfp.bids[e["award"]], book._pool(e["pool"])
    if cfp.resale is not None:
        resales.take_over(book, e, source, cfp, bid)
        return
    start_ms = source["at_ms"] + bid.delay_ms
    same = (e["pool"], e["units"], e["account"], e["starts_at_ms"], e["ends_at_ms"], e["pass_hash"])
    end_ms = start_ms + cfp.duration_ms + (0 if cfp.terms is None else cfp.terms.grace_ms)
    wanted = (bid.pool or cfp.pool, cfp.units, win["account"], start_ms, end_ms, bid.pass_hash)
    need(same == wanted, "a lease is what its CFP and its bid say")
    pool.lock(e["award"], Held(e["account"], Lease(start_ms, e["ends_at_ms"], e["units"])))
    need(pool.is_respected(start_ms, e["ends_at_ms"]), "capacity is respected at each instant")


def freed(book: Book, e: Fields, source: Fields) -> None:
    """A lock is off."""
    book.purchases.end_lease(e["award"])
    held = book._pool(e["pool"]).unlock(e["award"])
    if e["reason"] == "RESOLD":
        if not resales.give_up(book, e["award"], held, e["pool"], source):
            bargains.give_up(book, e["award"], held, e["pool"])
        return
    late = source["at_ms"] >= held.lease.end_ms
    need(late == (e["reason"] == "EXPIRED"), "a lease expires at its end, and is released before")
    need(e["award"] not in book.resales, "what is sold on is not given back")
    need(all(talk.award != e["award"] for talk in book.talks.values()), "what is bargained over ends first")
    book.ending = None if book.ending == e["award"] else book.ending
