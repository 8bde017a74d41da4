"""Histories of deposits of managers that buy, of rules version 11, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market.works import deposit_of
from tests.market.buyers import ask, buying, chosen, done, failed, started
from tests.market.cases_deposits import RATE
from tests.market.directed_deposits import held, paid, wait
from tests.market.play import Play, founded
from tests.market.town import budget

OPEN = {"open_ms": 36_000, "reserve_price_ucr": 100, "bond_ucr": 20}
"""A call that costs its bond for each slot."""
CHOSEN = {"open_ms": 18_000, "decide_ms": 18_000, "reserve_price_ucr": 100, "bond_ucr": 20}
"""The same, whose buyer has half of that time to choose."""


def buyers(play: Play, *contractors: str, version: int = 11, units: int = 1) -> None:
    """A market with deposits. Contractors have a pool of their name; cat and dan have budget roots of their own, all
    others that of the manager, who buys."""
    founded(play, *contractors, version=version)
    play.by("bank", c.IssueCredits(play.account("manager"), 1_000, ""))
    assert play.by("operator", c.SetDeposit(RATE, 10**9 if version >= 10 else 0)).code is Code.ACCEPTED
    for name in contractors:
        play.by("bank", c.CreatePool(name, play.account(name), units))


def bought(play: Play, name: str, cfp: bytes, **terms: Any) -> bytes:
    """An ask at 50 on the pool of its contractor; its id."""
    return play.by(name, ask(cfp, name, 50, **terms)).id


def a_buyer_deposits_by_the_bond(play: Play) -> None:
    """Beside its ceiling, and whatever a floor makes of sales; it is free when the market awards, or nobody asks."""
    buyers(play, "cat", "dan")
    opened = play.by("manager", buying(**OPEN, slots=2))
    holds = [(h.hold, h.amount_ucr) for h in opened.of(e.HoldPlaced)]
    assert holds == [(opened.id, 200), (deposit_of(opened.id), 40)]
    assert held(play) == 240
    for name in ("cat", "dan"):
        bought(play, name, opened.id)
    play.restart()
    ended = wait(play, 36_000)
    assert len(ended.of(e.AwardMade)) == 2
    assert (held(play), paid(play, ended)) == (200, {})
    for award in ended.of(e.AwardMade):
        play.by("cat" if award.account == play.account("cat") else "dan", failed(award.award))
    assert held(play) == 0
    silent = play.by("manager", buying(**OPEN)).id
    assert held(play) == 120
    assert paid(play, play.by("manager", c.CancelCfp(silent))) == {}
    assert held(play) == 0


def a_buyer_that_takes_its_call_back_pays(play: Play) -> None:
    """Each ask that stood is paid by time, up to what the slots deposit; not those taken back, nor of its own root."""
    buyers(play, "ann", "cat", "dan")
    for slots, shares in ((1, {"cat": 10, "dan": 5}), (2, {"cat": 10, "dan": 5})):
        cfp = play.by("manager", buying(**OPEN, slots=slots)).id
        bought(play, "ann", cfp)
        bought(play, "cat", cfp)
        wait(play, 9_000)
        bought(play, "dan", cfp)
        play.restart()
        play.town.at_ms += 9_000
        assert paid(play, play.by("manager", c.CancelCfp(cfp))) == shares
    cfp = play.by("manager", chosen(**CHOSEN)).id
    for name in ("cat", "dan"):
        bought(play, name, cfp)
    wait(play, 18_000)
    assert paid(play, wait(play, 18_000)) == {"cat": 10, "dan": 10}
    cfp = play.by("manager", buying(**OPEN)).id
    play.by("cat", c.WithdrawBid(bought(play, "cat", cfp)))
    wait(play, 9_000)
    assert paid(play, play.by("manager", c.CancelCfp(cfp))) == {}


def a_buyer_that_rejects_pays_until_then(play: Play) -> None:
    """At the end of the call, and by the slots that others have not got."""
    buyers(play, "cat", "dan")
    cfp = play.by("manager", chosen(**CHOSEN)).id
    cat = bought(play, "cat", cfp)
    bought(play, "dan", cfp)
    wait(play, 18_000)
    play.town.at_ms += 2_000
    assert paid(play, play.by("manager", c.RejectBid(cat))) == {}
    play.restart()
    assert paid(play, wait(play, 16_000)) == {"cat": 20 * 20 // 56, "dan": 20 * 36 // 56}
    for slots, shares in ((1, {}), (2, {"dan": 10})):
        cfp = play.by("manager", chosen(**CHOSEN, slots=slots)).id
        cat = bought(play, "cat", cfp)
        bought(play, "dan", cfp)
        wait(play, 18_000)
        answer = play.by("manager", c.AwardBid(cat))
        if cfp in play.town.state.cfps:
            play.restart()
            answer = play.by("manager", c.CancelCfp(cfp))
        assert paid(play, answer) == shares
        assert play.by("cat", started(cat)).code is Code.ACCEPTED
        play.by("cat", done(cat))
        assert held(play) == 0


def who_has_no_units_is_not_paid(play: Play) -> None:
    """An ask that its own pool has no room for when the call ends could not have been served, whoever ends the call;
    units that the very call has taken count. One that was rejected before has nothing to keep units for."""
    buyers(play, "cat", "dan")
    busy = bought(play, "cat", play.by("manager", buying(duration_ms=600_000)).id)
    wait(play, 100)
    assert busy in play.town.state.works
    for command in (chosen(**CHOSEN), buying(**OPEN)):
        cfp = play.by("manager", command).id
        bought(play, "cat", cfp)
        bought(play, "dan", cfp)
        play.town.at_ms += 17_000
        assert paid(play, play.by("manager", c.CancelCfp(cfp))) == {"dan": 20 * 17 // 36}
    cfp = play.by("manager", chosen(**CHOSEN)).id
    cat = bought(play, "cat", cfp)
    bought(play, "dan", cfp)
    wait(play, 18_000)
    play.by("manager", c.RejectBid(cat))
    play.restart()
    assert paid(play, wait(play, 18_000)) == {"cat": 20 * 18 // 54, "dan": 20 * 36 // 54}
    ended = play.by("manager", buying(**OPEN)).id
    bought(play, "cat", ended)
    ended_by_market = wait(play, 36_000)
    assert paid(play, ended_by_market) == {}
    play.by("bank", c.CreatePool("dan's", play.account("dan"), 1))
    cfp = play.by("manager", chosen(**CHOSEN, slots=3, duration_ms=600_000)).id
    dan = bought(play, "dan", cfp)
    wait(play, 18_000)
    assert paid(play, play.by("manager", c.AwardBid(dan))) == {}


def a_buyer_without_a_deposit_does_not_call(play: Play) -> None:
    """Credits and budgets have to be there for ceiling and deposit together; earlier rules ask for the ceiling alone,
    and calls that are open when the new ones come have no deposit."""
    buyers(play, "cat", version=10)
    old = play.by("manager", buying(**OPEN)).id
    assert held(play) == 100
    bought(play, "cat", old)
    assert play.by("operator", c.ActivateRules(11)).code is Code.ACCEPTED
    assert paid(play, play.by("manager", c.CancelCfp(old))) == {}
    half = play.town.state.accounts[play.account("manager")].free_ucr // 2

    def called(amount: int, bond: int) -> Code:
        return play.by("manager", buying(open_ms=36_000, reserve_price_ucr=amount, bond_ucr=bond)).code

    assert called(half, half + 1) in (Code.BAD_AMOUNT, Code.INSUFFICIENT_CREDIT)
    assert called(half + 1, half + 1) is Code.INSUFFICIENT_CREDIT
    play.by("bank", budget(play.account("manager"), limit_ucr=2 * half - 1))
    assert called(half, half) is Code.BUDGET_EXCEEDED
    play.by("bank", budget(play.account("manager"), limit_ucr=2 * half))
    assert called(half, half) is Code.ACCEPTED
    assert held(play) == 2 * half


def crowded_buyer_deposits(play: Play) -> None:
    """Calls of both kinds with asks of all roots that end in every way; rates that change, pools that are too small."""
    buyers(play, "ann", "bob", "cat", "dan", units=2)
    dice = random.Random(11)
    agents = ("ann", "bob", "cat", "dan")
    for number in range(60):
        play.by("bank", c.IssueCredits(play.account("manager"), 300, ""))
        if number % 9 == 0:
            play.by("operator", c.SetDeposit(dice.choice([RATE, RATE, 7, 333_333, 0])))
        terms = {"slots": dice.randrange(1, 4), "units": dice.randrange(1, 3), "bond_ucr": dice.choice([5, 33])}
        terms |= {"duration_ms": dice.choice([100, 20_000]), "open_ms": dice.choice([5_000, 9_000])}
        made = [chosen(**terms | {"decide_ms": dice.choice([5_000, 30_000])}), buying(**terms), buying(**terms)]
        cfps = [play.by("manager", command).id for command in dice.sample(made, 2)]
        asks: list[tuple[str, bytes]] = []
        for name in dice.sample(agents, dice.randrange(1, 5)):
            play.town.at_ms += dice.choice([0, 100, 1_234])
            for cfp in cfps:
                terms_of_it = ask(cfp, name, dice.randrange(8, 100), dice.choice([0, 0, 2_000]))
                asks.append((name, play.by(name, terms_of_it).id))
        if dice.random() < 0.2:
            name, ident = dice.choice(asks)
            play.by(name, c.WithdrawBid(ident))
        if dice.random() < 0.2:
            play.by("manager", c.CancelCfp(dice.choice(cfps)))
        wait(play, 9_000)
        for _, ident in dice.sample(asks, dice.randrange(len(asks) + 1)):
            play.by("manager", c.AwardBid(ident) if dice.random() < 0.5 else c.RejectBid(ident))
            play.town.at_ms += dice.choice([0, 70, 900])
        for name, ident in asks:
            if dice.random() < 0.3:
                play.by(name, failed(ident))
        if dice.random() < 0.1:
            play.restart()
        wait(play, dice.choice([0, 5_000, 40_000]))


BUYER_DEPOSIT_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    a_buyer_deposits_by_the_bond,
    a_buyer_that_takes_its_call_back_pays,
    a_buyer_that_rejects_pays_until_then,
    who_has_no_units_is_not_paid,
    a_buyer_without_a_deposit_does_not_call,
    crowded_buyer_deposits,
)
