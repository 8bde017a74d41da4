"""The model's deposits of managers: exact fractions, rounded when they are posted."""

from __future__ import annotations

import hashlib
from fractions import Fraction

from contractnet.messages import Direction
from contractnet.messages import commands as c
from tests.market.model_parts import MONEY_MAX, Books, Row


class Deposits(Books):
    """What tests/market/model.py knows of them. A CFP's row has `rate` (thousandths of its `worth` an hour, which is
    its reserve or what the floor makes of what it sells, or its bond where it buys), when it was `opened`, and
    `shut_out` where the market has awarded it: the bids that its pool had no room for. A bid's row has when it was
    `placed`, and `freed` by a rejection."""

    rate: int
    floor: int
    instant: int

    def _SetDeposit(self, command: c.SetDeposit) -> None:
        if not self.need(self.version >= 8, "UNKNOWN_RULES"):
            return
        self.need(self.sender is None, "NOT_PERMITTED")
        if self.version < 10:
            self.need(command.floor_ucr == 0, "UNKNOWN_RULES")
        self.need(0 <= command.hourly_permille <= 1_000_000, "BAD_AMOUNT")
        self.need(0 <= command.floor_ucr <= MONEY_MAX, "BAD_AMOUNT")
        if not self.bad:
            self.rate, self.floor = command.hourly_permille, command.floor_ucr

    def rate_for(self, command: c.CallForProposals) -> int:
        """What the sender deposits for a new CFP."""
        owes = command.direction is Direction.SELL or self.version >= 11
        return self.rate if owes and self.sender != self.bank else 0

    def worth_of(self, command: c.CallForProposals) -> int:
        """What a slot of a new CFP counts for."""
        if command.direction is Direction.BUY:
            return command.bond_ucr
        hours = Fraction(command.duration_ms, 3_600_000)
        return max(command.reserve_price_ucr, (self.floor * command.units * hours).__ceil__())

    def need_deposit(self, command: c.CallForProposals) -> None:
        """Whether the sender has the deposit."""
        rate, buys = self.rate_for(command), command.direction is Direction.BUY
        # The market may look at a buyer's credits before it looks at the bond.
        if rate and (buys or not self.bad):
            amount = _deposit(rate, self.worth_of(command), command.slots, command.open_ms + command.decide_ms)
            self.need(amount <= MONEY_MAX, "BAD_AMOUNT")
            self.need_held(amount + (command.reserve_price_ucr * command.slots if buys else 0))

    def deposits(self) -> dict[bytes, int]:
        """What is held for the open CFPs."""
        return {
            hashlib.sha256(b"contractnet/deposit/1" + ident).digest()[:16] if x["buys"] else ident: _held(x)
            for ident, x in self.cfps.items()
            if x["rate"]
        }

    def deposited(self, account: bytes | None) -> int:
        """What an account holds as a manager."""
        return sum(_held(x) for x in self.cfps.values() if x["rate"] and x["manager"] == account)

    def _fits(self, cfp: Row, start: int, ask: Row | None = None) -> bool:
        pool = cfp["pool"] if ask is None else ask["pool"]
        end = start + cfp["duration"] + (0 if ask is None else cfp["buys"]["grace"])
        used = self.peak(pool, start, end, list(self.leases.values()))
        most: int = self.pools[pool]["units"]
        return used + int(cfp["units"]) <= most

    def _could_serve(self, cfp: Row, bid: Row) -> bool:
        """Whether a bid that was not given a slot might have been."""
        if not cfp["buys"]:
            return int(bid["price"]) >= int(cfp["reserve"])
        return bool(bid["freed"]) or self._fits(cfp, self.instant + bid["delay"], bid)

    def need_room_for(self, cfp: Row | None, delay: int) -> None:
        """Whether a bid could be served, as far as is known when it is placed."""
        if cfp is not None and cfp["rate"] and not cfp["buys"]:
            self.need(self._fits(cfp, cfp["closes"] + delay), "NO_CAPACITY")

    def shut_out(self, cfp: Row, at: int) -> set[bytes]:
        """The bids that there is no room for at the deadline, however few others bid."""
        return {bid["id"] for bid in cfp["bids"] if not self._fits(cfp, at + bid["delay"])}

    def pay_deposit(self, ident: bytes) -> None:
        """A CFP ends: its manager pays bidders of other budget roots that it could have served."""
        cfp, given = self.cfps[ident], [bid for bid, _ in self.cfps[ident]["given"]]
        if not cfp["rate"]:
            return
        deposit, root = _held(cfp), self.accounts[cfp["manager"]]["root"]
        others = [bid for bid in cfp["bids"] if self.accounts[bid["account"]]["root"] != root]
        left = [b for b in others if b["id"] not in given and not b["withdrawn"] and self._could_serve(cfp, b)]
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


def _held(cfp: Row) -> int:
    return _deposit(cfp["rate"], cfp["worth"], cfp["slots"], _bound(cfp))


def _deposit(rate: int, worth: int, slots: int, time: int) -> int:
    return (Fraction(rate, 1000) * worth * slots * Fraction(time, 3_600_000)).__ceil__()
