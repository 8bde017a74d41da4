"""The model's CFPs that their manager awards, refusals, and what takes a bid or a CFP back."""

from __future__ import annotations

from contractnet.messages import Awarder, Pricing
from contractnet.messages import commands as c
from tests.market.model_parts import DAY_MS, Books, Row, good_text


class Decisions(Books):
    """What tests/market/model.py knows of them. A CFP's row has `decide` (0: the market awards), `until` once its
    deadline is over, `given` and `refused`; a bid's `done` is whether its manager has decided on it."""

    ended: set[bytes]

    def choosable(self, cfp: Row) -> list[Row]:
        """The bids that a manager may still award."""
        open_bids = [b for b in cfp["bids"] if not b["withdrawn"] and not b["done"]]
        return [b for b in open_bids if cfp["buys"] or b["price"] >= cfp["reserve"]]

    def decision_due(self, ident: bytes, at: int) -> None:
        """A deadline, or the end of a manager's time."""
        cfp = self.cfps[ident]
        if cfp["until"] or not self.choosable(cfp):
            self.over(ident)
        else:
            cfp["until"] = at + cfp["decide"]

    def over(self, ident: bytes) -> None:
        """A CFP ends."""
        self.pay_deposit(ident)
        del self.cfps[ident]
        self.ended.add(ident)

    def need_good_decision(self, command: c.CallForProposals) -> None:
        """Terms of who awards a CFP."""
        if self.version < 5:
            self.need(command.award is Awarder.AUTO and command.decide_ms == 0, "UNKNOWN_RULES")
        elif self.need(command.award is not Awarder.UNSPECIFIED, "UNKNOWN_VALUE"):
            managed = command.award is Awarder.MANAGER
            self.need(not managed or command.pricing is Pricing.FIRST, "BAD_PRICING")
            timely = 100 <= command.decide_ms <= DAY_MS - command.open_ms
            self.need(timely if managed else command.decide_ms == 0, "BAD_DURATION")

    def need_good_sale(self, command: c.CallForProposals) -> None:
        """Terms of a CFP that sells."""
        self.need_good_decision(command)
        terms = (command.delay_cost_per_s_ucr, command.bond_ucr, command.start_within_ms, command.grace_ms)
        self.need(not any(terms), "UNKNOWN_RULES")
        if self.need(command.pool in self.pools, "UNKNOWN_POOL"):
            self.need(self.pools[command.pool]["owner"] == self.sender, "NOT_OWNER")
            self.need(command.units <= self.pools[command.pool]["units"], "UNITS_EXCEED_POOL")

    def known_cfp(self, ident: bytes) -> Row | None:
        """A CFP that has not ended."""
        cfp = self.cfps.get(ident)
        self.need(cfp is not None, "CFP_CLOSED" if ident in self.ended else "UNKNOWN_CFP")
        return cfp

    def open_cfp(self, ident: bytes) -> Row | None:
        """A CFP that takes bids."""
        cfp = self.known_cfp(ident)
        self.need(cfp is None or self.now < cfp["closes"], "CFP_CLOSED")
        return cfp

    def _CancelCfp(self, command: c.CancelCfp) -> None:
        self.need(self.sender is not None, "NOT_PERMITTED")
        cfp = self.known_cfp(command.cfp)
        if cfp is not None:
            self.need(cfp["manager"] == self.sender, "NOT_OWNER")
            # What a manager awards itself it may take back until its time is over.
            late = self.now >= cfp["until"] > 0 if cfp["decide"] else self.now >= cfp["closes"]
            self.need(not late, "CFP_CLOSED")
            self.need_not_sold(command.cfp)
        if not self.bad:
            self.over(command.cfp)

    def _standing(self, bid: bytes) -> tuple[bytes, Row] | None:
        """A bid that nobody has decided on, and its CFP's id."""
        rows = [(i, b) for i, x in self.cfps.items() for b in x["bids"] if b["id"] == bid]
        good = bool(rows) and not rows[0][1]["withdrawn"] and not rows[0][1]["done"]
        return rows[0] if self.need(good, "UNKNOWN_BID") else None

    def _WithdrawBid(self, command: c.WithdrawBid) -> None:
        self.need(self.sender is not None, "NOT_PERMITTED")
        found = self._standing(command.bid)
        if found is not None:
            cfp, bid = self.cfps[found[0]], found[1]
            self.need(bid["account"] == self.sender, "NOT_OWNER")
            self.need(self.now < cfp["closes"], "BID_BINDING" if cfp["decide"] else "CFP_CLOSED")
            self.need_not_sold(found[0] if found[0] == command.bid else None)
            bid["withdrawn"] = not self.bad

    def _RefuseCfp(self, command: c.RefuseCfp) -> None:
        if not self.need(self.version >= 5, "UNKNOWN_RULES"):
            return
        self.need(self.sender not in (None, self.bank), "NOT_PERMITTED")
        self.need(good_text(command.reason, empty=True), "BAD_NAME")
        cfp = self.open_cfp(command.cfp)
        if cfp is not None:
            self.need(self.sender != cfp["manager"], "OWN_CFP")
            self.need_invited(cfp)
            answered = [*cfp["refused"], *(b["account"] for b in cfp["bids"])]
            self.need(self.sender not in answered, "OUT_OF_SEQUENCE")
            self.need(len(cfp["refused"]) < self.limits["refusals"], "LIMIT_REACHED")
            if not self.bad:
                cfp["refused"].append(self.sender)

    def _decides(self, ident: bytes) -> tuple[bytes, Row] | None:
        """The bid that a manager may decide on now."""
        if not self.need(self.version >= 5, "UNKNOWN_RULES"):
            return None
        found = self._standing(ident)
        if found is not None:
            cfp = self.cfps[found[0]]
            self.need(self.sender is not None, "NOT_PERMITTED")
            self.need(self.sender is None or self.sender == cfp["manager"], "NOT_OWNER")
            if self.need(cfp["decide"] > 0, "NOT_MANAGED") and self.need(cfp["until"] > 0, "CFP_OPEN"):
                self.need(self.now < cfp["until"], "CFP_CLOSED")
        return found

    def _AwardBid(self, command: c.AwardBid) -> None:
        found = self._decides(command.bid)
        if found is None:
            return
        ident, bid = found
        cfp, price, buys = self.cfps[ident], bid["price"], self.cfps[ident]["buys"]
        self.need(bool(buys) or price >= cfp["reserve"], "BELOW_RESERVE")
        start, pool = self.now + bid["delay"], bid["pool"] if buys else cfp["pool"]
        lease = {"pool": pool, "units": cfp["units"], "account": bid["account"], "start": start}
        lease["end"] = start + cfp["duration"] + (buys["grace"] if buys else 0)
        used = self.peak(pool, start, lease["end"], list(self.leases.values()))
        self.need(used + cfp["units"] <= self.pools[pool]["units"], "NO_CAPACITY")
        if self.bad:
            return
        bid["done"] = True
        self.awards.append((ident, bid["id"], len(cfp["given"]), price))
        cfp["given"].append((bid["id"], price))
        if buys:
            self.begin_work(cfp, bid, price, self.now)
        else:
            self.leases[bid["id"]] = lease
            self.accounts[bid["account"]]["balance"] -= price
            self.accounts[cfp["manager"]]["balance"] += price
            self.payments.append((bid["account"], price))
            self.won(bid)
        if len(cfp["given"]) == cfp["slots"] or not self.choosable(cfp):
            self.over(ident)
        self.warn(set() if buys else {bid["account"]})

    def _RejectBid(self, command: c.RejectBid) -> None:
        found = self._decides(command.bid)
        if found is not None and not self.bad:
            found[1].update(done=True, freed=self.now)
            if not self.choosable(self.cfps[found[0]]):
                self.over(found[0])
