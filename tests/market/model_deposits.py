"""The model's deposits of managers that sell: exact fractions, rounded when they are posted."""

from __future__ import annotations

from fractions import Fraction

from contractnet.messages import Direction
from contractnet.messages import commands as c
from tests.market.model_parts import MONEY_MAX, Books, Row


class Deposits(Books):
    """What tests/market/model.py knows of them. A CFP's row has `rate` (thousandths of the reserve an hour), when it
    was `opened`, and `shut_out` where the market has awarded it: the bids that its pool had no room for. A bid's row
    has when it was `placed`, and `freed` by a rejection."""

    rate: int
    instant: int

    def _SetDeposit(self, command: c.SetDeposit) -> None:
        if not self.need(self.version >= 8, "UNKNOWN_RULES"):
            return
        self.need(self.sender is None, "NOT_PERMITTED")
        self.need(0 <= command.hourly_permille <= 1_000_000, "BAD_AMOUNT")
        self.rate = self.rate if self.bad else command.hourly_permille

    def rate_for(self, command: c.CallForProposals) -> int:
        """What the sender deposits for a new CFP."""
        return self.rate if command.direction is Direction.SELL and self.sender != self.bank else 0

    def need_deposit(self, command: c.CallForProposals) -> None:
        """Whether the sender has the deposit."""
        rate = self.rate_for(command)
        if rate and not self.bad:
            amount = _deposit(rate, command.reserve_price_ucr, command.slots, command.open_ms + command.decide_ms)
            self.need(amount <= MONEY_MAX, "BAD_AMOUNT")
            self.need_held(amount)

    def deposits(self) -> dict[bytes, int]:
        """What is held for the open CFPs."""
        return {i: _deposit(x["rate"], x["reserve"], x["slots"], _bound(x)) for i, x in self.cfps.items() if x["rate"]}

    def deposited(self, account: bytes | None) -> int:
        """What an account holds as a manager that sells."""
        return sum(amount for ident, amount in self.deposits().items() if self.cfps[ident]["manager"] == account)

    def _fits(self, cfp: Row, start: int) -> bool:
        used = self.peak(cfp["pool"], start, start + cfp["duration"], list(self.leases.values()))
        most: int = self.pools[cfp["pool"]]["units"]
        return used + int(cfp["units"]) <= most

    def need_room_for(self, cfp: Row | None, delay: int) -> None:
        """Whether a bid could be served, as far as is known when it is placed."""
        if cfp is not None and cfp["rate"]:
            self.need(self._fits(cfp, cfp["closes"] + delay), "NO_CAPACITY")

    def shut_out(self, cfp: Row, at: int) -> set[bytes]:
        """The bids that there is no room for at the deadline, however few others bid."""
        return {bid["id"] for bid in cfp["bids"] if not self._fits(cfp, at + bid["delay"])}

    def pay_deposit(self, ident: bytes) -> None:
        """A CFP ends: its manager pays bidders of other budget roots that it could have served."""
        cfp, given = self.cfps[ident], [bid for bid, _ in self.cfps[ident]["given"]]
        deposit, root = self.deposits().get(ident, 0), self.accounts[cfp["manager"]]["root"]
        if not deposit:
            return
        others = [bid for bid in cfp["bids"] if self.accounts[bid["account"]]["root"] != root]
        left = [b for b in others if b["id"] not in given and not b["withdrawn"] and b["price"] >= cfp["reserve"]]
        if cfp["shut_out"] is not None:
            left = [bid for bid in left if bid["id"] in cfp["shut_out"]]
        slots = min(len(left), cfp["slots"] - sum(bid["id"] in given for bid in others))
        times = [(bid["freed"] or self.instant) - bid["placed"] for bid in left]
        for bid, time in zip(left, times, strict=True):
            share = Fraction(time, max(sum(times), slots * _bound(cfp))) if slots else Fraction(0)
            paid = (Fraction(deposit * slots, cfp["slots"]) * share).__floor__()
            self.accounts[cfp["manager"]]["balance"] -= paid
            self.accounts[bid["account"]]["balance"] += paid


def _bound(cfp: Row) -> int:
    time: int = cfp["closes"] - cfp["opened"] + cfp["decide"]
    return time


def _deposit(rate: int, reserve: int, slots: int, time: int) -> int:
    return (Fraction(rate, 1000) * reserve * slots * Fraction(time, 3_600_000)).__ceil__()
