"""What may happen to a market in random histories: budgets (test_model.py)."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from contractnet.messages import commands as c
from tests.market.play import Play
from tests.market.town import bid, budget, call

banks = st.sampled_from(["bank"] * 6 + ["ann", "operator"])
amounts = st.one_of(st.integers(1, 60), st.sampled_from([0, -1, 250, 10**15, 10**15 + 1, 2**63 - 1]))
scopes = st.sampled_from(
    ["of ann", "of bob", "of dan", "of bank", "of nobody", "project", "project", "other", "", "other of ann", "\0"]
)
budgets = st.fixed_dictionaries(
    {},
    optional={
        "limit_ucr": st.sampled_from([None, 0, 20, 50, 100, 300, 10**15, 10**15 + 1, -1]),
        "allowance_ucr": st.sampled_from([0, 7, 100, 250, 10**15, -1]),
        "window_ms": st.sampled_from([60_000, 60_000, 90_000, 59_999, 366 * 24 * 3600 * 1000, 2**62]),
        "offset_ms": st.sampled_from([None, 0, 1_000, 59_999, 60_000, -1]),
        "decay_permille": st.sampled_from([0, 100, 333, 1000, 1001]),
        "cap_allowances": st.sampled_from([0, 1, 2, 1000, 1001]),
        "warn_permille": st.sampled_from([1, 500, 1000, 0]),
    },
)


class Budgeting:
    """Base of the histories."""

    play: Play

    @rule(who=banks, scope=scopes, odd=budgets)
    def set_budget(self, who: str, scope: str, odd: dict[str, int | None]) -> None:
        """A budget, or other terms for one."""
        self.play.by(who, budget(*self.scope(scope), **odd))

    more_budgets = set_budget

    @rule(
        scope=st.sampled_from(["of ann", "of bob", "project"]),
        name=st.sampled_from(["ann", "bob"]),
        permille=st.sampled_from([100, 1000]),
        kept=st.integers(0, 3),
        steps_ms=st.lists(st.sampled_from([500, 1_000, 60_000]), max_size=3),
    )
    def hold_over_an_end(self, scope: str, name: str, permille: int, kept: int, steps_ms: list[int]) -> None:
        """A budget that decays, and whose window ends soon; a bid that leaves nearly nothing free; and time."""
        town = self.play.town
        offset_ms = (town.at_ms + 1_000) % 60_000
        terms = {"limit_ucr": None, "decay_permille": permille, "offset_ms": offset_ms}
        self.play.by("bank", budget(*self.scope(scope), **terms))
        account = town.state.accounts.get(self.play.account(name))
        free_ucr = 0 if account is None else account.available_ucr
        cfp = self.play.by("manager", call(open_ms=70_000, reserve_price_ucr=1)).id
        self.play.by(name, bid(cfp, max(1, free_ucr - kept)))
        for step_ms in steps_ms:
            town.at_ms += step_ms
            self.play.tick()

    @rule(who=banks, scope=scopes, amount=amounts)
    def top_up(self, who: str, scope: str, amount: int) -> None:
        """A limit is raised."""
        self.play.by(who, c.TopUpBudget(*self.scope(scope), amount))

    @rule(who=banks, scope=scopes)
    def clear_budget(self, who: str, scope: str) -> None:
        """A budget ends."""
        self.play.by(who, c.ClearBudget(*self.scope(scope)))

    def scope(self, name: str) -> tuple[bytes | None, str]:
        """What a budget is for: `of X` is the account X, `X of Y` an account and a project, and anything else a
        project."""
        project, of, account = name.partition("of ")
        return (self.play.account(account) if of else None), project
