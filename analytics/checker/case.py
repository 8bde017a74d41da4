"""A command that the rules decide, for the independent checker: what it asks, who sent it, and what it finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analytics.checker.parts import ROOTS_RULES, Account, Bid, Cfp, Held, Pool

if TYPE_CHECKING:
    from analytics.checker import tokens
    from analytics.checker.books import Book
    from analytics.checker.negotiations import Talk

OPERATOR_ONLY = frozenset({"ActivateRules", "SetPolicy", "SetDeposit", "SetResaleCall", "SetPriority"})
BANK_ONLY = frozenset(
    {
        "OpenAccount",
        "SetWeight",
        "IssueCredits",
        "TransferCredits",
        "CreatePool",
        "SetBudget",
        "ClearBudget",
        "TopUpBudget",
        "CreateTokenPool",
    }
)
ABOUT_OTHERS = frozenset({"RegisterKey", "RevokeKey", "ResizePool", "ResizeTokenPool"})
OPEN_TO_OPERATOR = OPERATOR_ONLY | ABOUT_OTHERS | {"OpenMarket", "RotateKey"}
"""Commands of which the operator's lack of an account is no reason to refuse them."""


@dataclass(slots=True)
class Case:
    """A command whose signature, key and sequence are in order.

    `sender` is None for the operator; `public` is the key that signed. `command` is one of contractnet.messages.
    """

    book: Book
    command: Any
    kind: str
    ident: bytes
    at_ms: int
    public: bytes
    sender: bytes | None
    cfp: Cfp | None = None
    """The open CFP that it names, or whose bid it names."""
    bid: Bid | None = None
    """The bid on it that it names, if that is not settled."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many events of each kind it has led to so far."""

    def __post_init__(self) -> None:
        ident = getattr(self.command, "cfp", None)
        name = getattr(self.command, "bid", None)
        if name is not None:
            ident = self.book.cfp_of.get(name)
        if ident is not None:
            self.cfp = self.book.cfps.get(ident)
        if name is not None and self.cfp is not None:
            self.bid = self.cfp.bids[name]

    @property
    def is_bank(self) -> bool:
        """Whether the bank sent it."""
        return self.sender == self.book.bank

    @property
    def account(self) -> Account | None:
        """The sender's account; None for the operator."""
        return None if self.sender is None else self.book.accounts[self.sender]

    @property
    def pool(self) -> Pool | None:
        """The pool of units that it names."""
        return self.book.pools.get(self.command.pool)

    @property
    def token_pool(self) -> tokens.Pool | None:
        """The token pool that it names."""
        return self.book.tokens.pools.get(self.command.pool)

    @property
    def lease(self) -> Held | None:
        """The lease that it names, if that is not over."""
        award = self.command.award
        held = next((p.leases[award] for p in self.book.pools.values() if award in p.leases), None)
        return None if held is None or self.at_ms >= held.lease.end_ms else held

    @property
    def talk(self) -> Talk | None:
        """The negotiation that it names, if that goes on."""
        return self.book.talks.get(self.command.negotiation)

    def knows(self, account: bytes) -> bool:
        """Whether there is such an account."""
        return account in self.book.accounts

    def of_root(self, accounts: Iterable[bytes]) -> int:
        """How many of these are under the sender's budget root, where the rules have caps by it."""
        account = self.account
        if account is None or self.book.version < ROOTS_RULES:
            return 0
        return sum(self.book.accounts[ident].root == account.root for ident in accounts)

    def lacks(self, amount_ucr: int) -> bool:
        """Whether the sender cannot set so much aside."""
        account = self.account
        return account is not None and amount_ucr > 0 and account.available_ucr < amount_ucr

    def overruns(self, amount_ucr: int) -> bool:
        """Whether a budget of the sender leaves less than that."""
        budgets = self.book.budgets
        if self.sender is None or not budgets.by_id:
            return False
        return any(
            budget.most_ucr is not None and budget.spent_ucr + budgets.held_under(budget) + amount_ucr > budget.most_ucr
            for _, budget in budgets.over(self.sender)
        )
