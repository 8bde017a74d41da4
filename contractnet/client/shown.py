"""How handles look in a log: names, and ids in hex, as the ledger's tables have them."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from typing import Any


class Shown:
    """Base of dataclasses whose repr has bytes in hex and enums as words. Fields of `repr=False` stay out."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown: Any = self
        terms = (f"{f.name}={word(getattr(self, f.name))}" for f in fields(shown) if f.repr)
        return f"{type(self).__name__}({', '.join(terms)})"


def word(value: object) -> str:
    """One value."""
    match value:
        case bytes():
            return value.hex()
        case StrEnum():
            return str(value)
        case _:
            return repr(value)
