"""The operator's policy, as the independent checker sees it: what the bank issued is added up window by window."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analytics.checker.parts import RULES, Fields, need

if TYPE_CHECKING:
    from analytics.checker.books import Book

ISSUED_MAX, WINDOW_MS_MIN, WINDOW_MS_MAX, MONEY_MAX = 4 * 10**18, 60_000, 366 * 24 * 3600 * 1000, 10**15


def activate(book: Book, e: Fields, source: Fields) -> None:
    """The operator activates other rules."""
    need(e["version"] in RULES and e["version"] > book.version, "rules are known, and never older than before")
    book.version = e["version"]
    book.budgets.activate(e["version"], source["at_ms"])


@dataclass(slots=True)
class Policy:
    """A market's; `issued` is by the beginning of each window."""

    limit_ucr: int | None = None
    window_ms: int = WINDOW_MS_MIN
    fee_ucr: int = 0
    is_set: bool = False
    issued: dict[int, int] = field(default_factory=dict)
    _paid: bytes | None = None
    """Who has paid a fee that no offer has followed yet."""

    def set(self, e: Fields) -> None:
        """The operator's."""
        need(e["issue_limit_ucr"] is None or 0 <= e["issue_limit_ucr"] <= ISSUED_MAX, "a limit is in its limits")
        need(WINDOW_MS_MIN <= e["issue_window_ms"] <= WINDOW_MS_MAX, "a window of issuance is in its limits")
        need(0 <= e["round_fee_ucr"] <= MONEY_MAX, "a fee is in its limits")
        self.limit_ucr, self.window_ms, self.fee_ucr = e["issue_limit_ucr"], e["issue_window_ms"], e["round_fee_ucr"]
        self.is_set, self.issued = True, {}

    def left_ucr(self, at_ms: int) -> int | None:
        """What may still be issued."""
        return None if self.limit_ucr is None else self.limit_ucr - self.issued.get(at_ms // self.window_ms, 0)

    def post(self, e: Fields, bank: bytes, at_ms: int) -> None:
        """A posting: new credits, a fee, or neither."""
        if e["debit"] == bank and self.is_set:
            window = at_ms // self.window_ms
            self.issued = {window: self.issued.get(window, 0) + e["amount_ucr"]}
            need((self.left_ucr(at_ms) or 0) >= 0, "the bank issues no more than the policy leaves")
        if e["reason"] != "FEE":
            return
        need(self._paid is None and e["credit"] == bank, "a fee goes to the bank, before its offer")
        need(e["amount_ucr"] == self.fee_ucr, "a fee is that of the policy")
        self._paid = e["debit"]

    def offer(self, e: Fields) -> None:
        """An offer, right after its fee."""
        need(self._paid == (e["account"] if self.fee_ucr else None), "an offer has cost its fee")
        self._paid = None

    def end(self) -> None:
        """The record is over."""
        need(self._paid is None, "a fee is for an offer")

    def load(self, row: list[int | None] | None) -> None:
        """From canonical state."""
        if row is not None:
            limit_ucr, window_ms, fee_ucr, starts_ms, issued_ucr = row
            assert window_ms is not None
            assert fee_ucr is not None
            assert starts_ms is not None
            assert issued_ucr is not None
            self.limit_ucr, self.window_ms, self.fee_ucr, self.is_set = limit_ucr, window_ms, fee_ucr, True
            self.issued = {starts_ms // window_ms: issued_ucr} if issued_ucr else {}

    def plain(self) -> tuple[object, ...]:
        """What can be compared."""
        return self.is_set, self.limit_ucr, self.window_ms, self.fee_ucr, self.issued
