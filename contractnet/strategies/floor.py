"""A floor share for those who win least: a manager's habit against starvation, by invitation.

A weight that rises with age would pay for losing in the same call in which one bids. Here each call's prices are what
they are; some calls have fewer bidders. No rule of the market: nothing makes a manager keep it, and nobody checks that
it does.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Collection, Mapping
from itertools import islice

from contractnet.strategies.inviting import SALT_BYTES_MIN

INVITED_MAX = 64
"""Accounts that a call by invitation takes."""


class FloorShare:
    """Every `every`-th call of a manager is for the `seats` budget roots that have won least of its newest `memory`
    calls, of all that took part. Among equals whoever has not won for longest comes first, then a lot is drawn from the
    salt. A root that was outbid in `patience` such calls since it won is invited alone: else the poorest of the poor
    would wait for ever.

    Whoever is invited and does not bid is left out until it takes part again. Who loses on purpose is invited as if it
    were poor (docs/guards.md): where it is known whom the floor is for, name their roots, `among`. `salt` is the
    manager's secret. Raises ValueError for a short salt and for numbers below 1 (`every`: below 2).
    """

    def __init__(
        self,
        salt: bytes,
        *,
        every: int = 5,
        seats: int = 2,
        patience: int = 3,
        memory: int = 100,
        among: Collection[str] | None = None,
    ) -> None:
        if len(salt) < SALT_BYTES_MIN:
            raise ValueError(f"a salt has at least {SALT_BYTES_MIN} bytes, as those of secrets.token_bytes(16)")
        if every < 2 or min(seats, patience, memory) < 1:
            raise ValueError("every is at least 2; seats, patience and memory are at least 1")
        self._salt = salt
        self._every = every
        self._seats = seats
        self._patience = patience
        self._among = among
        self._won: deque[Counter[str]] = deque(maxlen=memory)
        self._calls = 0
        self._last_won: dict[str, int] = {}
        self._outbid: Counter[str] = Counter()
        self._accounts: dict[str, dict[bytes, None]] = {}
        """Of each root that takes part: its accounts that did, in the order in which they did so first."""

    def invited(self, number: int) -> list[bytes]:
        """The accounts to invite to the manager's `number`-th call, those of the first root first; none: whoever wants
        may bid, as in all calls but each `every`-th, and while no more roots than seats have taken part."""
        if number % self._every or len(self._accounts) <= self._seats:
            return []
        meant = self._accounts if self._among is None else self._accounts.keys() & set(self._among)
        won: Counter[str] = Counter()
        for call in self._won:
            won.update(call)

        def rank(root: str) -> tuple[int, int, bytes]:
            lot = hashlib.sha256(self._salt + number.to_bytes(8, "big") + root.encode()).digest()
            return won[root], self._last_won.get(root, 0), lot

        roots = sorted(meant, key=rank)[: self._seats]
        waits = [root for root in roots if self._outbid[root] >= self._patience]
        accounts = (account for root in waits[:1] or roots for account in self._accounts[root])
        return list(islice(accounts, INVITED_MAX))

    def observe(
        self, bidders: Mapping[bytes, str], winners: Collection[bytes], invited: Collection[bytes] = ()
    ) -> None:
        """Learn of a call that has ended: who bid, by account the budget root; which of them won, an account once for
        each slot; and who was invited (nobody: whoever wanted could).

        Raises ValueError for a winner that did not bid.
        """
        if not bidders.keys() >= set(winners):
            raise ValueError("a winner is among the bidders")
        self._calls += 1
        self._won.append(Counter(bidders[account] for account in winners))
        for account, root in bidders.items():
            self._accounts.setdefault(root, {})[account] = None
        roots, winning = set(bidders.values()), set(self._won[-1])
        if invited:
            for root in roots - winning:
                self._outbid[root] += 1
            silent = set(invited) - bidders.keys()
            for root, accounts in list(self._accounts.items()):
                for account in silent & accounts.keys():
                    del accounts[account]
                if not accounts:
                    del self._accounts[root]
        for root in winning:
            self._last_won[root] = self._calls
            self._outbid[root] = 0
