"""Histories of CFPs by invitation, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from contractnet.messages import CfpOutcome, Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.play import SMALL, Play, founded
from tests.market.town import BANK, OPERATOR, PARTITIONS, UNKNOWN_ID, bid, call, managed

founded_6 = partial(founded, version=6, units=4)
"""A market whose managers may invite."""


def the_invited_alone_answer(play: Play) -> None:
    """Others neither bid nor refuse, also after a restart; the best of the invited wins, at the price among them."""
    founded_6(play, "ann", "bob", "cat", "dan")
    chosen = tuple(play.account(name) for name in ("ann", "bob", "dan"))
    opened = play.by("manager", call(invited=chosen))
    assert [event.account for event in opened.of(e.AccountInvited)] == list(chosen)
    assert play.by("cat", bid(opened.id, 90)).code is Code.NOT_INVITED
    play.restart()
    assert play.by("cat", bid(opened.id, 90)).code is Code.NOT_INVITED
    assert play.by("cat", c.RefuseCfp(opened.id, "")).code is Code.NOT_INVITED
    placed = play.by("ann", bid(opened.id, 20))
    assert play.by("bob", bid(opened.id, 40)).code is Code.ACCEPTED
    assert play.by("dan", c.RefuseCfp(opened.id, "no need")).of(e.CfpRefused)
    assert play.by("ann", c.WithdrawBid(placed.id)).code is Code.ACCEPTED
    assert play.by("ann", bid(opened.id, 30)).code is Code.ACCEPTED
    play.town.at_ms += 100
    (award,) = play.tick().of(e.AwardMade)
    assert (award.account, award.price_ucr) in [(play.account("bob"), price) for price in (30, 31)]
    assert play.by("cat", bid(opened.id, 90)).code is Code.CFP_CLOSED


def a_manager_invites_and_chooses(play: Play) -> None:
    """Both together: the manager chooses among the invited. One nobody answers ends as any other."""
    founded_6(play, "ann", "bob")
    opened = play.by("manager", managed(invited=(play.account("ann"),)))
    assert len(opened.of(e.AwardDeferred)) == len(opened.of(e.AccountInvited)) == 1
    assert play.by("bob", bid(opened.id, 90)).code is Code.NOT_INVITED
    placed = play.by("ann", bid(opened.id, 20)).id
    play.town.at_ms += 100
    assert play.tick().of(e.DecisionOpened)
    play.restart()
    assert play.by("manager", c.AwardBid(placed)).of(e.AwardMade)
    play.by("manager", call(invited=(play.account("bob"),)))
    play.town.at_ms += 100
    assert [closed.outcome for closed in play.tick().of(e.CfpClosed)] == [CfpOutcome.UNAWARDED]


def whom_a_manager_cannot_invite(play: Play) -> None:
    """Nobody, itself, the bank, somebody twice, too many; each for itself and together with others."""
    founded_6(play, "ann", "bob", "cat", "dan")
    ann, bob, manager = (play.account(name) for name in ("ann", "bob", "manager"))
    for invited, code in (
        ((UNKNOWN_ID,), Code.UNKNOWN_ACCOUNT),
        ((ann, manager), Code.BAD_INVITATION),
        ((play.model.bank,), Code.BAD_INVITATION),
        ((ann, bob, ann), Code.BAD_INVITATION),
        (tuple(play.account(name) for name in ("ann", "bob", "cat", "dan")), Code.LIMIT_REACHED),
    ):
        assert play.by("manager", call(invited=invited)).code is code
    most = tuple(play.account(name) for name in ("ann", "bob", "cat", "dan")[: SMALL["invited"]])
    assert play.by("manager", call(invited=most)).code is Code.ACCEPTED


def older_rules_invite_nobody(play: Play) -> None:
    """Version 5 answers UNKNOWN_RULES; switched to 6 on the way, CFPs that are open stay open to all."""
    play.pairs[BANK.public] = BANK
    play.send(c.OpenMarket(BANK.public, PARTITIONS, 5, True), OPERATOR)
    manager = play.open_account("manager").id
    play.by("bank", c.CreatePool("gpu", manager, 1))
    ann, bob = (play.open_account(name, credits_ucr=100).id for name in ("ann", "bob"))
    before = play.by("manager", call(open_ms=1_000)).id
    for make in (call, managed):
        assert play.by("manager", make(invited=(ann,))).code is Code.UNKNOWN_RULES
    assert play.by("operator", c.ActivateRules(6)).of(e.RulesActivated)
    after = play.by("manager", call(invited=(ann,))).id
    assert [play.by("bob", bid(cfp, 20)).code for cfp in (before, after)] == [Code.ACCEPTED, Code.NOT_INVITED]
    assert play.by("bob", c.RefuseCfp(after, "")).code is Code.NOT_INVITED
    assert bob in play.town.state.cfps[before].bidders.keys() - {ann}


def busy_invitations(play: Play) -> None:
    """Many CFPs of both kinds and awards, answered by whoever likes, with restarts."""
    agents = ("ann", "bob", "cat", "dan")
    founded_6(play, *agents, units=3, credits_ucr=9_000)
    dice = random.Random(7)
    for _ in range(80):
        chosen = dice.sample(agents, dice.randrange(0, SMALL["invited"] + 1))
        make = dice.choice((call, call, managed))
        cfp = play.by("manager", make(invited=tuple(map(play.account, chosen)), duration_ms=200)).id
        for name in dice.sample(agents, dice.randrange(1, 5)):
            answer = c.RefuseCfp(cfp, "busy") if dice.random() < 0.2 else bid(cfp, dice.randrange(8, 60))
            play.by(name, answer)
        if dice.random() < 0.1:
            play.restart()
        play.town.at_ms += dice.choice([50, 100])
        play.tick()


INVITATION_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    the_invited_alone_answer,
    a_manager_invites_and_chooses,
    whom_a_manager_cannot_invite,
    older_rules_invite_nobody,
    busy_invitations,
)
