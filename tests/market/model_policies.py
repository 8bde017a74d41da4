"""The model's policy of the operator: what the bank issued is a list, and added up when it is asked for."""

from __future__ import annotations

from contractnet.messages import commands as c
from tests.market.model_parts import DAY_MS, MONEY_MAX, Books, Row


class Policies(Books):
    """What tests/market/model.py knows of it: `policy` is None, or its terms; `issued` is (time, amount) since then."""

    policy: Row | None
    issued: list[tuple[int, int]]

    def may_issue(self, at: int) -> int:
        """What the policy leaves; a great deal where there is none."""
        if self.policy is None or self.policy["limit"] is None:
            return 10**30
        window = self.policy["window"]
        gone = sum(amount for when, amount in self.issued if when // window == at // window)
        left: int = self.policy["limit"] - gone
        return left

    def need_issuable(self, amount: int) -> None:
        """Whether the bank may issue so much now."""
        self.need(amount <= self.may_issue(self.now), "ISSUE_EXCEEDED")

    def fee(self) -> int:
        """What an offer costs."""
        return 0 if self.policy is None else int(self.policy["fee"])

    def need_fee(self) -> None:
        """Whether the sender has the fee of an offer."""
        if self.sender is not None:
            self.need(self.free(self.sender) >= self.fee(), "INSUFFICIENT_CREDIT")

    def pay_fee(self) -> None:
        """The sender's offer is made."""
        assert self.sender is not None
        self.accounts[self.sender]["balance"] -= self.fee()
        self.accounts[self.bank]["balance"] += self.fee()

    def _SetPolicy(self, command: c.SetPolicy) -> None:
        if not self.need(self.version >= 7, "UNKNOWN_RULES"):
            return
        self.need(self.sender is None, "NOT_PERMITTED")
        limit = 0 if command.issue_limit_ucr is None else command.issue_limit_ucr
        self.need(0 <= limit <= self.limits["issued"] and 0 <= command.round_fee_ucr <= MONEY_MAX, "BAD_AMOUNT")
        self.need(60_000 <= command.issue_window_ms <= 366 * DAY_MS, "BAD_DURATION")
        if not self.bad:
            terms = {"limit": command.issue_limit_ucr, "window": command.issue_window_ms}
            self.policy, self.issued = terms | {"fee": command.round_fee_ucr}, []
