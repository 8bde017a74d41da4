"""What a name may be: it reaches Kafka keys, SQL, terminals and web pages."""

from __future__ import annotations

# The rules must give the same answer on every Python: the live Unicode tables grow with each release, this one is
# frozen. What was assigned after Unicode 3.2 counts as unassigned: newer invisible characters stay out too.
from unicodedata import ucd_3_2_0 as unicode_tables

NAME_BYTES_MAX = 64
MEMO_BYTES_MAX = 256

_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
"""Control, format (bidirectional, zero width), surrogate, private, unassigned, and separators: of the spaces only the
ASCII one is allowed, for the frozen tables still call the zero width space U+200B a space."""


def name_problem(name: str, bytes_max: int = NAME_BYTES_MAX, *, empty: bool = False) -> str | None:
    """Why `name` is not 1 (or 0 with `empty`) to `bytes_max` bytes of NFC text without such characters, else None."""
    if not name and not empty:
        return "it is empty"
    if name.isascii() and name.isprintable():
        return None if len(name) <= bytes_max else f"it has {len(name)} bytes, at most {bytes_max} are allowed"
    if any(c != " " and unicode_tables.category(c) in _FORBIDDEN for c in name):
        return "it holds a control, format or unassigned character"
    if (size := len(name.encode())) > bytes_max:
        return f"it has {size} bytes, at most {bytes_max} are allowed"
    return None if unicode_tables.is_normalized("NFC", name) else "it is not in Unicode normal form C"
