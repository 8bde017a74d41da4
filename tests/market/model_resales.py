"""The model's resales with an open call, and claims on leases."""

from __future__ import annotations

from contractnet.messages import commands as c
from tests.market.model_identities import Identities
from tests.market.model_parts import MONEY_MAX, Row, good_text


class Resales(Identities):
    """What tests/market/model.py knows of them. A CFP's row has `resale`, the lease that it sells on (None: none); a
    negotiation's `claimed`, whether its buyer has opened it. `spurned` are claims that nobody joined, in order: lease,
    budget root and when they ended."""

    call: int
    spurned: list[tuple[bytes, str, int]]
    placed: int
    instant: int
    talks: dict[bytes, Row]

    def _SetResaleCall(self, command: c.SetResaleCall) -> None:
        if not self.need(self.version >= 9, "UNKNOWN_RULES"):
            return
        self.need(self.sender is None, "NOT_PERMITTED")
        self.need(command.call_ms == 0 or 50 <= command.call_ms <= 60_000, "BAD_DURATION")
        self.call = self.call if self.bad else command.call_ms

    def sold_on(self) -> dict[bytes, bytes]:
        """The CFPs that sell leases on, by lease."""
        return {x["resale"]: i for i, x in self.cfps.items() if x["resale"]}

    def call_for(self, ident: bytes, talk: Row, price: int, at: int) -> None:
        """A deal opens a call in which its buyer has bid."""
        lease, (holder, buyer) = self.leases[talk["award"]], talk["parties"]
        row: Row = {"manager": holder, "pool": lease["pool"], "units": lease["units"], "slots": 1, "buys": None}
        row |= {"closes": at + self.call, "reserve": price, "first": False, "decide": 0, "until": 0, "given": []}
        row |= {"refused": [], "invited": (), "opened": at, "rate": 0, "worth": 0, "shut_out": None}
        row |= {"resale": talk["award"]}
        row |= {"duration": lease["end"] - max(at + self.call, lease["start"])}
        row["weights"] = self.weights_now()
        bid: Row = {"id": ident, "account": buyer, "price": price, "withdrawn": False, "done": False, "delay": 0}
        bid |= {
            "weight": self.weight_of(buyer, row["weights"]),
            "group": None,
            "number": self.placed,
            "placed": at,
            "freed": 0,
        }
        self.placed += 1
        self.cfps[ident] = row | {"bids": [bid]}

    def lease_of(self, cfp: Row, bid: Row, at: int) -> Row:
        """What a winner gets."""
        start, sold = at + bid["delay"], cfp["resale"]
        row = {"pool": cfp["pool"], "units": cfp["units"], "account": bid["account"]}
        if sold is None:
            return row | {"start": start, "end": start + cfp["duration"]}
        lease = self.leases.pop(sold)
        return row | {"start": max(at, lease["start"]), "end": lease["end"]}

    def need_free_lease(self, award: bytes, *, holder: bool) -> None:
        """Nobody bargains over it, and it is not called for. A claim that waits is in its holder's way no more than
        that it ends."""
        others = [t for t in self.talks.values() if t["award"] == award and not (holder and t["claimed"] == "waits")]
        self.need(not others and award not in self.sold_on(), "LEASE_IN_NEGOTIATION")

    def need_few_talks(self, award: bytes, *, less: int = 0) -> None:
        """There are not too many negotiations and calls, nor of one root, beside what there is about this lease."""
        self.need(len(self.talks) + len(self.sold_on()) - less < self.limits["talks"], "LIMIT_REACHED")
        openers = [t["parties"][1 if t["claimed"] else 0] for t in self.talks.values() if t["award"] != award]
        sellers = [x["manager"] for x in self.cfps.values() if x["resale"]]
        self.need_root_below("talks_of_root", openers + sellers)

    def need_few_of_holder(self) -> None:
        """The sender has not opened too many, with its calls."""
        mine = [t for t in self.talks.values() if t["parties"][0] == self.sender and not t["claimed"]]
        calls = [x for x in self.cfps.values() if x["resale"] and x["manager"] == self.sender]
        self.need(len(mine) + len(calls) < self.limits["talks_of_one"], "LIMIT_REACHED")

    def need_good_terms(self, command: c.OpenNegotiation | c.ClaimLease) -> None:
        """Terms of a negotiation."""
        raise NotImplementedError

    def new_talk(self, command: c.OpenNegotiation | c.ClaimLease, holder: bytes, buyer: bytes) -> Row:
        """A row of one."""
        raise NotImplementedError

    def _ClaimLease(self, command: c.ClaimLease) -> None:
        if not self.need(self.version >= 9, "UNKNOWN_RULES"):
            return
        self.need(self.sender not in (None, self.bank), "NOT_PERMITTED")
        lease = self.leases.get(command.award)
        if lease is None or self.now >= lease["end"]:
            self.need(False, "UNKNOWN_LEASE")
        else:
            self.need(lease["account"] != self.sender, "BAD_COUNTERPART")
            self.need(command.award not in self.works, "OUT_OF_SEQUENCE")
        self.need_good_terms(command)
        self.need_free_lease(command.award, holder=False)
        claims = [t for t in self.talks.values() if t["claimed"]]
        mine = [t for t in claims if t["parties"][1] == self.sender]
        self.need(len(mine) < self.limits["talks_of_one"] and len(claims) < self.limits["claims"], "LIMIT_REACHED")
        self.need_root_below("claims_of_root", [t["parties"][1] for t in claims])
        self.need_few_talks(command.award)
        self.need(0 < command.cap_ucr <= MONEY_MAX, "BAD_AMOUNT")
        self.need(good_text(command.task, empty=True), "BAD_NAME")
        self.need_held(command.cap_ucr)
        if self.sender is not None:
            again = self.kept_away(command.award).get(self.accounts[self.sender]["root"], self.now)
            self.need(self.now >= again, "LIMIT_REACHED")
        if not self.bad:
            assert lease is not None
            assert self.sender is not None
            row = self.new_talk(command, lease["account"], self.sender)
            wait = min(row["ms"], 300_000) if self.version >= 10 else row["ms"]
            self.talks[self.id] = row | {"claimed": "waits", "cap": command.cap_ucr, "until": self.now + wait}

    def kept_away(self, award: bytes) -> dict[str, int]:
        """The roots that may not claim a lease yet, and when they may."""
        waits = {root: at + 3_600_000 for lease, root, at in self.spurned if lease == award}
        return {root: until for root, until in waits.items() if until > self.now}

    def spurn(self, talk: Row) -> None:
        """A negotiation ends; it may be a claim that nobody joined. A lease remembers the newest of them."""
        if self.version >= 10 and talk["claimed"] == "waits":
            self.spurned.append((talk["award"], self.accounts[talk["parties"][1]]["root"], self.instant))
            mine = [x for x in self.spurned if x[0] == talk["award"]]
            for old in mine[: -self.limits["spurned"]]:
                self.spurned.remove(old)

    def welcome(self, award: bytes, account: bytes) -> None:
        """A holder asks somebody itself."""
        root = self.accounts[account]["root"]
        self.spurned = [x for x in self.spurned if x[:2] != (award, root)]

    def need_not_sold(self, cfp: bytes | None, lease: bytes | None = None) -> None:
        """What was agreed on binds."""
        sold = cfp is not None and bool(self.cfps[cfp]["resale"])
        self.need(not sold and lease not in self.sold_on(), "OUT_OF_SEQUENCE")
