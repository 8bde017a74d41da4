"""What keys may do, as the independent checker sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.checker.parts import Fields, Key, need

if TYPE_CHECKING:
    from analytics.checker.books import Book


def known(keys: dict[bytes, Key], public: bytes) -> Key:
    """A key that was registered."""
    need(public in keys, "a key is registered before anything happens to it")
    return keys[public]


def register(book: Book, e: Fields) -> None:
    """An account has another key."""
    book._account(e["account"])
    need(e["signing_key"] not in book.keys, "a key is registered once")
    book.keys[e["signing_key"]] = Key(e["account"])


def revoke(book: Book, e: Fields) -> None:
    """A key ends."""
    key = known(book.keys, e["signing_key"])
    need(key.account == e["account"] and not key.revoked, "a live key of the account is revoked")
    key.end(book.version)


def expire(keys: dict[bytes, Key], e: Fields, source: Fields) -> None:
    """A key gets its end."""
    key = known(keys, e["signing_key"])
    need(key.account == e["account"] and not key.used, "a new key of the account gets its end")
    need(e["expires_at_ms"] > source["at_ms"], "a key expires later than now")
    key.expires_at_ms = e["expires_at_ms"]


def rotate_operator(book: Book, e: Fields) -> None:
    """The operator signs with another key."""
    key = known(book.keys, e["revoked_key"])
    need(key.account is None and not key.revoked, "a live key of the operator is rotated")
    need(e["signing_key"] not in book.keys, "a key is registered once")
    key.end(book.version)
    book.keys[e["signing_key"]] = Key(None)
