"""Token pools over time: what the rules promise of any run, and what bounds their state."""

from __future__ import annotations

import random
from fractions import Fraction

from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from tests.market.town import BANK, OPERATOR, Town, key_pair, small_town, token_pool

GPT = "openai/gpt-5"
NAMES = ("a", "b", "c", "d")


def market(**terms: int) -> tuple[Town, dict[str, bytes]]:
    """A pool, and four agents of one project and root each, of whom `a` is a System agent."""
    town, ids = small_town(*NAMES)
    assert town.send(token_pool(GPT, ids["manager"], resize=False, **terms), BANK).code is Code.ACCEPTED
    assert town.send(c.SetPriority(ids["a"], True), OPERATOR).code is Code.ACCEPTED
    return town, ids


def test_grants_never_exceed_burst_and_rate() -> None:
    """Sold and drawn together, over any time T no more than burst + rate T; and sales leave the reserve."""
    town, _ = market(tokens_per_minute=977, burst_tokens=61, reserve_permille=300)
    dice, granted = random.Random(7), list[tuple[int, int]]()
    for _ in range(400):
        town.at_ms += dice.choice((7, 333, 1_000, 2_500, 61_000))
        name = dice.choice(NAMES)
        command = dice.choice(
            [
                c.PlaceStandingOrder(GPT, dice.randrange(1, 90), dice.randrange(1, 9_000), "", 20_000),
                c.DrawTokens(GPT, dice.randrange(1, 40), "incident"),
            ]
        )
        answer = town.send(command, key_pair("a" if isinstance(command, c.DrawTokens) else name))
        granted += [(town.state.now_ms, grant.tokens) for grant in answer.of(e.TokensGranted)]
    assert len(granted) > 100
    for first, (start_ms, _) in enumerate(granted):
        total = 0
        for at_ms, tokens in granted[first:]:
            total += tokens
            assert total <= 61 + Fraction(977 * (at_ms - start_ms), 60_000)


def test_system_agents_are_served_whatever_others_buy() -> None:
    """The reserve is there at every instant at which no System agent has drawn lately."""
    town, _ = market(tokens_per_minute=600, burst_tokens=100, reserve_permille=400)
    for name in NAMES[1:]:
        town.send(c.PlaceStandingOrder(GPT, 1_000, 100_000, "", 24 * 3600 * 1000), key_pair(name))
    for _ in range(30):
        town.at_ms += 1_000
        town.tick()
        assert town.state.token_pools[GPT].tokens_at(town.state.now_ms) >= 40
    assert town.send(c.DrawTokens(GPT, 40, "incident"), key_pair("a")).code is Code.ACCEPTED


def test_who_can_just_pay_is_served() -> None:
    """Credits that cover all that an order may get at its limit, and not one micro-credit more."""
    town, ids = small_town("b", credits_ucr=10)
    town.send(token_pool(GPT, ids["manager"]), BANK)
    for tokens, served in ((11, 0), (10, 1)):
        town.send(c.PlaceStandingOrder(GPT, tokens, 1_000, "", 60_000), key_pair("b"))
        town.at_ms += 1_000
        assert len(town.tick().of(e.TokensGranted)) == served


def test_an_idle_pool_costs_nothing() -> None:
    """Without orders and at its full rate a pool is on no agenda, and an order that is placed and cancelled again and
    again is there once."""
    town, _ = market()
    assert town.state.due_at_ms is None
    for _ in range(50):
        placed = town.send(c.PlaceStandingOrder(GPT, 1, 10, "", 60_000), key_pair("b"))
        town.send(c.CancelStandingOrder(placed.id), key_pair("b"))
    assert len(town.state.agenda) == 1
    town.at_ms += 1_000
    assert [type(event) for event in town.tick().events] == [e.TokenPoolCleared]
    assert town.state.due_at_ms is None


def test_grants_are_forgotten() -> None:
    """After their end and the grace nothing is kept of them; an hour of clearings leaves a minute's grants."""
    town, _ = market(tokens_per_minute=6_000, grant_ms=1_000)
    town.send(c.PlaceStandingOrder(GPT, 10, 10, "", 24 * 3600 * 1000), key_pair("b"))
    for _ in range(300):
        town.at_ms += 1_000
        town.tick()
    kept = town.state.token_pools[GPT].grants
    assert 0 < len(kept) <= 1 + (1_000 + limits.GRANT_GRACE_MS) // 1_000
    assert set(kept) == set(town.state.token_grants)


def test_everything_survives_a_restart() -> None:
    """Bucket, orders, grants, what was used, complaints, surcharges and the next clearing come back as they were."""
    town, ids = market()
    town.send(c.PlaceStandingOrder(GPT, 10, 10, "chat", 60_000), key_pair("b"))
    town.send(c.PlaceStandingOrder(GPT, 20, 30, "", 60_000), key_pair("c"))
    town.at_ms += 1_000
    grants = town.tick().of(e.TokensGranted)
    (mine,) = [grant for grant in grants if grant.account == ids["b"]]
    assert town.send(c.ReportUsage(mine.grant, 6, 2, 1, ""), key_pair("b")).code is Code.ACCEPTED
    town.shard, town.twin = town.restored(town.canonical()), town.restored(town.canonical())
    assert town.send(c.ReportUsage(mine.grant, 5, 1, 0, ""), key_pair("b")).code is Code.GRANT_SPENT
    assert town.send(c.ReportUsage(mine.grant, 4, 1, 0, ""), key_pair("b")).code is Code.ACCEPTED
    town.at_ms += 1_000
    assert town.tick().of(e.TokenPoolCleared)
