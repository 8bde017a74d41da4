"""How ties between bids of a CFP fall: by lot, and no bidder knows the lots before the CFP is settled.

A lot is a SHA-256 that covers the chain head, which nobody can foresee: none can choose ids or timing to win ties. The
smallest lot wins. From rules version 10 on budget roots take turns: among equal bids one of each root comes first, the
roots by their lots, then the second one of each that has two, and so on; a root's own bids are in the order of their
accounts' lots. So more accounts are neither more tickets for the first slot, nor do they keep others off the next.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from market.limits import ROOT_TIES_RULES_VERSION
from market.state import Bid, State

Score = Callable[[Bid], Any]
"""What bids are ranked by: equal, or less and so better."""


@dataclass(frozen=True, slots=True)
class Ties:
    """The lots of one CFP; `head` is the chain head before the record that settles it."""

    state: State
    cfp: bytes
    head: bytes
    lots: dict[bytes | str, bytes] = field(default_factory=dict)
    """Those that were drawn, by account and by root."""

    def rank(self, bids: Iterable[Bid], score: Score) -> list[Bid]:
        """The best first."""
        by_lot = sorted(bids, key=lambda bid: (score(bid), self._lot(bid.account)))
        if self.state.rules_version < ROOT_TIES_RULES_VERSION:
            return by_lot
        return [bid for _, tied in groupby(by_lot, key=score) for bid in self._in_turns(list(tied))]

    def without(self, bid: Bid, ranked: Sequence[Bid], score: Score) -> list[Bid]:
        """The others of a ranking as they are ranked without `bid`: the order of its equals may change."""
        first = last = next(place for place, other in enumerate(ranked) if other is bid)
        while first and score(ranked[first - 1]) == score(bid):
            first -= 1
        while last + 1 < len(ranked) and score(ranked[last + 1]) == score(bid):
            last += 1
        equals = (other for other in ranked[first : last + 1] if other is not bid)
        return [*ranked[:first], *self.rank(equals, score), *ranked[last + 1 :]]

    def falls_to(self, bid: Bid, other: Bid, others: Sequence[Bid], score: Score) -> bool:
        """Whether `bid`, which ties with `other` among `others`, comes before it."""
        tie = score(other)
        tied = [rival for rival in others if score(rival) == tie]
        return next(b for b in self.rank([bid, *tied], score) if b is bid or b is other) is bid

    def _in_turns(self, tied: list[Bid]) -> list[Bid]:
        """Equal bids, in the order of their accounts' lots, as they are ranked."""
        if len(tied) == 1:
            return tied
        seen: Counter[str] = Counter()
        turns: list[tuple[int, bytes, Bid]] = []
        for bid in tied:
            root = self.state.accounts[bid.account].budget_root
            turns.append((seen[root], self._lot(root), bid))
            seen[root] += 1
        return [bid for *_, bid in sorted(turns, key=lambda turn: turn[:2])]

    def _lot(self, who: bytes | str) -> bytes:
        if who not in self.lots:
            name = who if isinstance(who, bytes) else who.encode()
            self.lots[who] = hashlib.sha256(self.head + self.cfp + name).digest()
        return self.lots[who]
