"""What the model knows of budget roots in rankings, from rules version 10 on: ties in turns, and the least weight."""

from __future__ import annotations

import hashlib
from fractions import Fraction

from tests.market.model_parts import Books, Row


class Identities(Books):
    """`Scored` bids are (how good, the best being the greatest; the bid's row)."""

    def weight_of(self, account: bytes, weights: dict[bytes, int]) -> int:
        """What an account counts by, where `weights` are those of all that there were at the CFP's opening."""
        if self.version < 10:
            return weights.get(account, 1000)
        root = self.accounts[account]["root"]
        return min([1000, *(weight for ident, weight in weights.items() if self.accounts[ident]["root"] == root)])

    def weights_now(self) -> dict[bytes, int]:
        """Of all accounts."""
        return {ident: row["weight"] for ident, row in self.accounts.items()}

    def in_order(self, scored: list[tuple[Fraction | int, Row]], cfp: bytes, head: bytes) -> list[Row]:
        """Bids that stand, the best first."""

        def lot(name: bytes) -> bytes:
            return hashlib.sha256(head + cfp + name).digest()

        def root(bid: Row) -> bytes:
            name: str = self.accounts[bid["account"]]["root"]
            return name.encode()

        def place(one: tuple[Fraction | int, Row]) -> tuple[Fraction | int, int, bytes, bytes]:
            score, bid = one
            mine = lot(bid["account"])
            if self.version < 10:
                return -score, 0, b"", mine
            family = [b for s, b in scored if s == score and root(b) == root(bid)]
            return -score, sum(lot(b["account"]) < mine for b in family), lot(root(bid)), mine

        return [bid for _, bid in sorted(scored, key=place)]
