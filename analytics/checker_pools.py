"""Pools of units, as the independent checker sees them begin and change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.checker_parts import Fields, Pool, need

if TYPE_CHECKING:
    from analytics.checker_books import Book


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
