"""Random histories of managers that buy: part of the machine of test_model.py."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from contractnet.messages import Code
from contractnet.messages import commands as c
from tests.market.buyers import ask, buying, chosen, done, failed, started
from tests.market.play import Play, Reached, with_small_limits
from tests.market.town import UNKNOWN_ID

agents = st.sampled_from(["ann", "bob", "cat", "dan"])
numbers = st.integers(0, 1_000)


class PurchaseHistories(RuleBasedStateMachine):
    """A play, what it has had so far, and the rules about purchases."""

    def __init__(self, reached: Reached) -> None:
        super().__init__()
        self.patch = with_small_limits()
        self.play = Play(reached)
        self.bids: list[bytes] = []
        self.cfps: list[bytes] = []

    def pick(self, ids: list[bytes], number: int) -> bytes:
        """One of the newest ids; seldom an unknown one."""
        return UNKNOWN_ID if not ids or number % 23 == 22 else ids[-1 - number % min(len(ids), 8)]

    @rule(
        terms=st.fixed_dictionaries(
            {"slots": st.integers(1, 2), "units": st.sampled_from([1, 1, 2]), "grace_ms": st.sampled_from([0, 200])}
        ),
        offers=st.lists(st.tuples(agents, st.integers(20, 60), st.sampled_from([0, 0, 100])), max_size=4),
        reports=st.lists(st.tuples(numbers, st.sampled_from([started, started, done, failed])), max_size=5),
        step_ms=st.sampled_from([0, 10, 60, 250]),
    )
    def purchase(
        self,
        terms: dict[str, int],
        offers: list[tuple[str, int, int]],
        reports: list[tuple[int, Callable[[bytes], c.ReportWork]]],
        step_ms: int,
    ) -> None:
        """A CFP that buys, with asks, and what becomes of the work."""
        cfp = self.play.by("ann", buying(**terms, reserve_price_ucr=50, duration_ms=250)).id
        self.cfps.append(cfp)
        for name, price, delay_ms in offers:
            if self.play.by("bank", c.CreatePool(f"of {name}", self.play.account(name), 2)).code is Code.ACCEPTED:
                self.play.by("bank", c.IssueCredits(self.play.account(name), 9, ""))
            self.bids.append(self.play.by(name, ask(cfp, f"of {name}", price, delay_ms)).id)
        self.play.town.at_ms += 100
        self.play.tick()
        for number, report in reports:
            self.report(number, report, "")
            self.play.town.at_ms += step_ms

    second_purchase = purchase

    @rule(
        terms=st.fixed_dictionaries(
            {"slots": st.integers(1, 3), "units": st.sampled_from([1, 1, 2]), "decide_ms": st.sampled_from([100, 500])}
        ),
        offers=st.lists(st.tuples(agents, st.integers(20, 60), st.sampled_from([0, 0, 100])), max_size=4),
        choices=st.lists(st.tuples(numbers, st.sampled_from("aaarcsdf"), st.sampled_from([0, 0, 60, 200])), max_size=6),
        end_ms=st.sampled_from([0, 100, 100, 150]),
    )
    def chosen_purchase(
        self,
        terms: dict[str, int],
        offers: list[tuple[str, int, int]],
        choices: list[tuple[int, str, int]],
        end_ms: int,
    ) -> None:
        """A CFP that buys by the buyer's choice, with asks, what it makes of them, and what becomes of the work."""
        cfp = self.play.by("ann", chosen(**terms, reserve_price_ucr=50, duration_ms=250)).id
        self.cfps.append(cfp)
        for name, price, delay_ms in offers:
            if self.play.by("bank", c.CreatePool(f"of {name}", self.play.account(name), 2)).code is Code.ACCEPTED:
                self.play.by("bank", c.IssueCredits(self.play.account(name), 9, ""))
            self.bids.append(self.play.by(name, ask(cfp, f"of {name}", price, delay_ms)).id)
        self.play.town.at_ms += end_ms
        self.play.tick()
        for number, choice, step_ms in choices:
            match choice:
                case "a":
                    self.play.by("ann", c.AwardBid(self.pick(self.bids, number)))
                case "r":
                    self.play.by("ann", c.RejectBid(self.pick(self.bids, number)))
                case "c" if number % 4 == 0:
                    self.play.by("ann", c.CancelCfp(cfp))
                case _:
                    self.report(number, {"s": started, "d": done}.get(choice, failed), "")
            self.play.town.at_ms += step_ms

    second_chosen_purchase = chosen_purchase

    @rule(number=numbers, report=st.sampled_from([started, done, failed]), who=st.sampled_from(["", "", "", "ann"]))
    def report(self, number: int, report: Callable[[bytes], c.ReportWork], who: str) -> None:
        """A contractor, or somebody else, says how its work is."""
        works = self.play.model.works
        ident = self.pick(list(works), number)
        owner = self.play.model.accounts[works[ident]["account"]]["name"] if ident in works else "bob"
        self.play.by(who or owner, report(ident))
