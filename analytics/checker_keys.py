"""What keys may do, as the independent checker sees it."""

from __future__ import annotations

from analytics.checker_parts import Fields, Key, need


def known(keys: dict[bytes, Key], public: bytes) -> Key:
    """A key that was registered."""
    need(public in keys, "a key is registered before it signs")
    return keys[public]


def revoke(keys: dict[bytes, Key], e: Fields) -> None:
    """A key ends."""
    key = known(keys, e["signing_key"])
    need(key.account == e["account"] and not key.revoked, "a live key of the account is revoked")
    key.revoked = True


def expire(keys: dict[bytes, Key], e: Fields, source: Fields) -> None:
    """A key gets its end."""
    key = known(keys, e["signing_key"])
    need(key.account == e["account"] and not key.used, "a new key of the account gets its end")
    need(e["expires_at_ms"] > source["at_ms"], "a key expires later than now")
    key.expires_at_ms = e["expires_at_ms"]


def rotate_operator(keys: dict[bytes, Key], e: Fields) -> None:
    """The operator signs with another key."""
    key = known(keys, e["revoked_key"])
    need(key.account is None and not key.revoked, "a live key of the operator is rotated")
    need(e["signing_key"] not in keys, "a key is registered once")
    key.revoked = True
    keys[e["signing_key"]] = Key(None)
