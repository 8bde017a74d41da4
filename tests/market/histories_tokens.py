"""What may happen to a market in random histories: token pools (test_model.py)."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from contractnet.messages import commands as c
from tests.market.play import Play
from tests.market.town import token_pool

AGENTS = ("ann", "bob", "cat", "dan")
numbers = st.integers(0, 1_000)
agents = st.sampled_from(AGENTS)
anyone = st.sampled_from([*AGENTS, *AGENTS, "manager", "bank", "operator", "nobody"])
pools = st.sampled_from(["openai/gpt-5", "openai/gpt-5", "openai/gpt-5", "local", "", "x" * 65, "ok é"])
odd_terms = st.fixed_dictionaries(
    {},
    optional={
        "tokens_per_minute": st.sampled_from([1, 7, 60, 600, 0, 10**9, 10**9 + 1]),
        "burst_tokens": st.sampled_from([1, 10, 40, 100, 0, 10**9 + 1]),
        "reserve_permille": st.sampled_from([0, 100, 500, 1000, 1001, -1]),
        "interval_ms": st.sampled_from([1_000, 2_000, 999, 3_600_001]),
        "reserve_per_1000_ucr": st.sampled_from([0, 1, 900, 5_000, -1, 10**15 + 1]),
        "grant_ms": st.sampled_from([1_000, 5_000, 64_000, 999, 64_001]),
    },
)
limits_ucr = st.sampled_from([1, 900, 1_000, 2_000, 3_300, 5_000, 7_001, 0, 10**15, 10**15 + 1])


class TokenHistories:
    """Base of the histories."""

    play: Play

    @rule(
        terms=odd_terms,
        wishes=st.lists(st.tuples(agents, st.integers(1, 30), st.integers(800, 6_000)), max_size=4),
        steps_ms=st.lists(st.sampled_from([0, 999, 1_000, 1_000, 2_500]), max_size=3),
        system=agents,
    )
    def token_market(
        self,
        terms: dict[str, int],
        wishes: list[tuple[str, int, int]],
        steps_ms: list[int],
        system: str,
    ) -> None:
        """Orders for the tokens of a pool, a few clearings, a draw, and reports of what was used."""
        play = self.play
        known = "openai/gpt-5" in play.model.token_pools
        play.by(
            "manager" if known else "bank", token_pool("openai/gpt-5", play.account("manager"), resize=known, **terms)
        )
        for name, tokens, limit in wishes:
            play.by(name, c.PlaceStandingOrder("openai/gpt-5", tokens, limit, "", 3_000))
        for step_ms in steps_ms:
            play.town.at_ms += step_ms
            play.tick()
        play.by("operator", c.SetPriority(play.account(system), True))
        play.by(system, c.DrawTokens("openai/gpt-5", 5, "serve"))
        for number, grant in enumerate(self.granted()):
            self.report_usage(number, None, grant[1] % 7, 3, number % 2)

    second_token_market = third_token_market = token_market

    def granted(self) -> list[tuple[bytes, int]]:
        """Every grant of every pool, with its tokens."""
        return [(i, g["tokens"]) for pool in self.play.model.token_pools.values() for i, g in pool["grants"].items()]

    @rule(
        number=numbers,
        who=st.one_of(st.none(), st.none(), anyone),
        tokens=st.sampled_from([0, 1, 2, 5, 30, 10**9 + 1]),
        calls=st.sampled_from([0, 1, 3, 10**9 + 1, -1]),
        throttled=st.sampled_from([0, 0, 1, 2]),
    )
    def report_usage(self, number: int, who: str | None, tokens: int, calls: int, throttled: int) -> None:
        """The holder of a grant, or somebody else, tells what it used."""
        rows = [(i, g) for pool in self.play.model.token_pools.values() for i, g in pool["grants"].items()]
        ident, row = rows[number % len(rows)] if rows else (b"\xee" * 16, {"account": self.play.account("ann")})
        name = self.play.model.accounts[row["account"]]["name"]
        self.play.by(who or name, c.ReportUsage(ident, tokens, calls, throttled, ""))

    @rule(
        who=anyone,
        pool=pools,
        tokens=st.integers(-1, 40),
        limit=limits_ucr,
        open_ms=st.sampled_from([999, 1_000, 4_000, 10**9]),
    )
    def order(self, who: str, pool: str, tokens: int, limit: int, open_ms: int) -> None:
        """An order that may break a rule."""
        self.play.by(who, c.PlaceStandingOrder(pool, tokens, limit, "", open_ms))

    @rule(who=anyone, number=numbers, owned=st.booleans())
    def cancel_order(self, who: str, number: int, owned: bool) -> None:
        """An order is taken back, by its account or somebody else."""
        rows = [o for pool in self.play.model.token_pools.values() for o in pool["orders"].values()]
        ident = rows[number % len(rows)]["id"] if rows else b"\xee" * 16
        if rows and owned:
            who = self.play.model.accounts[rows[number % len(rows)]["account"]]["name"]
        self.play.by(who, c.CancelStandingOrder(ident))

    @rule(
        who=anyone, pool=pools, tokens=st.sampled_from([0, 1, 5, 60, 10**9]), task=st.sampled_from(["serve", "", "\0"])
    )
    def draw(self, who: str, pool: str, tokens: int, task: str) -> None:
        """A draw, by whoever likes."""
        self.play.by(who, c.DrawTokens(pool, tokens, task))

    @rule(who=anyone, account=anyone, system=st.booleans())
    def priority(self, who: str, account: str, system: bool) -> None:
        """Somebody says who is a System agent."""
        self.play.by(who, c.SetPriority(self.play.account(account), system))

    @rule(who=anyone, pool=pools, owner=anyone, terms=odd_terms, resize=st.booleans())
    def token_terms(self, who: str, pool: str, owner: str, terms: dict[str, int], resize: bool) -> None:
        """A pool begins, or has other terms."""
        self.play.by(who, token_pool(pool, self.play.account(owner), resize=resize, **terms))
