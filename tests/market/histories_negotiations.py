"""What may happen to a market in random histories: negotiations (test_model.py)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from contractnet.messages import commands as c
from tests.market.cases_negotiations import ALTERNATING, WHEN, joined, negotiation
from tests.market.cases_resales import claim
from tests.market.play import Play
from tests.market.town import bid, call

people = st.sampled_from(["ann", "bob", "cat", "dan", "ann", "bob", "cat", "dan", "manager", "bank", "nobody"])
steps_ms = st.sampled_from([0, 0, 0, 1, 50, 500])


class Bargaining:
    """Base of the histories."""

    play: Play

    def pick(self, ids: list[bytes], number: int) -> bytes:
        """One of the newest ids; seldom an unknown one."""
        raise NotImplementedError

    @rule(
        number=st.integers(0, 1_000),
        buyer=people,
        odd=st.sampled_from(
            [
                {},
                {"protocol": ALTERNATING},
                {"issues": (WHEN,)},
                {"issues": (WHEN, WHEN)},
                {"rounds_max": 0},
                {"rounds_max": 2, "still_rounds_max": 0},
                {"rounds_max": 2, "round_ms": 600_000},
                {"round_ms": 49},
                {"round_ms": 24 * 3600 * 1000},
            ]
        ),
        cap=st.sampled_from([0, 20, 45, 60, 10**15 + 1]),
        moves=st.lists(
            st.tuples(st.integers(0, 2), st.integers(-1, 1), st.integers(0, 2), st.integers(20, 50), people, steps_ms),
            max_size=8,
        ),
    )
    def bargain(
        self,
        number: int,
        buyer: str,
        odd: dict[str, Any],
        cap: int,
        moves: list[tuple[int, int, int, int, str, int]],
    ) -> None:
        """Somebody bargains over a lease, well or not; others may interfere."""
        lease = self.pick(list(self.play.model.leases), number)
        row = self.play.model.leases.get(lease)
        holder = "ann" if row is None else self.play.model.accounts[row["account"]]["name"]
        if number % 3 == 2:
            talk = self.play.by(buyer, claim(lease, cap, **odd)).id
            if number % 4:
                self.play.by(holder, joined(talk, 0))
        else:
            talk = self.play.by(holder, negotiation(lease, self.play.account(buyer), **odd)).id
            self.play.by(buyer, joined(talk, cap))
        for kind, ahead, option, price, other, step_ms in moves:
            known = self.play.model.talks.get(talk)
            round_ = ahead + (1 if known is None else known["round"])
            options = (option,) if known and known["options"] else ()
            who = (holder, buyer, other)[kind]
            self.play.by(who, c.MakeOffer(talk, round_, options, price))
            self.play.by(who, c.AcceptOffer(talk, round_ - 1))
            self.play.town.at_ms += step_ms
        if number % 7 == 6:
            self.play.by(buyer, c.LeaveNegotiation(talk))

    @rule(who=st.sampled_from(["operator"] * 5 + ["bank"]), call_ms=st.sampled_from([0, 0, 50, 50, 300, 49, 60_001]))
    def call_for_resales(self, who: str, call_ms: int) -> None:
        """The operator, or somebody else, has leases called for once they are sold."""
        self.play.by(who, c.SetResaleCall(call_ms))

    @rule(
        number=st.integers(0, 1_000),
        holder=people,
        buyer=people,
        price=st.integers(10, 60),
        bids=st.lists(people, max_size=3),
    )
    def sell_on(self, number: int, holder: str, buyer: str, price: int, bids: list[str]) -> None:
        """Somebody gets a lease and agrees with somebody else at once, who may have claimed it; others bid in the call
        for it, if there is one."""
        cfp = self.play.by("manager", call(duration_ms=5_000)).id
        lease = self.play.by(holder, bid(cfp, 20)).id
        self.play.town.at_ms += 100
        self.play.tick()
        if number % 2:
            talk = self.play.by(buyer, claim(lease, 60)).id
            self.play.by(holder, joined(talk, 0))
        else:
            talk = self.play.by(holder, negotiation(lease, self.play.account(buyer))).id
            self.play.by(buyer, joined(talk, 60))
        for name in (holder, buyer):
            self.play.by(name, c.MakeOffer(talk, 1, (), price))
        for offset, name in enumerate(bids):
            self.play.by(name, bid(talk, price + 5 * offset, number % 13 // 12))
        if number % 5 == 4:
            wrong = (c.WithdrawBid(talk), c.CancelCfp(talk), c.ReleaseLease(lease))
            self.play.by(buyer if number % 3 else holder, wrong[number % 3])
