"""What the model of tests/market/model.py reads and keeps."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from contractnet.messages import Command
from contractnet.messages.commands import CallForProposals

Row = dict[str, Any]
MONEY_MAX, UNITS_MAX, DAY_MS = 10**15, 1_000_000, 24 * 3600 * 1000


@dataclass(frozen=True)
class Letter:
    """One record as its sender knows it: `valid` is whether the signature is right, `head` the chain before it."""

    at_ms: int
    market: str | None
    home: bool
    command: Command | None
    key: bytes | None
    sequence: int
    valid: bool
    id: bytes
    head: bytes


def good_text(text: str, size: int = 64, empty: bool = False) -> bool:
    """Whether a text may enter the market."""
    return (
        (bool(text) or empty)
        and len(text.encode()) <= size
        and text.isprintable()
        and text == unicodedata.normalize("NFC", text)
    )


def new_key(account: bytes | None, expires: int | None = None) -> Row:
    """A key that has signed nothing. `forgotten`: it was revoked under rules that forget what it signed."""
    return {"account": account, "revoked": False, "forgotten": False, "expires": expires, "used": {}}


class Books:
    """What the parts of the model share: what model.py keeps, and what one part asks of another."""

    version: int
    now: int
    bank: bytes
    id: bytes
    sender: bytes | None
    limits: dict[str, int]
    accounts: dict[bytes, Row]
    payments: list[tuple[bytes, int]]
    bad: set[str]
    pools: dict[str, Row]
    cfps: dict[bytes, Row]
    leases: dict[bytes, Row]
    awards: list[tuple[bytes, bytes, int, int]]
    works: dict[bytes, Row]
    issued: list[tuple[int, int]]

    def need(self, holds: bool, code: str) -> bool:
        """Note a broken rule."""
        raise NotImplementedError

    def need_root_below(self, limit: str, accounts: list[bytes]) -> None:
        """Whether fewer of these are under the sender's budget root than the limit says."""
        if self.version >= 9 and self.sender is not None:
            root = self.accounts[self.sender]["root"]
            mine = [ident for ident in accounts if self.accounts[ident]["root"] == root]
            self.need(len(mine) < self.limits[limit], "LIMIT_REACHED")

    def held(self, account: bytes | None) -> int:
        """What an account's bids hold."""
        raise NotImplementedError

    def won(self, bid: Row) -> None:
        """A bid has won."""
        raise NotImplementedError

    def need_invited(self, cfp: Row) -> None:
        """Whether the sender may answer."""
        raise NotImplementedError

    def warn(self, payers: set[bytes]) -> None:
        """After payments."""
        raise NotImplementedError

    def peak(self, pool: str, start: int, end: int | None, leases: list[Row]) -> int:
        """Most units in use in an interval."""
        raise NotImplementedError

    def bids_of(self, account: bytes | None) -> list[Row]:
        """Unsettled bids, withdrawn ones included."""
        raise NotImplementedError

    def leave_room(self, account: bytes, price: int) -> bool:
        """Whether budgets do."""
        raise NotImplementedError

    def free(self, account: bytes) -> int:
        """What an account can spend."""
        balance: int = self.accounts[account]["balance"]
        owed: int = self.accounts[account]["owed"]
        return balance - self.held(account) - owed

    def open_cfp(self, ident: bytes) -> Row | None:
        """A CFP that takes bids."""
        raise NotImplementedError

    def over(self, ident: bytes) -> None:
        """A CFP ends."""
        raise NotImplementedError

    def begin_work(self, cfp: Row, ask: Row, price: int, at: int) -> None:
        """An ask has won."""
        raise NotImplementedError

    def need_good_decision(self, command: CallForProposals) -> None:
        """Terms of who awards a CFP."""
        raise NotImplementedError

    def budgets_over(self, account: bytes) -> list[Row]:
        """The budgets that an account falls under."""
        raise NotImplementedError

    def under(self, row: Row) -> list[bytes]:
        """The accounts that fall under a budget."""
        raise NotImplementedError

    def spent(self, row: Row) -> int:
        """What those have paid in this window."""
        raise NotImplementedError

    def held_under(self, row: Row) -> int:
        """What their open bids hold."""
        raise NotImplementedError

    def may_issue(self, at: int) -> int:
        """What the operator's policy leaves to issue."""
        raise NotImplementedError

    def need_fee(self) -> None:
        """Whether the sender has the fee of an offer."""
        raise NotImplementedError

    def pay_fee(self) -> None:
        """The sender's offer is made."""
        raise NotImplementedError

    def pay_deposit(self, ident: bytes) -> None:
        """A CFP ends, and its manager's deposit is free."""
        raise NotImplementedError

    def need_not_sold(self, cfp: bytes | None, lease: bytes | None = None) -> None:
        """Whether a CFP or a lease is no part of a deal."""
        raise NotImplementedError

    def need_held(self, amount: int) -> None:
        """Credits and budgets of the sender."""
        raise NotImplementedError
