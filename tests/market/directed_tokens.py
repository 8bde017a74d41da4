"""Histories of token pools, played against the model as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from contractnet.messages import Cause, Code, OrderEnd, PostingReason, TokenPricing
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.play import SMALL, Play, founded
from tests.market.town import BANK, OPERATOR, PARTITIONS, UNKNOWN_ID, budget, token_pool

GPT = "openai/gpt-5"
founded_7 = partial(founded, version=7, units=4, credits_ucr=10_000)
"""A market that may have token pools."""


def pooled(play: Play, *agents: str, **terms: int) -> None:
    """Agents, and a pool of 100 tokens a minute, burst 100, of which a fifth is reserved, cleared each second."""
    founded_7(play, *agents)
    assert play.by("bank", token_pool(GPT, play.account("manager"), resize=False, **terms)).code is Code.ACCEPTED


def second(play: Play, step_ms: int = 1_000) -> list[e.TokensGranted]:
    """What is granted a while later."""
    play.town.at_ms += step_ms
    return play.tick().of(e.TokensGranted)


def order(tokens: int, limit: int, open_ms: int = 60_000, pool: str = GPT) -> c.PlaceStandingOrder:
    """A standing order."""
    return c.PlaceStandingOrder(pool, tokens, limit, "chat", open_ms)


def two_roots_pay_what_they_displace(play: Play) -> None:
    """VCG: of 80 tokens for 100 wanted, ann gets 50 and pays the 20 that cat is refused, at cat's price, and the
    reserve for the rest; cat, who displaces nobody, pays the reserve."""
    pooled(play, "ann", "cat", reserve_per_1000_ucr=1_000)
    play.by("ann", order(50, 9_000))
    play.by("cat", order(50, 5_000))
    play.town.at_ms += 1_000
    answer = play.tick()
    (cleared,) = answer.of(e.TokenPoolCleared)
    assert (cleared.pricing, cleared.roots, cleared.supply_tokens, cleared.sold_tokens) == (TokenPricing.VCG, 2, 80, 80)
    ann, cat = answer.of(e.TokensGranted)
    assert (ann.tokens, ann.paid_ucr, cat.tokens, cat.paid_ucr) == (50, 20 * 5 + 30 * 1, 30, 30 * 1)
    paid = answer.of(e.CreditsTransferred)
    assert [(p.reason, p.amount_ucr, p.task, p.pool, p.award) for p in paid] == [
        (PostingReason.TOKENS, 130, "chat", GPT, ann.grant),
        (PostingReason.TOKENS, 30, "chat", GPT, cat.grant),
    ]
    # Ann bought more of late, so that it counts for less; there is one more token, by 100 in a minute.
    (grant, *_), factor = second(play), play.town.state.token_pools[GPT].factor_permille
    assert grant.tokens == 1
    assert factor("root") < factor("root of cat") < 1000
    play.restart()
    second(play)


def many_roots_pay_one_price(play: Play) -> None:
    """UNIFORM where there are enough roots and each asks for little: the price of the first token that nobody got."""
    pooled(play, "ann", "cat", "dan", reserve_permille=0, reserve_per_1000_ucr=100)
    for name, limit in (("ann", 9_000), ("cat", 7_000), ("dan", 5_000)):
        play.by(name, order(20, limit))
    play.town.at_ms += 1_000
    answer = play.tick()
    (cleared,) = answer.of(e.TokenPoolCleared)
    assert (cleared.pricing, cleared.price_per_1000_ucr) == (TokenPricing.UNIFORM, 100)
    assert [grant.paid_ucr for grant in answer.of(e.TokensGranted)] == [2, 2, 2]
    # Of 42 tokens each may ask for 8: now somebody is refused, and sets the price.
    for name, limit in (("ann", 9_000), ("cat", 7_000), ("dan", 5_000)):
        play.by(name, order(8, limit))
    smaller = token_pool(GPT, b"", resize=True, reserve_permille=0, burst_tokens=10, reserve_per_1000_ucr=100)
    assert play.by("bank", smaller).code is Code.ACCEPTED
    for name, limit in (("ann", 9_000), ("cat", 7_000), ("dan", 5_000)):
        play.by(name, order(2, limit))
    second(play)
    assert play.by("dan", order(2, 90)).code is Code.BELOW_RESERVE
    second(play, 3_000)


def a_root_is_one_bidder(play: Play) -> None:
    """Two accounts of one root pay no more to each other's orders, and share a weight and a surcharge."""
    pooled(play, "ann", "bob", "cat", reserve_per_1000_ucr=0)
    play.by("bank", c.SetWeight(play.account("bob"), 500))
    play.by("ann", order(60, 9_000))
    play.by("bob", order(60, 8_000))
    play.by("cat", order(10, 4_000))
    assert len(second(play)) > 1
    play.by("bob", c.CancelStandingOrder(play.model.token_pools[GPT]["orders"][play.account("bob")]["id"]))
    second(play, 30_000)
    play.restart()
    second(play, 30_000)


def who_cannot_pay_is_passed_by(play: Play) -> None:
    """Credits and budgets are looked at when a pool is cleared: what they do not cover changes no price, and two
    accounts of a project cannot spend its budget twice."""
    pooled(play, "ann", "bob", "cat", reserve_per_1000_ucr=1_000)
    play.by("bank", budget(None, "project", limit_ucr=300, warn_permille=100))
    play.by("ann", order(40, 5_000))
    play.by("bob", order(40, 4_000))
    play.by("cat", order(40, 300_000))
    play.town.at_ms += 1_000
    answer = play.tick()
    assert [grant.account for grant in answer.of(e.TokensGranted)] == [play.account("ann")]
    assert answer.of(e.BudgetWarned)
    assert play.by("bob", order(10, 4_000)).of(e.StandingOrderEnded)[0].reason is OrderEnd.REPLACED
    play.by("bank", c.ClearBudget(None, "project"))
    play.by("bank", c.TransferCredits(play.account("ann"), play.account("cat"), 9_900, ""))
    second(play, 60_000)


def system_agents_draw_at_once(play: Play) -> None:
    """A System agent takes what is there down to nothing, for a task; nobody else does, and sales stop at the
    reserve."""
    pooled(play, "ann", "bob")
    draw = c.DrawTokens(GPT, 30, "incident")
    assert play.by("ann", draw).code is Code.NOT_SYSTEM
    assert play.by("operator", draw).code is Code.NOT_PERMITTED
    assert play.by("bank", c.SetPriority(play.account("ann"), True)).code is Code.NOT_PERMITTED
    assert play.by("operator", c.SetPriority(UNKNOWN_ID, True)).code is Code.UNKNOWN_ACCOUNT
    assert play.by("operator", c.SetPriority(play.account("bank"), True)).code is Code.NOT_PERMITTED
    assert play.by("operator", c.SetPriority(play.account("ann"), True)).of(e.PriorityChanged)
    for broken, code in (
        (c.DrawTokens("none", 1, "x"), Code.UNKNOWN_POOL),
        (c.DrawTokens(GPT, 0, "x"), Code.BAD_TOKENS),
        (c.DrawTokens(GPT, 1, ""), Code.BAD_NAME),
        (c.DrawTokens(GPT, 101, "x"), Code.NO_TOKENS),
    ):
        assert play.by("ann", broken).code is code
    (grant,) = play.by("ann", draw).of(e.TokensGranted)
    assert (grant.tokens, grant.paid_ucr, grant.task, grant.system, grant.order) == (30, 0, "incident", True, None)
    play.by("bob", order(90, 5_000))
    assert [g.tokens for g in second(play)] == [51]
    play.restart()
    assert play.by("ann", c.DrawTokens(GPT, 20, "incident")).of(e.TokensGranted)
    assert play.by("ann", c.DrawTokens(GPT, 1, "incident")).code is Code.NO_TOKENS
    assert second(play) == []
    for _ in range(SMALL["grants"] - 3):
        assert play.by("ann", c.DrawTokens(GPT, 1, "x")).of(e.TokensGranted)
    assert play.by("ann", c.DrawTokens(GPT, 1, "x")).code is Code.LIMIT_REACHED
    assert play.by("operator", c.SetPriority(play.account("ann"), False)).of(e.PriorityChanged)
    assert play.by("ann", c.DrawTokens(GPT, 1, "x")).code is Code.NOT_SYSTEM


def a_grant_is_used_once(play: Play) -> None:
    """All reports of a grant together say at most what was granted, by its account, until the grace is over."""
    pooled(play, "ann", "bob")
    play.by("ann", order(10, 5_000))
    (grant,) = second(play)
    report = partial(c.ReportUsage, grant.grant)
    for who, command, code in (
        ("bob", report(1, 1, 0, ""), Code.NOT_OWNER),
        ("ann", report(11, 1, 0, ""), Code.GRANT_SPENT),
        ("ann", report(6, 1, 0, "chat"), Code.ACCEPTED),
        ("ann", report(5, 1, 0, ""), Code.GRANT_SPENT),
        ("ann", report(4, 1, 0, ""), Code.ACCEPTED),
        ("ann", report(1, 1, 0, ""), Code.GRANT_SPENT),
        ("ann", report(0, 1, 0, ""), Code.ACCEPTED),
        ("ann", report(0, 0, 0, ""), Code.BAD_TOKENS),
        ("ann", report(-1, 1, 0, ""), Code.BAD_TOKENS),
        ("ann", report(0, 1, 2, ""), Code.BAD_TOKENS),
        ("ann", report(0, 1, 0, "\0"), Code.BAD_NAME),
        ("operator", report(0, 1, 0, ""), Code.NOT_PERMITTED),
        ("ann", c.ReportUsage(UNKNOWN_ID, 1, 1, 0, ""), Code.UNKNOWN_GRANT),
    ):
        assert play.by(who, command).code is code
    play.town.at_ms = grant.expires_at_ms + 59_999
    assert play.by("ann", report(0, 1, 0, "late")).of(e.UsageReported)
    play.town.at_ms += 1
    assert play.by("ann", report(0, 1, 0, "too late")).code is Code.UNKNOWN_GRANT
    second(play)
    assert play.by("ann", report(0, 1, 0, "forgotten")).code is Code.UNKNOWN_GRANT


def throttling_is_believed_of_two(play: Play) -> None:
    """A pool's rate is halved by a report of throttling of a second root, or of a System agent, once an interval, down
    to a sixteenth, and comes back by a twentieth for each interval without."""
    pooled(play, "ann", "bob", "cat")
    for name in ("ann", "bob", "cat"):
        play.by(name, order(10, 5_000, 2_000))
    grants = {grant.account: grant.grant for grant in second(play)}

    def complain(name: str) -> list[int]:
        """The rates that a report of throttling leads to."""
        entries = play.by(name, c.ReportUsage(grants[play.account(name)], 0, 4, 1, "")).entries
        fell = [entry.event for entry in entries if entry.source.cause is Cause.COMMAND]
        return [event.tokens_per_minute for event in fell if isinstance(event, e.TokenRateChanged)]

    assert not complain("ann")
    assert not complain("bob")
    assert complain("cat") == [50]
    assert not complain("cat")
    play.town.at_ms += 999
    play.tick()
    play.town.at_ms += 1
    play.restart()
    assert not complain("ann")
    play.town.at_ms += 1_000
    assert not complain("cat")
    play.by("operator", c.SetPriority(play.account("cat"), True))
    rates = []
    for _ in range(5):
        play.town.at_ms += 1_000
        rates += complain("cat")
    assert rates[-1] == 6
    for _ in range(30):
        play.town.at_ms += 1_000
        rates += [changed.tokens_per_minute for changed in play.tick().of(e.TokenRateChanged)]
    assert rates[-1] == 100
    assert play.town.state.token_pools[GPT].clears_at_ms == 0


def alone_it_is_believed(play: Play) -> None:
    """Where no other root has grants, one is enough."""
    pooled(play, "ann")
    play.by("ann", order(10, 5_000, 2_000))
    (grant,) = second(play)
    assert play.by("ann", c.ReportUsage(grant.grant, 0, 1, 1, "")).of(e.TokenRateChanged)
    assert play.by("manager", token_pool(GPT, b"", resize=True)).of(e.TokenPoolResized)
    assert play.town.state.token_pools[GPT].rate == 100


def the_clock_jumps(play: Play) -> None:
    """However many intervals a record passes over, it clears once, and the bucket is as full as it would be."""
    pooled(play, "ann", tokens_per_minute=7)
    play.by("ann", order(80, 5_000, 24 * 3600 * 1000))
    assert [grant.tokens for grant in second(play)] == [80]
    play.town.at_ms += 59_999
    assert len(play.tick().of(e.TokenPoolCleared)) == 1
    play.town.at_ms += 10**7
    assert len(play.tick().of(e.TokenPoolCleared)) == 1
    for _ in range(4):
        play.town.at_ms += 333
        play.tick()


def orders_come_and_go(play: Play) -> None:
    """Terms, names and limits of pools and orders, each with its code; what has ended or is another's stays so."""
    founded_7(play, "ann", "bob", "cat", "dan")
    manager = play.account("manager")
    for who, command, code in (
        ("manager", token_pool(GPT, manager), Code.NOT_PERMITTED),
        ("bank", token_pool("", manager), Code.BAD_NAME),
        ("bank", token_pool(GPT, UNKNOWN_ID), Code.UNKNOWN_ACCOUNT),
        ("bank", token_pool(GPT, play.account("bank")), Code.NOT_PERMITTED),
        ("bank", token_pool(GPT, manager, tokens_per_minute=0), Code.BAD_TOKENS),
        ("bank", token_pool(GPT, manager, burst_tokens=10**9 + 1), Code.BAD_TOKENS),
        ("bank", token_pool(GPT, manager, reserve_permille=1001), Code.BAD_TOKENS),
        ("bank", token_pool(GPT, manager, interval_ms=999), Code.BAD_DURATION),
        ("bank", token_pool(GPT, manager, grant_ms=64_001), Code.BAD_DURATION),
        ("bank", token_pool(GPT, manager, reserve_per_1000_ucr=-1), Code.BAD_AMOUNT),
        ("bank", token_pool(GPT, manager), Code.ACCEPTED),
        ("bank", token_pool(GPT, manager), Code.NAME_TAKEN),
        ("bank", token_pool("other", manager), Code.ACCEPTED),
        ("bank", token_pool("third", manager), Code.LIMIT_REACHED),
        ("ann", token_pool(GPT, b"", resize=True), Code.NOT_OWNER),
        ("bank", token_pool("none", b"", resize=True), Code.UNKNOWN_POOL),
        ("manager", order(1, 5_000), Code.NOT_PERMITTED),
        ("bank", order(1, 5_000), Code.NOT_PERMITTED),
        ("ann", order(1, 5_000, pool="none"), Code.UNKNOWN_POOL),
        ("ann", order(0, 5_000), Code.BAD_TOKENS),
        ("ann", order(1, 0), Code.BAD_AMOUNT),
        ("ann", order(10**9, 10**15), Code.BAD_AMOUNT),
        ("ann", order(1, 5_000, 999), Code.BAD_DURATION),
        ("ann", order(1, 5_000, 24 * 3600 * 1000 + 1), Code.BAD_DURATION),
        ("ann", order(1, 5_000), Code.ACCEPTED),
        ("bob", order(1, 5_000), Code.ACCEPTED),
        ("cat", order(1, 5_000), Code.ACCEPTED),
        ("dan", order(1, 5_000), Code.LIMIT_REACHED),
        ("ann", order(2, 5_000), Code.ACCEPTED),
        ("ann", c.CancelStandingOrder(UNKNOWN_ID), Code.UNKNOWN_ORDER),
    ):
        assert play.by(who, command).code is code, command
    (mine, *_) = [o for o in play.town.state.token_pools[GPT].orders.values() if o.account == play.account("ann")]
    assert play.by("bob", c.CancelStandingOrder(mine.id)).code is Code.NOT_OWNER
    assert play.by("operator", c.CancelStandingOrder(mine.id)).code is Code.NOT_PERMITTED
    (ended,) = play.by("ann", c.CancelStandingOrder(mine.id)).of(e.StandingOrderEnded)
    assert ended.reason is OrderEnd.CANCELLED
    assert play.by("ann", c.CancelStandingOrder(mine.id)).code is Code.UNKNOWN_ORDER
    play.by("dan", order(1, 5_000, 1_000))
    play.town.at_ms += 1_000
    assert [x.reason for x in play.tick().of(e.StandingOrderEnded)] == [OrderEnd.EXPIRED]


def before_version_7(play: Play) -> None:
    """There are no token pools, until the operator switches."""
    founded(play, "ann", version=6)
    assert play.by("bank", token_pool(GPT, play.account("manager"))).code is Code.UNKNOWN_RULES
    for command in (
        token_pool(GPT, b"", resize=True),
        c.SetPriority(UNKNOWN_ID, True),
        order(1, 1),
        c.CancelStandingOrder(UNKNOWN_ID),
        c.DrawTokens(GPT, 1, "x"),
        c.ReportUsage(UNKNOWN_ID, 1, 1, 0, ""),
    ):
        assert play.by("ann", command).code is Code.UNKNOWN_RULES
    assert play.by("operator", c.ActivateRules(7)).code is Code.ACCEPTED
    assert play.by("bank", token_pool(GPT, play.account("manager"))).code is Code.ACCEPTED
    assert play.send(c.OpenMarket(BANK.public, PARTITIONS, 7, True), OPERATOR).code is Code.MARKET_EXISTS


TOKEN_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    two_roots_pay_what_they_displace,
    many_roots_pay_one_price,
    a_root_is_one_bidder,
    who_cannot_pay_is_passed_by,
    system_agents_draw_at_once,
    a_grant_is_used_once,
    throttling_is_believed_of_two,
    alone_it_is_believed,
    the_clock_jumps,
    orders_come_and_go,
    before_version_7,
)
