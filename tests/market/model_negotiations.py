"""The model's negotiations over leases."""

from __future__ import annotations

from contractnet.messages import NegotiationProtocol
from contractnet.messages import commands as c
from tests.market.model_parts import DAY_MS, MONEY_MAX, Row, good_text
from tests.market.model_resales import Resales

Offer = tuple[tuple[int, ...], int]


class Negotiations(Resales):
    """What tests/market/model.py knows of them. In a row the holder is party 0 and the buyer party 1; `stands` has each
    party's open offers in order, `sealed` those of the round."""

    ended_talks: set[bytes]

    def caps(self, account: bytes | None) -> int:
        """What an account's negotiations hold."""
        total: int = sum(t["cap"] for t in self.talks.values() if t["parties"][1] == account)
        return total

    def end_lease(self, ident: bytes) -> None:
        """A lease ends, and what is bargained over it."""
        del self.leases[ident]
        for talk in [i for i, t in self.talks.items() if t["award"] == ident]:
            self._talk_over(talk)

    def talk_due(self, ident: bytes, at: int) -> None:
        """The end of a round, or of the time to join."""
        talk = self.talks[ident]
        if talk["mono"] and talk["round"]:
            self._open(ident, at)
        else:
            self._talk_over(ident)

    def _talk_over(self, ident: bytes) -> None:
        self.spurn(self.talks.pop(ident))
        self.ended_talks.add(ident)

    def _open(self, ident: bytes, at: int) -> None:
        talk = self.talks[ident]
        sealed: list[Offer | None] = talk["sealed"]
        if talk["round"] == 1 and None in sealed:
            self._talk_over(ident)
            return
        before = [set(stands) for stands in talk["stands"]]
        for stands, offer in zip(talk["stands"], sealed, strict=True):
            stands.extend([] if offer is None else [offer])
        if at >= self.leases[talk["award"]]["end"]:
            self._talk_over(ident)
            return
        # The newest offers of each combination of options, those that this round named, the buyer's first.
        asked, bid = (dict(stands) for stands in talk["stands"])
        named = [offer[0] for offer in (sealed[1], sealed[0]) if offer is not None]
        agreed = [
            options for options in named if options in asked and options in bid and asked[options] <= bid[options]
        ]
        if agreed:
            self._deal(ident, (asked[agreed[0]] + bid[agreed[0]]) // 2, at)
            return
        moved = [offer is not None and offer not in old for offer, old in zip(sealed, before, strict=True)]
        talk["still"] = 0 if any(moved) else talk["still"] + 1
        if talk["still"] > talk["still_max"] or talk["round"] == talk["rounds"]:
            self._talk_over(ident)
            return
        talk |= {"sealed": [None, None], "round": talk["round"] + 1, "until": at + talk["ms"]}

    def _deal(self, ident: bytes, price: int, at: int) -> None:
        talk = self.talks[ident]
        holder, buyer = talk["parties"]
        self._talk_over(ident)
        if self.call:
            if at + self.call < self.leases[talk["award"]]["end"]:
                self.call_for(ident, talk, price, at)
            return
        lease = self.leases.pop(talk["award"])
        self.leases[ident] = lease | {"account": buyer, "start": max(at, lease["start"])}
        self.accounts[buyer]["balance"] -= price
        self.accounts[holder]["balance"] += price
        self.payments.append((buyer, price))
        self.warn({buyer})

    def _known(self) -> bool:
        return self.need(self.version >= 6, "UNKNOWN_RULES")

    def _OpenNegotiation(self, command: c.OpenNegotiation) -> None:
        if not self._known():
            return
        self.need(self.sender is not None, "NOT_PERMITTED")
        lease = self.leases.get(command.award)
        if lease is None or self.now >= lease["end"]:
            self.need(False, "UNKNOWN_LEASE")
        else:
            self.need(lease["account"] == self.sender, "NOT_OWNER")
            self.need(command.award not in self.works, "OUT_OF_SEQUENCE")
            self.need(command.counterpart not in (lease["account"], self.bank), "BAD_COUNTERPART")
        self.need(command.counterpart in self.accounts, "UNKNOWN_ACCOUNT")
        self.need_good_terms(command)
        self.need_free_lease(command.award, holder=True)
        waiting = [i for i, t in self.talks.items() if t["award"] == command.award and t["claimed"] == "waits"]
        self.need_few_of_holder()
        self.need_few_talks(command.award, less=len(waiting))
        if not self.bad:
            for claim in waiting:
                self._talk_over(claim)
            self.welcome(command.award, command.counterpart)
            assert self.sender is not None
            self.talks[self.id] = self.new_talk(command, self.sender, command.counterpart)

    def need_good_terms(self, command: c.OpenNegotiation | c.ClaimLease) -> None:
        """Terms of a negotiation."""
        self.need(command.protocol is not NegotiationProtocol.UNSPECIFIED, "UNKNOWN_VALUE")
        names = [issue.name for issue in command.issues]
        texts = names + [option for issue in command.issues for option in issue.options]
        self.need(all(map(good_text, texts)), "BAD_NAME")
        good = all(2 <= len(set(i.options)) == len(i.options) <= 64 for i in command.issues)
        small = len(names) <= 4 and sum(len(text.encode()) for text in texts) <= 1_024
        self.need(good and small and len(set(names)) == len(names), "BAD_ISSUES")
        good = 1 <= command.rounds_max <= 256 and 0 <= command.still_rounds_max <= command.rounds_max
        if self.need(good, "BAD_ROUNDS"):
            whole_day = command.round_ms * (command.rounds_max + 1) <= DAY_MS
            self.need(command.round_ms >= 50 and whole_day, "BAD_DURATION")

    def new_talk(self, command: c.OpenNegotiation | c.ClaimLease, holder: bytes, buyer: bytes) -> Row:
        """A row of one."""
        row: Row = {"award": command.award, "parties": (holder, buyer), "claimed": ""}
        row |= {"mono": command.protocol is NegotiationProtocol.MONOTONIC, "rounds": command.rounds_max}
        row |= {"options": [len(issue.options) for issue in command.issues], "ms": command.round_ms, "round": 0}
        row |= {"until": self.now + command.round_ms, "still": 0, "still_max": command.still_rounds_max, "cap": 0}
        return row | {"stands": ([], []), "sealed": [None, None]}

    def _mine(self, ident: bytes) -> tuple[Row, int] | None:
        """A negotiation that goes on, and which party the sender is."""
        if not self._known():
            return None
        self.need(self.sender is not None, "NOT_PERMITTED")
        talk = self.talks.get(ident)
        if talk is None:
            self.need(False, "NEGOTIATION_CLOSED" if ident in self.ended_talks else "UNKNOWN_NEGOTIATION")
            return None
        self.need(self.now < self.leases[talk["award"]]["end"], "NEGOTIATION_CLOSED")
        if self.sender is None or not self.need(self.sender in talk["parties"], "NOT_A_PARTY"):
            return None
        return talk, talk["parties"].index(self.sender)

    def _JoinNegotiation(self, command: c.JoinNegotiation) -> None:
        found = self._mine(command.negotiation)
        if found is None:
            return
        talk, side = found
        claimed = bool(talk["claimed"])
        if self.need(side == (not claimed) and talk["round"] == 0, "OUT_OF_TURN"):
            self.need(self.now < talk["until"], "NEGOTIATION_CLOSED")
        self.need(good_text(command.task, empty=True), "BAD_NAME")
        if claimed:
            self.need(command.cap_ucr == 0, "BAD_AMOUNT")
            if not self.bad:
                talk |= {"claimed": "joined", "round": 1, "until": self.now + talk["ms"]}
            return
        self.need(0 < command.cap_ucr <= MONEY_MAX, "BAD_AMOUNT")
        assert self.sender is not None
        self.need(self.free(self.sender) >= command.cap_ucr, "INSUFFICIENT_CREDIT")
        self.need(self.leave_room(self.sender, command.cap_ucr), "BUDGET_EXCEEDED")
        if not self.bad:
            talk |= {"cap": command.cap_ucr, "round": 1, "until": self.now + talk["ms"]}

    def _in_round(self, talk: Row, said: int, now: int) -> None:
        if self.need(talk["round"] > 0, "OUT_OF_TURN"):
            self.need(said >= now, "ROUND_OVER")
            self.need(said <= now, "OUT_OF_TURN")
            self.need(self.now < talk["until"], "ROUND_OVER")

    def _MakeOffer(self, command: c.MakeOffer) -> None:
        found = self._mine(command.negotiation)
        if found is None:
            return
        talk, side = found
        price, options = command.price_ucr, command.options
        self._in_round(talk, command.round, talk["round"])
        known = len(options) == len(talk["options"])
        self.need(known and all(0 <= o < n for o, n in zip(options, talk["options"], strict=True)), "BAD_OFFER")
        self.need(0 < price <= MONEY_MAX, "BAD_AMOUNT")
        self.need(side == 0 or price <= talk["cap"], "ABOVE_CAP")
        self.need_fee()
        if not talk["mono"]:
            turn = 1 - talk["round"] % 2
            self.need(side == turn and talk["round"] <= talk["rounds"], "OUT_OF_TURN")
            if not self.bad:
                self.pay_fee()
                talk["stands"][side].append((options, price))
                talk |= {"round": talk["round"] + 1, "until": self.now + talk["ms"]}
            return
        self.need(talk["sealed"][side] is None, "OUT_OF_TURN")
        before = [p for o, p in talk["stands"][side] if o == options]
        self.need(all(price >= p if side else price <= p for p in before), "NOT_MONOTONIC")
        if not self.bad:
            self.pay_fee()
            talk["sealed"][side] = (options, price)
            if None not in talk["sealed"]:
                self._open(command.negotiation, self.now)

    def _AcceptOffer(self, command: c.AcceptOffer) -> None:
        found = self._mine(command.negotiation)
        if found is None:
            return
        talk, side = found
        if talk["mono"]:
            self.need(False, "WRONG_PROTOCOL")
            return
        self._in_round(talk, command.round, talk["round"] - 1)
        others = talk["stands"][1 - side]
        if self.need(side == 1 - talk["round"] % 2 and bool(others), "OUT_OF_TURN"):
            price = others[-1][1]
            self.need(price <= talk["cap"], "ABOVE_CAP")
            if not self.bad:
                self._deal(command.negotiation, price, self.now)

    def _LeaveNegotiation(self, command: c.LeaveNegotiation) -> None:
        found = self._mine(command.negotiation)
        if found is not None and not self.bad:
            self._talk_over(command.negotiation)
