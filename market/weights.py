"""Weights by budget root: in rankings a root counts by the least weight that any of its accounts has (docs/guards.md).

Its other accounts, also those opened later, would else be a way around a weight that was lowered. What a lookup costs
grows with the weights that changed since the CFP's opening, not with the accounts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile

from market.account import Account
from market.limits import WEIGHT_PERMILLE_MAX, WEIGHTS_PER_ACCOUNT_MAX


@dataclass(slots=True)
class RootWeights:
    """Of the accounts of one budget root whose weight was ever changed. The others have WEIGHT_PERMILLE_MAX."""

    changed: dict[bytes, Account] = field(default_factory=dict)
    """By id, the latest change last."""
    now: Counter[int] = field(default_factory=Counter)
    """How many of them have each weight now."""

    def add(self, account: Account) -> None:
        """Take in an account that has changed later than all others."""
        self.changed[account.id] = account
        self.now[account.weights[-1][1]] += 1

    def change(self, account: Account, epoch: int, permille: int) -> None:
        """An account's weight changes, which begins this weight epoch."""
        if self.changed.pop(account.id, None) is not None:
            self.now -= Counter({account.weights[-1][1]: 1})
        account.weights.append((epoch, permille))
        del account.weights[:-WEIGHTS_PER_ACCOUNT_MAX]
        self.add(account)

    def least_at(self, epoch: int) -> int:
        """The least weight of any account of the root, permille, for a CFP of this weight epoch."""
        since = list(takewhile(lambda account: account.weights[-1][0] > epoch, reversed(self.changed.values())))
        kept = self.now - Counter(account.weights[-1][1] for account in since) if since else self.now
        return min([WEIGHT_PERMILLE_MAX, *kept, *(account.weight_at(epoch) for account in since)])
