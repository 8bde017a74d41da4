"""Histories of decay by the average, and of what is owed, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable

from contractnet.messages import Code, PostingReason, Pricing
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market.account import Account
from tests.market.buyers import ask, buying
from tests.market.cases_negotiations import ALTERNATING, joined, negotiation
from tests.market.cases_policies import policy
from tests.market.directed_budgets import sale
from tests.market.directed_tokens import order
from tests.market.play import SMALL, Play, founded
from tests.market.town import Answer, bid, budget, call, grouped, token_pool

MINUTE_MS = 60_000
TENTH = {"limit_ucr": None, "decay_permille": 100}


def decaying(play: Play, *agents: str, credits_ucr: int = 1_000, version: int = 9) -> None:
    """A market with decay, at the start of a minute that budgets of town.budget() share."""
    founded(play, *agents, version=version, units=8, credits_ucr=credits_ucr)
    play.town.at_ms += -play.town.at_ms % MINUTE_MS
    play.tick()


def wait(play: Play, step_ms: int = MINUTE_MS) -> Answer:
    """Time passes."""
    play.town.at_ms += step_ms
    return play.tick()


def who(play: Play, name: str) -> Account:
    """An account as the market has it."""
    return play.town.state.accounts[play.account(name)]


def taken(play: Play, answer: Answer) -> dict[str, int]:
    """What decay has taken in a record, by name."""
    names = {ident: account.name for ident, account in play.town.state.accounts.items()}
    moved = [t for t in answer.of(e.CreditsTransferred) if t.reason is PostingReason.DECAY]
    return {names[t.debit]: t.amount_ucr for t in moved}


def owed(play: Play, answer: Answer) -> dict[str, int]:
    """Who owes another amount since a record."""
    names = {ident: account.name for ident, account in play.town.state.accounts.items()}
    return {names[event.account]: event.owed_ucr for event in answer.of(e.DecayOwed)}


def give(play: Play, debit: str, credit: str, amount_ucr: int) -> Answer:
    """The bank moves credits."""
    return play.by("bank", c.TransferCredits(play.account(debit), play.account(credit), amount_ucr, ""))


def an_average_decays(play: Play) -> None:
    """What an account had for a part of the window counts for that part, whatever it has at the end."""
    decaying(play, "ann", "bob", "cat")
    for name in ("ann", "bob"):
        play.by("bank", budget(play.account(name), **TENTH))
    wait(play, 15_000)
    give(play, "ann", "cat", 1_000)
    wait(play, 15_000)
    give(play, "cat", "bob", 1_000)
    play.restart()
    ended = wait(play, 30_000)
    # A quarter of the minute 1,000; half of it 1,000, the other half 2,000.
    assert (taken(play, ended), owed(play, ended)) == ({"bob": 150}, {"ann": 25})
    assert who(play, "ann").available_ucr == -25
    ended = wait(play)
    assert (taken(play, ended), owed(play, ended)) == ({"bob": 185}, {})


def what_is_held_is_owed(play: Play) -> None:
    """Held credits count, and stay where they are: what cannot be taken is owed, cannot be spent, and is taken when a
    later window ends, as far as it is free then, once."""
    decaying(play, "ann")
    play.by("bank", budget(play.account("ann"), **TENTH))
    cfp = play.by("manager", call(open_ms=200_000)).id
    play.by("ann", bid(cfp, 950))
    ended = wait(play)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 50}, {"ann": 50})
    play.restart()
    ended = wait(play)
    assert (taken(play, ended), owed(play, ended)) == ({}, {"ann": 145})
    play.by("manager", c.CancelCfp(cfp))
    assert (who(play, "ann").free_ucr, who(play, "ann").available_ucr) == (950, 805)
    assert give(play, "ann", "manager", 806).code is Code.INSUFFICIENT_CREDIT
    other = play.by("manager", call(open_ms=30_000)).id
    assert play.by("ann", bid(other, 806)).code is Code.INSUFFICIENT_CREDIT
    assert play.by("ann", grouped(other, 806)).code is Code.INSUFFICIENT_CREDIT
    assert play.by("ann", bid(other, 805)).code is Code.ACCEPTED
    ended = wait(play)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 240}, {"ann": 0})
    ended = wait(play)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 70}, {})


def who_spends_everything_owes(play: Play) -> None:
    """A holder that has paid everything away had it for a while all the same; what comes in later pays for that."""
    decaying(play, "ann")
    play.by("bank", budget(play.account("ann"), allowance_ucr=40, **TENTH))
    wait(play, 30_000)
    sale(play, ann=1_000)
    ended = wait(play, 29_900)
    assert (taken(play, ended), owed(play, ended)) == ({}, {"ann": 50})
    assert (who(play, "ann").balance_ucr, who(play, "ann").available_ucr) == (40, -10)
    ended = wait(play)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 40}, {"ann": 14})
    play.restart()
    ended = wait(play)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 18}, {"ann": 0})


def nothing_that_is_owed_is_spent(play: Play) -> None:
    """Not by a bond, an offer's fee, a cap, a deposit or an order for tokens either."""
    decaying(play, "ann", "bob", "cat")
    play.by("bank", token_pool("gpt", play.account("manager"), reserve_permille=0, interval_ms=60_000))
    play.by("bank", c.CreatePool("mill", play.account("ann"), 1))
    play.by("bank", budget(play.account("ann"), **TENTH))
    award = play.by("bob", bid(play.by("manager", call(duration_ms=300_000)).id, 10)).id
    own = play.by("ann", bid(play.by("manager", call(duration_ms=300_000)).id, 10)).id
    cfp = play.by("manager", call(open_ms=70_000)).id
    play.by("ann", grouped(cfp, 990))
    wait(play)
    give(play, "bob", "ann", 30)
    assert (who(play, "ann").free_ucr, who(play, "ann").available_ucr) == (30, -70)
    other = play.by("manager", call(open_ms=5_000)).id
    assert play.by("ann", grouped(other, 991)).code is Code.INSUFFICIENT_CREDIT
    assert play.by("ann", grouped(other, 990)).code is Code.ACCEPTED, "what needs no more needs nothing"
    work = play.by("cat", buying(open_ms=10_000)).id
    assert play.by("ann", ask(work, "mill", 50)).code is Code.INSUFFICIENT_CREDIT
    give(play, "bob", "ann", 80)
    assert who(play, "ann").available_ucr == 10
    play.by("operator", policy(None, fee_ucr=11))
    talk = play.by("ann", negotiation(own, play.account("cat"), protocol=ALTERNATING)).id
    play.by("cat", joined(talk, 50))
    assert play.by("ann", c.MakeOffer(talk, 1, (), 5)).code is Code.INSUFFICIENT_CREDIT
    play.by("operator", policy(None))
    talk = play.by("bob", negotiation(award, play.account("ann"))).id
    assert play.by("ann", joined(talk, 11)).code is Code.INSUFFICIENT_CREDIT
    play.by("operator", c.SetDeposit(100_000))
    called = call(pool="mill", open_ms=36_000, reserve_price_ucr=11)
    assert play.by("ann", called).code is Code.INSUFFICIENT_CREDIT
    play.by("ann", order(11, 1_000, pool="gpt"))
    cleared = wait(play, 60_000 - play.town.at_ms % 60_000)
    assert not cleared.of(e.TokensGranted)


def only_the_part_under_a_budget_counts(play: Play) -> None:
    """A budget that is set in the middle counts from then on, and so does one with other windows, one that begins to
    decay, and an account that is opened; other terms for the same windows change nothing of what was counted."""
    decaying(play, "ann", "bob")
    ann = play.account("ann")
    wait(play, 45_000)
    play.by("bank", budget(ann, **TENTH))
    assert taken(play, wait(play, 15_000)) == {"ann": 25}
    wait(play, 30_000)
    play.by("bank", budget(ann, limit_ucr=5, decay_permille=200))
    assert taken(play, wait(play, 30_000)) == {"ann": 195}
    wait(play, 30_000)
    play.by("bank", budget(ann, **TENTH, offset_ms=45_000))
    assert taken(play, wait(play, 15_000)) == {"ann": 780 * 15 // 600}
    play.by("bank", budget(ann))
    wait(play, 30_000)
    play.by("bank", budget(ann, **TENTH))
    play.restart()
    wait(play, 15_000)
    assert taken(play, wait(play, 30_000)) == {"ann": 761 * 45 // 600}
    play.by("bank", c.ClearBudget(ann, ""))
    wait(play, MINUTE_MS - play.town.at_ms % MINUTE_MS)
    play.by("bank", budget(None, "project", **TENTH))
    wait(play, 30_000)
    play.open_account("eve", credits_ucr=1_000)
    play.restart()
    ended = taken(play, wait(play, 30_000))
    assert (ended["bob"], ended["eve"]) == (100, 50)


def new_rules_count_from_then_on(play: Play) -> None:
    """Before version 9 a part of what is free decays; the window in which it begins has a part of the average."""
    decaying(play, "ann", "bob", version=8)
    for name in ("ann", "bob"):
        play.by("bank", budget(play.account(name), **TENTH))
    cfp = play.by("manager", call(open_ms=200_000)).id
    play.by("ann", bid(cfp, 900))
    assert taken(play, wait(play)) == {"ann": 10, "bob": 100}
    wait(play, 45_000)
    assert play.by("operator", c.ActivateRules(9)).code is Code.ACCEPTED
    play.restart()
    ended = wait(play, 15_000)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 24, "bob": 22}, {})


def overdue_windows_count_their_own_time(play: Play) -> None:
    """More windows are over than one record settles, and balances change meanwhile: time counts for the window that it
    lies in, and each instant for one."""
    decaying(play, "ann", "bob", "dan")
    for name, offset_ms in (("ann", 0), ("bob", 10_000)):
        play.by("bank", budget(play.account(name), **TENTH, offset_ms=offset_ms))
    play.by("bank", budget(None, "other", **TENTH, offset_ms=20_000))
    wait(play, 50_000)
    for _ in range(SMALL["cfps"] - 1):
        play.by("manager", call(open_ms=9_000))
    play.town.at_ms += 60_000
    # The closes come first, and leave no room for the windows.
    assert give(play, "ann", "bob", 700).of(e.BudgetWindowStarted) == []
    records = [give(play, "bob", "ann", 300), give(play, "ann", "dan", 500)]
    play.restart()
    records += [wait(play, 59_000), *(play.tick() for _ in range(4))]
    assert len([s for r in records for s in r.of(e.BudgetWindowStarted)]) >= 5
    total = sum(amount for record in records for amount in taken(play, record).values())
    assert total + sum(account.owed_ucr for account in play.town.state.accounts.values()) > 400


def what_is_owed_outlives_its_budget(play: Play) -> None:
    """The end of a budget forgives nothing. Another one that gives or takes collects it, a mere limit does not."""
    decaying(play, "ann")
    ann = play.account("ann")
    play.by("bank", budget(ann, **TENTH))
    cfp = play.by("manager", call(open_ms=MINUTE_MS + 1_000)).id
    play.by("ann", bid(cfp, 1_000))
    assert owed(play, wait(play)) == {"ann": 100}
    play.by("bank", c.ClearBudget(ann, ""))
    wait(play, 1_000)
    assert who(play, "ann").available_ucr == 890
    play.by("bank", budget(ann))
    play.restart()
    ended = wait(play, 2 * MINUTE_MS)
    assert (taken(play, ended), owed(play, ended)) == ({}, {})
    play.by("bank", budget(None, "project", limit_ucr=None, allowance_ucr=9))
    wait(play)
    assert (who(play, "ann").owed_ucr, who(play, "ann").balance_ucr) == (0, 894)


def a_cap_takes_what_is_owed_as_well(play: Play) -> None:
    """What exceeds the cap is taken of what is free; decay that is due is part of that, and is not owed again."""
    decaying(play, "ann", "bob")
    terms = {"limit_ucr": None, "allowance_ucr": 100, "decay_permille": 100, "cap_allowances": 2}
    play.by("bank", budget(play.account("ann"), **terms))
    cfp = play.by("manager", call(open_ms=MINUTE_MS + 1_000)).id
    play.by("ann", bid(cfp, 850))
    ended = wait(play)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 100}, {})
    wait(play, 1_000)
    give(play, "bob", "ann", 300)
    ended = wait(play, 59_000)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 1_290 - 100}, {})
    assert who(play, "ann").balance_ucr == 200


def two_budgets_decay(play: Play) -> None:
    """An account's own and its project's: each counts the whole average, and either collects what is owed."""
    decaying(play, "ann", "bob")
    play.by("bank", budget(play.account("ann"), **TENTH))
    play.by("bank", budget(None, "project", **TENTH, offset_ms=30_000))
    cfp = play.by("manager", call(open_ms=40_000)).id
    play.by("ann", bid(cfp, 1_000))
    ended = wait(play, 30_000)
    assert (taken(play, ended), owed(play, ended)) == ({"bob": 50}, {"ann": 50})
    wait(play, 10_000)
    ended = wait(play, 20_000)
    assert (taken(play, ended), owed(play, ended)) == ({"ann": 99 + 50}, {"ann": 0})


def busy_decay(play: Play) -> None:
    """Sales, transfers, orders and groups under budgets that decay, whose terms change, with restarts and pauses."""
    agents = ("ann", "bob", "cat", "dan")
    decaying(play, *agents, credits_ucr=2_000)
    play.by("bank", token_pool("gpt", play.account("manager"), reserve_permille=0))
    dice = random.Random(9)
    for number in range(140):
        scope = dice.choice([(play.account(dice.choice(agents)), ""), (None, "project"), (None, "other")])
        roll = dice.random()
        if roll < 0.15:
            terms = {"limit_ucr": dice.choice([None, None, 900]), "allowance_ucr": dice.choice([0, 33, 250])}
            terms |= {"decay_permille": dice.choice([0, 100, 500, 1000]), "cap_allowances": dice.choice([0, 0, 2])}
            play.by("bank", budget(*scope, **terms, window_ms=dice.choice([60_000, 61_000]), offset_ms=None))
        elif roll < 0.18:
            play.by("bank", c.ClearBudget(*scope))
        elif roll < 0.4:
            debit, credit = dice.sample(agents, 2)
            give(play, debit, credit, dice.choice([1, 100, 400, 1_500]))
        elif roll < 0.5:
            play.by(dice.choice(agents), order(dice.randrange(1, 90), 3_000, pool="gpt"))
        open_ms = dice.choice([100, 100, 30_000, 90_000])
        cfp = play.by("manager", call(open_ms=open_ms, slots=2, pricing=Pricing.FIRST, duration_ms=300)).id
        for name in dice.sample(agents, dice.randrange(1, 4)):
            price = dice.choice([dice.randrange(10, 70), max(10, who(play, name).available_ucr)])
            play.by(name, grouped(cfp, price, 1) if number % 9 == 0 else bid(cfp, price))
        wait(play, dice.choice([50, 100, 100, 20_000, 60_000]))
        if dice.random() < 0.1:
            play.restart()


DECAY_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    an_average_decays,
    what_is_held_is_owed,
    who_spends_everything_owes,
    nothing_that_is_owed_is_spent,
    only_the_part_under_a_budget_counts,
    new_rules_count_from_then_on,
    overdue_windows_count_their_own_time,
    what_is_owed_outlives_its_budget,
    a_cap_takes_what_is_owed_as_well,
    two_budgets_decay,
    busy_decay,
)
