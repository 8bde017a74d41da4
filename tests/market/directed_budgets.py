"""Histories of budgets that a random search seldom finds, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable

from contractnet.messages import Code, PostingReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.play import SMALL, Play, founded
from tests.market.town import Answer, bid, budget, call


def founded_4(play: Play, *agents: str, credits_ucr: int = 1_000) -> None:
    """A market that has budgets, at the start of a minute that budgets of town.budget() share."""
    founded(play, *agents, version=4, units=4, credits_ucr=credits_ucr)
    play.town.at_ms += -play.town.at_ms % 60_000
    play.tick()


def sale(play: Play, **prices: int) -> Answer:
    """One slot at the own bid of whoever bids most; what the market said at the close."""
    cfp = play.by("manager", call(pricing="FIRST", reserve_price_ucr=1, duration_ms=100)).id
    for name, price in prices.items():
        play.by(name, bid(cfp, price))
    play.town.at_ms += 100
    return play.tick()


def a_budget_is_spent_and_comes_back(play: Play) -> None:
    """What is captured and what is held count; a close gives room back, and so does a new window."""
    founded_4(play, "ann", "bob")
    assert play.by("bank", budget(play.account("ann"))).of(e.BudgetSet)
    assert sale(play, ann=79).of(e.BudgetWarned) == []
    cfp = play.by("manager", call(open_ms=10_000)).id
    assert play.by("ann", bid(cfp, 22)).code is Code.BUDGET_EXCEEDED
    placed = play.by("ann", bid(cfp, 21))
    assert placed.code is Code.ACCEPTED
    other = play.by("manager", call(open_ms=10_000)).id
    assert play.by("ann", bid(other, 1)).code is Code.BUDGET_EXCEEDED
    play.by("ann", c.WithdrawBid(placed.id))
    assert play.by("ann", bid(other, 1)).code is Code.BUDGET_EXCEEDED, "a withdrawn bid holds until the close"
    play.restart()
    play.by("manager", c.CancelCfp(cfp))
    assert sale(play, ann=1, bob=30).of(e.BudgetWarned) == []
    assert len(sale(play, ann=20).of(e.BudgetWarned)) == 1
    assert sale(play, ann=1).of(e.BudgetWarned) == []
    play.town.at_ms += 60_000
    (started,) = play.tick().of(e.BudgetWindowStarted)
    assert (started.spent_ucr, started.decayed_ucr, started.issued_ucr) == (100, 0, 0)
    assert len(sale(play, ann=100).of(e.BudgetWarned)) == 1


def a_budget_has_one_scope(play: Play) -> None:
    """An account or a project, not both and not neither."""
    founded_4(play, "ann")
    for scope in ((None, ""), (play.account("ann"), "project")):
        assert play.by("bank", budget(*scope)).code is Code.BAD_BUDGET


def both_budgets_bind(play: Play) -> None:
    """An agent within its project: the smaller rest decides, whoever spent the project's."""
    founded_4(play, "ann", "bob", "dan")
    play.by("bank", budget(play.account("ann"), limit_ucr=60))
    play.by("bank", budget(None, "project", limit_ucr=100))
    sale(play, bob=50)
    cfp = play.by("manager", call(open_ms=1_000)).id
    assert play.by("ann", bid(cfp, 51)).code is Code.BUDGET_EXCEEDED
    assert play.by("ann", bid(cfp, 50)).code is Code.ACCEPTED
    assert play.by("bob", bid(cfp, 1)).code is Code.BUDGET_EXCEEDED
    assert play.by("dan", bid(cfp, 900)).code is Code.ACCEPTED
    assert play.by("bank", c.TopUpBudget(None, "project", 30)).of(e.BudgetToppedUp)
    assert play.by("bob", bid(cfp, 30)).code is Code.ACCEPTED
    assert play.by("bank", c.ClearBudget(None, "project")).of(e.BudgetCleared)
    other = play.by("manager", call()).id
    assert play.by("ann", bid(other, 11)).code is Code.BUDGET_EXCEEDED
    assert play.by("ann", bid(other, 10)).code is Code.ACCEPTED


def windows_give_and_take(play: Play) -> None:
    """Decay of what nothing holds, an allowance that is shared, and a cap; a project's accounts in order of opening."""
    founded_4(play, "ann", "bob", credits_ucr=1_000)
    cfp = play.by("manager", call(open_ms=200_000)).id
    play.by("ann", bid(cfp, 400))
    terms = {"limit_ucr": None, "allowance_ucr": 101, "decay_permille": 333}
    play.by("bank", budget(None, "project", **terms))
    play.town.at_ms += 60_000
    answer = play.tick()
    moved = [(t.reason, t.agent, t.amount_ucr) for t in answer.of(e.CreditsTransferred)]
    assert moved == [
        (PostingReason.ALLOWANCE, "manager", 34),
        (PostingReason.DECAY, "ann", 199),
        (PostingReason.ALLOWANCE, "ann", 34),
        (PostingReason.DECAY, "bob", 333),
        (PostingReason.ALLOWANCE, "bob", 33),
    ]
    (started,) = answer.of(e.BudgetWindowStarted)
    assert (started.decayed_ucr, started.issued_ucr) == (532, 101)
    play.by("bank", budget(None, "project", **terms | {"decay_permille": 0, "cap_allowances": 2}))
    play.town.at_ms += 60_000
    play.tick()
    free = [play.town.state.accounts[play.account(name)].available_ucr for name in ("manager", "ann", "bob")]
    assert free == [68, 68, 66]


def terms_change_and_the_window_stays(play: Play) -> None:
    """Other terms keep what was spent, topped up and warned; a lower limit leaves no room, and takes nothing back."""
    founded_4(play, "ann")
    ann = play.account("ann")
    (first,) = play.by("bank", budget(ann)).of(e.BudgetSet)
    play.by("bank", c.TopUpBudget(ann, "", 50))
    sale(play, ann=120)
    cfp = play.by("manager", call(open_ms=300_000)).id
    play.by("ann", bid(cfp, 30))
    (second,) = play.by("bank", budget(ann, limit_ucr=10, window_ms=120_000, offset_ms=None)).of(e.BudgetSet)
    assert second.budget == first.budget
    assert 0 <= second.offset_ms < 120_000
    other = play.by("manager", call(open_ms=300_000)).id
    assert play.by("ann", bid(other, 1)).code is Code.BUDGET_EXCEEDED
    play.restart()
    for _ in range(2):
        play.town.at_ms += 60_000
        play.tick()
    assert play.by("ann", bid(other, 1)).code is Code.BUDGET_EXCEEDED, "what it holds counts in the next window as well"
    play.by("bank", budget(ann, limit_ucr=31))
    assert play.by("ann", bid(other, 1)).code is Code.ACCEPTED
    assert play.by("bank", c.TopUpBudget(ann, "", 10**15)).code is Code.BAD_AMOUNT
    play.by("bank", budget(ann, limit_ucr=None))
    assert play.by("bank", c.TopUpBudget(ann, "", 1)).code is Code.UNKNOWN_BUDGET


def windows_wait_for_their_turn(play: Play) -> None:
    """More windows end than one record settles: none is left out or comes twice, and other terms do not lose one."""
    founded_4(play, "ann", "bob")
    for name in ("ann", "bob"):
        play.by("bank", budget(play.account(name), allowance_ucr=10))
    play.by("bank", budget(None, "other", allowance_ucr=10))
    for _ in range(SMALL["cfps"] - 1):
        play.by("manager", call(open_ms=60_000))
    assert play.by("bank", budget(None, "more")).code is Code.LIMIT_REACHED
    play.town.at_ms += 60_000
    started = play.tick().of(e.BudgetWindowStarted)
    assert len(started) < SMALL["budgets"]
    started += play.by("bank", budget(play.account("bob"), allowance_ucr=20)).of(e.BudgetWindowStarted)
    play.town.at_ms += 60_000
    for _ in range(4):
        started += play.tick().of(e.BudgetWindowStarted)
        play.restart()
    assert len(started) == 2 * SMALL["budgets"]
    assert len({(s.budget, s.starts_at_ms) for s in started}) == len(started)
    assert play.town.state.accounts[play.account("ann")].balance_ucr == 1_020


def nothing_is_issued_beyond_the_most(play: Play) -> None:
    """An allowance that all credits together have no room for is cut, by the last accounts."""
    founded_4(play, "ann", "bob", credits_ucr=0)
    play.by("bank", c.IssueCredits(play.account("ann"), 10**15, ""))
    play.by("bank", c.IssueCredits(play.account("ann"), SMALL["issued"] - 10**15 - 100, ""))
    play.by("bank", budget(None, "project", allowance_ucr=180))
    play.town.at_ms += 60_000
    (started,) = play.tick().of(e.BudgetWindowStarted)
    assert started.issued_ucr == 100
    play.town.at_ms += 60_000
    (started,) = play.tick().of(e.BudgetWindowStarted)
    assert started.issued_ucr == 0


def projects_fill_up(play: Play) -> None:
    """A project with a budget takes a bounded number of accounts; one with more gets no budget."""
    founded_4(play, "ann", "bob", "cat")
    play.by("bank", budget(None, "project"))
    assert play.open_account("eve").code is Code.ACCEPTED
    assert play.open_account("fay").code is Code.LIMIT_REACHED
    play.by("bank", c.ClearBudget(None, "project"))
    assert play.open_account("fay").code is Code.ACCEPTED
    assert play.by("bank", budget(None, "project")).code is Code.LIMIT_REACHED


def busy_budgets(play: Play) -> None:
    """Many sales under budgets whose terms change, with restarts and pauses."""
    agents = ("ann", "bob", "cat", "dan")
    founded_4(play, *agents, credits_ucr=2_000)
    dice = random.Random(4)
    for _ in range(150):
        scope = dice.choice([(play.account(dice.choice(agents)), ""), (None, "project"), (None, "other")])
        roll = dice.random()
        if roll < 0.25:
            terms = {"limit_ucr": dice.choice([None, 0, 60, 200]), "allowance_ucr": dice.choice([0, 33, 250])}
            terms |= {"decay_permille": dice.choice([0, 100]), "cap_allowances": dice.choice([0, 1, 2])}
            play.by("bank", budget(*scope, **terms, window_ms=dice.choice([60_000, 61_000]), offset_ms=None))
        elif roll < 0.32:
            play.by("bank", c.TopUpBudget(*scope, dice.randrange(1, 80)))
        elif roll < 0.36:
            play.by("bank", c.ClearBudget(*scope))
        cfp = play.by("manager", call(slots=2, reserve_price_ucr=5, duration_ms=300)).id
        for name in dice.sample(agents, dice.randrange(1, 5)):
            play.by(name, bid(cfp, dice.randrange(4, 70)))
        play.town.at_ms += dice.choice([50, 100, 100, 20_000, 60_000])
        play.tick()
        if dice.random() < 0.1:
            play.restart()


BUDGET_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    a_budget_is_spent_and_comes_back,
    a_budget_has_one_scope,
    both_budgets_bind,
    windows_give_and_take,
    terms_change_and_the_window_stays,
    windows_wait_for_their_turn,
    nothing_is_issued_beyond_the_most,
    projects_fill_up,
    busy_budgets,
)
