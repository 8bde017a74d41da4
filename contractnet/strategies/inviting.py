"""Habits of a manager that sells by invitation: whom it invites to which of its calls. No rule of the market: nothing
makes a manager keep them, and nobody checks that it does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SALT_BYTES_MIN = 16


class TwoHalves:
    """Two halves of all budget roots, which are called in turns: what one half pays at least is learned from the other
    (`OpportunityReserve.reserve_ucr(..., bidders=halves.turn(number, roots))`).

    A root's half is a bit of SHA-256(salt, root): it stays when roots come and go, and nobody without the salt can tell
    it beforehand. (Fiat, Goldberg, Hartline & Karlin 2002, "Competitive generalized auctions", price each half of the
    bidders by the bids of the other.)

    `salt` is the manager's secret, the same as long as it learns. Raises ValueError below 16 bytes.
    """

    def __init__(self, salt: bytes) -> None:
        if len(salt) < SALT_BYTES_MIN:
            raise ValueError(f"a salt has at least {SALT_BYTES_MIN} bytes, as those of secrets.token_bytes(16)")
        self._salt = salt

    def half(self, root: str) -> int:
        """0 or 1."""
        return hashlib.sha256(self._salt + root.encode()).digest()[0] & 1

    def turn(self, number: int, roots: Iterable[str]) -> list[str]:
        """Those of the roots whose turn the manager's `number`-th call is."""
        return [root for root in roots if self.half(root) == number % 2]
