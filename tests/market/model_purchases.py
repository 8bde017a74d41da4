"""The model's CFPs that buy, and the work they buy."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from fractions import Fraction

from contractnet.messages import Awarder, Direction, Pricing, Progress
from contractnet.messages import commands as c
from tests.market.model_identities import Identities
from tests.market.model_parts import DAY_MS, MONEY_MAX, Row, good_text


class Purchases(Identities):
    """What tests/market/model.py knows of them. A CFP's row has `buys`: None, or its terms; an ask's has its `pool` and
    what it `holds`. `works` are those that have not ended, by award."""

    def need_one_more_bid(self, cfp: Row | None) -> None:
        """Limits of bids; one live bid of an account on a CFP."""
        self.need(len(self.bids_of(self.sender)) < self.limits["bids"], "LIMIT_REACHED")
        if cfp is None:
            return
        mine = [b for b in cfp["bids"] if b["account"] == self.sender]
        self.need(self.sender != cfp["manager"], "OWN_CFP")
        self.need(all(b["withdrawn"] for b in mine), "ALREADY_BID")
        self.need_invited(cfp)
        self.need(self.sender not in cfp["refused"], "OUT_OF_SEQUENCE")
        self.need(len(cfp["bids"]) < self.limits["bids_per_cfp"], "LIMIT_REACHED")
        self.need_root_below("bids_of_root_per_cfp", [bid["account"] for bid in cfp["bids"]])
        self.need(self.version < 3 or len(mine) < self.limits["bids_of_one_per_cfp"], "LIMIT_REACHED")

    def holds_for_work(self) -> dict[bytes, int]:
        """The holds that back no bid: ceilings, prices in escrow, and the bonds of work."""
        holds = {ident: self._ceiling(x) for ident, x in self.cfps.items() if x["buys"]}
        for award, work in self.works.items():
            holds[hashlib.sha256(b"contractnet/escrow/1" + award).digest()[:16]] = work["price"]
            holds[award] = work["bond"]
        return holds

    def held_for_work(self, account: bytes | None) -> int:
        """What an account holds as a manager that buys, or as a contractor at work."""
        ceilings = [self._ceiling(x) for x in self.cfps.values() if x["buys"] and x["manager"] == account]
        escrows = [x["price"] for x in self.works.values() if x["manager"] == account]
        bonds = [x["bond"] for x in self.works.values() if x["account"] == account]
        return sum(ceilings + escrows + bonds)

    def _ceiling(self, cfp: Row) -> int:
        """The most that the slots may cost that are not given."""
        most: int = cfp["reserve"] * (cfp["slots"] - len(cfp["given"]))
        return most

    def need_good_purchase(self, command: c.CallForProposals) -> None:
        """Terms of a CFP of version 6 that buys."""
        self.need(self.sender != self.bank, "NOT_PERMITTED")
        self.need(good_text(command.pool), "BAD_NAME")
        if self.version >= 7:
            self.need_good_decision(command)
        else:
            self.need(command.award is Awarder.AUTO and command.decide_ms == 0, "UNKNOWN_RULES")
        self.need(0 <= command.delay_cost_per_s_ucr <= MONEY_MAX and 0 < command.bond_ucr <= MONEY_MAX, "BAD_AMOUNT")
        self.need(self.version < 10 or command.bond_ucr <= command.reserve_price_ucr, "BAD_AMOUNT")
        self.need(0 <= command.start_within_ms <= DAY_MS and command.grace_ms >= 0, "BAD_DURATION")
        self.need(command.duration_ms + command.grace_ms <= 7 * DAY_MS, "BAD_DURATION")
        ceiling = command.reserve_price_ucr * command.slots
        self.need(0 < ceiling <= MONEY_MAX, "BAD_AMOUNT")
        self.need_held(ceiling)

    def terms_of(self, command: c.CallForProposals) -> Row | None:
        """What a CFP's row says of how it buys."""
        if command.direction is not Direction.BUY:
            return None
        return {
            "cost": Fraction(command.delay_cost_per_s_ucr, 1000),
            "bond": command.bond_ucr,
            "within": command.start_within_ms,
            "grace": command.grace_ms,
        }

    def _best(self, ident: bytes, asks: list[Row], at: int, head: bytes) -> list[bytes]:
        """The winning asks, best first."""
        cfp = self.cfps[ident]
        offers: list[tuple[Fraction | int, Row]] = []
        for ask in asks:
            start = at + ask["delay"]
            end = start + cfp["duration"] + cfp["buys"]["grace"]
            used = self.peak(ask["pool"], start, end, list(self.leases.values()))
            if not ask["withdrawn"] and used + cfp["units"] <= self.pools[ask["pool"]]["units"]:
                total = ask["price"] + cfp["buys"]["cost"] * ask["delay"]
                offers.append((-total / ask["weight"], ask))
        return [ask["id"] for ask in self.in_order(offers, ident, head)[: cfp["slots"]]]

    def close_purchase(self, ident: bytes, at: int, head: bytes) -> None:
        """The deadline."""
        cfp = self.cfps[ident]
        # Whoever is not among the best is outbid, or has no room: nobody is left for the manager to serve.
        cfp["shut_out"] = set()
        by_id = {ask["id"]: ask for ask in cfp["bids"]}
        promised: list[tuple[Row, int]] = []
        for winner in self._best(ident, cfp["bids"], at, head):

            def loses(price: int, winner: bytes = winner) -> bool:
                asks = [a | {"price": price} if a["id"] == winner else a for a in cfp["bids"]]
                return winner not in self._best(ident, asks, at, head)

            ask = by_id[winner]
            prices = range(ask["price"], cfp["reserve"] + 1)
            most = prices[bisect_left(prices, True, key=loses) - 1]
            promised.append((ask, ask["price"] if cfp["first"] else most))
        for slot, (ask, price) in enumerate(promised):
            self.begin_work(cfp, ask, price, at)
            self.awards.append((ident, ask["id"], slot, price))
        self.over(ident)

    def begin_work(self, cfp: Row, ask: Row, price: int, at: int) -> None:
        """An ask has won."""
        lease = {"pool": ask["pool"], "units": cfp["units"], "account": ask["account"], "start": at + ask["delay"]}
        lease["end"] = lease["start"] + cfp["duration"] + cfp["buys"]["grace"]
        self.leases[ask["id"]] = lease
        self.works[ask["id"]] = {"manager": cfp["manager"], "account": ask["account"], "price": price}
        self.works[ask["id"]] |= {"bond": cfp["buys"]["bond"], "cost": cfp["buys"]["cost"], "at": at}
        self.works[ask["id"]] |= {"promised": ask["delay"], "delay": None}

    def end_work(self, award: bytes, *, done: bool) -> None:
        """Escrow is settled, and the units are free."""
        work = self.works.pop(award)
        del self.leases[award]
        payer, payee, amount = work["account"], work["manager"], work["bond"]
        if done:
            late = work["cost"] * (work["delay"] - work["promised"])
            payer, payee, amount = payee, payer, max(0, (work["price"] - late).__floor__())
        self.accounts[payer]["balance"] -= amount
        self.accounts[payee]["balance"] += amount
        if amount:
            self.payments.append((payer, amount))
            self.warn({payer})

    # One method for each command, named after it: broken rules first, then the effect.

    def _PlaceAsk(self, command: c.PlaceAsk) -> None:
        if not self.need(self.version >= 6, "UNKNOWN_RULES"):
            return
        self.need(self.sender not in (None, self.bank), "NOT_PERMITTED")
        self.need(good_text(command.task, empty=True), "BAD_NAME")
        cfp = self.open_cfp(command.cfp)
        self.need_one_more_bid(cfp)
        if cfp is not None and self.need(cfp["buys"] is not None, "OUT_OF_SEQUENCE"):
            self.need(0 < command.price_ucr <= cfp["reserve"], "BAD_AMOUNT")
            self.need(0 <= command.start_delay_ms <= cfp["buys"]["within"], "BAD_DURATION")
            self.need_held(cfp["buys"]["bond"])
        if self.need(command.pool in self.pools, "UNKNOWN_POOL"):
            self.need(self.pools[command.pool]["owner"] == self.sender, "NOT_OWNER")
            self.need(cfp is None or cfp["units"] <= self.pools[command.pool]["units"], "UNITS_EXCEED_POOL")
        if cfp is not None and self.sender is not None and not self.bad:
            row = {"id": self.id, "account": self.sender, "price": command.price_ucr, "withdrawn": False, "done": False}
            row |= {"delay": command.start_delay_ms, "weight": self.weight_of(self.sender, cfp["weights"])}
            row |= {"group": None, "number": 0, "holds": cfp["buys"]["bond"], "placed": self.now, "freed": 0}
            cfp["bids"].append(row | {"pool": command.pool})

    def _ReportWork(self, command: c.ReportWork) -> None:
        if not self.need(self.version >= 6, "UNKNOWN_RULES"):
            return
        self.need(self.sender is not None, "NOT_PERMITTED")
        self.need(good_text(command.text, 256, empty=True), "BAD_NAME")
        known = command.progress in (Progress.STARTED, Progress.DONE, Progress.FAILED)
        self.need(known, "UNKNOWN_VALUE")
        work = self.works.get(command.award)
        if work is None or self.now >= self.leases[command.award]["end"]:
            self.need(False, "UNKNOWN_LEASE")
            return
        self.need(work["account"] == self.sender, "NOT_OWNER")
        self.need(command.progress is not Progress.STARTED or work["delay"] is None, "OUT_OF_SEQUENCE")
        self.need(command.progress is not Progress.DONE or work["delay"] is not None, "OUT_OF_SEQUENCE")
        if self.bad:
            return
        if command.progress is Progress.STARTED:
            work["delay"] = max(work["promised"], self.now - work["at"])
        else:
            self.end_work(command.award, done=command.progress is Progress.DONE)


def is_known(command: c.CallForProposals, version: int) -> bool:
    """Whether direction and pricing are what a version of the rules knows."""
    directions = (Direction.SELL, Direction.BUY) if version >= 6 else (Direction.SELL,)
    return command.direction in directions and command.pricing is not Pricing.UNSPECIFIED
