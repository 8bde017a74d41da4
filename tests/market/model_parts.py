"""What the model of tests/market/model.py reads and keeps."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from contractnet.messages import Command

Row = dict[str, Any]
MONEY_MAX, DAY_MS = 10**15, 24 * 3600 * 1000


@dataclass(frozen=True)
class Letter:
    """One record as its sender knows it: `valid` is whether the signature is right, `head` the chain before it."""

    at_ms: int
    market: str | None
    home: bool
    command: Command | None
    key: bytes | None
    sequence: int
    valid: bool
    id: bytes
    head: bytes


def good_text(text: str, size: int = 64, empty: bool = False) -> bool:
    """Whether a text may enter the market."""
    return (
        (bool(text) or empty)
        and len(text.encode()) <= size
        and text.isprintable()
        and text == unicodedata.normalize("NFC", text)
    )


def new_key(account: bytes | None, expires: int | None = None) -> Row:
    """A key that has signed nothing. `forgotten`: it was revoked under rules that forget what it signed."""
    return {"account": account, "revoked": False, "forgotten": False, "expires": expires, "used": {}}
