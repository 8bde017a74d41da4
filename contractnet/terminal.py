"""Text for a terminal: names, errors and query results come from others, and none of them may steer it."""

from __future__ import annotations

KEPT = "\n\t"


def printable(text: str, kept: str = KEPT) -> str:
    """`text` with everything escaped that a terminal obeys or does not show: control characters, escape sequences,
    changes of direction, invisible and unassigned characters; also lone surrogates, which have no encoding."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else c.encode("unicode_escape").decode() for c in text)
