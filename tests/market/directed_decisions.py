"""Histories of managers that award themselves, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from contractnet.messages import CfpOutcome, Code, Pricing, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.play import SMALL, Play, founded
from tests.market.town import BANK, OPERATOR, PARTITIONS, Answer, bid, budget, call, managed

founded_5 = partial(founded, version=5, units=4)
"""A market whose managers may choose."""


def decided(play: Play, prices: dict[str, int], **changes: int) -> tuple[bytes, dict[str, bytes]]:
    """A CFP of the manager's own award, right after its deadline, and the bids on it."""
    cfp = play.by("manager", managed(**changes)).id
    bids = {name: play.by(name, bid(cfp, price)).id for name, price in prices.items()}
    play.town.at_ms += 100
    play.tick()
    return cfp, bids


def reasons(answer: Answer) -> list[ReleaseReason]:
    """Why bids lost in a record, in order."""
    return [rejected.reason for rejected in answer.of(e.BidRejected)]


def a_manager_takes_its_choice(play: Play) -> None:
    """The lowest bid may win, at its own price; the rest wait, and lose when the slots are gone. A restart between."""
    founded_5(play, "ann", "bob", "cat", "dan")
    _, bids = decided(play, {"ann": 20, "bob": 40, "cat": 30, "dan": 9}, slots=2)
    assert play.by("ann", c.WithdrawBid(bids["ann"])).code is Code.BID_BINDING
    (award,) = play.by("manager", c.AwardBid(bids["ann"])).of(e.AwardMade)
    assert (award.price_ucr, award.slot) == (20, 0)
    assert play.by("ann", c.WithdrawBid(bids["ann"])).code is Code.UNKNOWN_BID
    play.restart()
    assert play.by("manager", c.AwardBid(bids["ann"])).code is Code.UNKNOWN_BID
    assert play.by("manager", c.AwardBid(bids["dan"])).code is Code.BELOW_RESERVE
    last = play.by("manager", c.AwardBid(bids["cat"]))
    assert [a.slot for a in last.of(e.AwardMade)] == [1]
    assert reasons(last) == [ReleaseReason.NOT_CHOSEN, ReleaseReason.BELOW_RESERVE]
    (closed,) = last.of(e.CfpClosed)
    assert (closed.outcome, closed.awards, closed.bids) == (CfpOutcome.AWARDED, 2, 4)
    assert play.by("manager", c.AwardBid(bids["bob"])).code is Code.UNKNOWN_BID


def time_runs_out(play: Play) -> None:
    """A manager that does not choose frees everybody; what it gave stays given; at the very end it is too late."""
    founded_5(play, "ann", "bob")
    _, bids = decided(play, {"ann": 20, "bob": 40}, slots=2, decide_ms=1_000)
    play.town.at_ms += 999
    assert play.by("manager", c.AwardBid(bids["bob"])).of(e.AwardMade)
    play.town.at_ms += 1
    late = play.by("manager", c.AwardBid(bids["ann"]))
    assert late.code is Code.UNKNOWN_BID
    assert reasons(late) == [ReleaseReason.EXPIRED]
    assert [closed.outcome for closed in late.of(e.CfpClosed)] == [CfpOutcome.AWARDED]
    _, bids = decided(play, {"ann": 20, "bob": 40}, decide_ms=100)
    play.town.at_ms += 100
    assert [closed.outcome for closed in play.tick().of(e.CfpClosed)] == [CfpOutcome.EXPIRED]


def nothing_is_left_to_choose(play: Play) -> None:
    """A CFP without a bid that can win ends at its deadline; one whose bids were all declined, at once."""
    founded_5(play, "ann", "bob")
    cfp = play.by("manager", managed()).id
    placed = play.by("ann", bid(cfp, 50)).id
    play.by("ann", c.WithdrawBid(placed))
    play.by("bob", bid(cfp, 9))
    play.town.at_ms += 100
    ended = play.tick()
    assert [closed.outcome for closed in ended.of(e.CfpClosed)] == [CfpOutcome.UNAWARDED]
    assert reasons(ended) == [ReleaseReason.WITHDRAWN, ReleaseReason.BELOW_RESERVE]
    cfp, bids = decided(play, {"ann": 20, "bob": 40})
    assert reasons(play.by("manager", c.RejectBid(bids["ann"]))) == [ReleaseReason.REJECTED]
    assert play.town.state.accounts[play.account("ann")].held_ucr == 0, "a declined bid holds nothing"
    play.restart()
    assert play.by("manager", c.RejectBid(bids["ann"])).code is Code.UNKNOWN_BID
    last = play.by("manager", c.RejectBid(bids["bob"]))
    assert [closed.outcome for closed in last.of(e.CfpClosed)] == [CfpOutcome.UNAWARDED]
    _, bids = decided(play, {"ann": 20, "bob": 40}, slots=3)
    assert not play.by("manager", c.AwardBid(bids["ann"])).of(e.CfpClosed)
    last = play.by("manager", c.RejectBid(bids["bob"]))
    assert [(closed.outcome, closed.awards) for closed in last.of(e.CfpClosed)] == [(CfpOutcome.AWARDED, 1)]


def managers_take_cfps_back(play: Play) -> None:
    """Before the deadline and while they decide, and not later; awards that are made stay."""
    founded_5(play, "ann", "bob")
    cfp = play.by("manager", managed()).id
    play.by("ann", bid(cfp, 20))
    early = play.by("manager", c.CancelCfp(cfp))
    assert [closed.outcome for closed in early.of(e.CfpClosed)] == [CfpOutcome.CANCELLED]
    cfp, _ = decided(play, {"ann": 20, "bob": 9})
    late = play.by("manager", c.CancelCfp(cfp))
    assert reasons(late) == [ReleaseReason.CFP_CANCELLED] * 2
    assert [closed.outcome for closed in late.of(e.CfpClosed)] == [CfpOutcome.CANCELLED]
    cfp, bids = decided(play, {"ann": 20, "bob": 40}, slots=2)
    play.by("manager", c.AwardBid(bids["ann"]))
    some = play.by("manager", c.CancelCfp(cfp))
    assert [(closed.outcome, closed.awards) for closed in some.of(e.CfpClosed)] == [(CfpOutcome.AWARDED, 1)]
    cfp, _ = decided(play, {"ann": 20}, decide_ms=100)
    play.town.at_ms += 100
    assert play.by("manager", c.CancelCfp(cfp)).code is Code.CFP_CLOSED


def awards_need_room(play: Play) -> None:
    """What others lease meanwhile is not given twice; a release makes room, and a smaller pool takes it away."""
    founded_5(play, "ann", "bob", units=1)
    _, bids = decided(play, {"ann": 20, "bob": 40}, decide_ms=60_000, slots=2, duration_ms=5_000)
    other = play.by("manager", call(duration_ms=2_000)).id
    lease = play.by("ann", bid(other, 30)).id
    play.town.at_ms += 100
    assert play.tick().of(e.AwardMade)
    assert play.by("manager", c.AwardBid(bids["bob"])).code is Code.NO_CAPACITY
    assert play.by("ann", c.ReleaseLease(lease)).code is Code.ACCEPTED
    assert play.by("manager", c.AwardBid(bids["bob"])).of(e.SlotReserved)
    assert play.by("manager", c.AwardBid(bids["ann"])).code is Code.NO_CAPACITY
    play.town.at_ms += 5_000
    (reserved,) = play.by("manager", c.AwardBid(bids["ann"])).of(e.SlotReserved)
    assert reserved.starts_at_ms == play.town.at_ms, "a lease begins at its award"


def budgets_see_a_managers_awards(play: Play) -> None:
    """What binds is held under a budget, what is awarded is spent, and a warning comes with the award."""
    founded_5(play, "ann", "bob")
    play.by("bank", budget(play.account("ann"), limit_ucr=100, window_ms=24 * 3600 * 1000))
    _, bids = decided(play, {"ann": 80, "bob": 40}, slots=2)
    other = play.by("manager", call()).id
    assert play.by("ann", bid(other, 21)).code is Code.BUDGET_EXCEEDED
    awarded = play.by("manager", c.AwardBid(bids["ann"]))
    assert [w.spent_ucr for w in awarded.of(e.BudgetWarned)] == [80]
    assert play.by("ann", bid(other, 21)).code is Code.BUDGET_EXCEEDED
    assert play.by("ann", bid(other, 20)).code is Code.ACCEPTED


def accounts_refuse(play: Play) -> None:
    """Once, instead of a bid, before the deadline, and not without end."""
    founded_5(play, "ann", "bob", "cat")
    cfp = play.by("manager", call()).id
    assert play.by("ann", c.RefuseCfp(cfp, "no need")).of(e.CfpRefused)
    play.restart()
    assert play.by("ann", c.RefuseCfp(cfp, "no need")).code is Code.OUT_OF_SEQUENCE
    assert play.by("ann", bid(cfp, 20)).code is Code.OUT_OF_SEQUENCE
    placed = play.by("bob", bid(cfp, 20)).id
    assert play.by("bob", c.RefuseCfp(cfp, "")).code is Code.OUT_OF_SEQUENCE
    play.by("bob", c.WithdrawBid(placed))
    assert play.by("bob", c.RefuseCfp(cfp, "")).code is Code.OUT_OF_SEQUENCE
    assert play.by("bob", bid(cfp, 20)).code is Code.ACCEPTED
    for name in ("dan", "eve")[: SMALL["refusals"] - 1]:
        play.open_account(name)
        assert play.by(name, c.RefuseCfp(cfp, "")).code is Code.ACCEPTED
    assert play.by("cat", c.RefuseCfp(cfp, "")).code is Code.LIMIT_REACHED
    play.town.at_ms += 100
    assert play.by("cat", c.RefuseCfp(cfp, "")).code is Code.CFP_CLOSED


def overdue(play: Play) -> bytes:
    """A bid on a CFP whose deadline is over but waits, as more falls due than one record settles."""
    for _ in range(SMALL["due"]):
        play.by("manager", call(open_ms=100))
    cfp = play.by("manager", managed(open_ms=101)).id
    placed = play.by("ann", bid(cfp, 20)).id
    play.town.at_ms += 101
    return placed


def overdue_decisions_wait(play: Play) -> None:
    """More falls due than one record settles: what waits takes no bid and no choice, and can be taken back."""
    founded_5(play, "ann", "bob")
    placed = overdue(play)
    assert play.by("manager", c.AwardBid(placed)).code is Code.CFP_OPEN
    assert play.by("manager", c.AwardBid(placed)).of(e.DecisionOpened)
    _, bids = decided(play, {"ann": 20}, decide_ms=1_000)
    for _ in range(SMALL["due"]):
        play.by("manager", call(open_ms=900))
    play.town.at_ms += 1_000
    assert play.by("manager", c.AwardBid(bids["ann"])).code is Code.CFP_CLOSED
    play.tick()
    assert play.by("ann", c.WithdrawBid(overdue(play))).code is Code.BID_BINDING


def what_waits_can_be_taken_back(play: Play) -> None:
    """A CFP past its deadline that no record has settled yet is its manager's to cancel."""
    founded_5(play, "ann")
    for _ in range(SMALL["due"]):
        play.by("manager", call(open_ms=100))
    cfp = play.by("manager", managed(open_ms=101)).id
    play.by("ann", bid(cfp, 20))
    play.town.at_ms += 101
    back = play.by("manager", c.CancelCfp(cfp))
    assert back.code is Code.ACCEPTED
    assert [closed.outcome for closed in back.of(e.CfpClosed) if closed.cfp == cfp] == [CfpOutcome.CANCELLED]


def older_rules_know_no_such_thing(play: Play) -> None:
    """Version 4 answers UNKNOWN_RULES, and switched to 5 on the way it does it all."""
    play.pairs[BANK.public] = BANK
    play.send(c.OpenMarket(BANK.public, PARTITIONS, 4, True), OPERATOR)
    manager = play.open_account("manager").id
    play.by("bank", c.CreatePool("gpu", manager, 1))
    play.open_account("ann", credits_ucr=100)
    before = play.by("manager", call()).id
    placed = play.by("ann", bid(before, 20)).id
    commands = (managed(), call(decide_ms=5), c.AwardBid(placed), c.RejectBid(placed), c.RefuseCfp(before, ""))
    assert {play.by("manager", command).code for command in commands} == {Code.UNKNOWN_RULES}
    assert play.by("operator", c.ActivateRules(5)).of(e.RulesActivated)
    assert play.by("manager", c.AwardBid(placed)).code is Code.NOT_MANAGED
    assert play.by("manager", managed(pricing=Pricing.SECOND)).code is Code.BAD_PRICING
    assert play.by("manager", managed()).of(e.AwardDeferred)


def busy_managers(play: Play) -> None:
    """Many CFPs of both kinds, with choices, refusals, pauses, cancels and restarts."""
    agents = ("ann", "bob", "cat", "dan")
    founded_5(play, *agents, units=3, credits_ucr=9_000)
    dice = random.Random(5)
    bids: list[bytes] = []
    for _ in range(160):
        terms = {
            "slots": dice.choice([1, 2, 3]),
            "units": dice.choice([1, 1, 2]),
            "duration_ms": dice.choice([100, 400]),
        }
        wanted = managed(**terms, decide_ms=dice.choice([100, 300])) if dice.random() < 0.7 else call(**terms)
        cfp = play.by("manager", wanted).id
        for name in dice.sample(agents, dice.randrange(1, 5)):
            if dice.random() < 0.15:
                play.by(name, c.RefuseCfp(cfp, "busy"))
            bids.append(play.by(name, bid(cfp, dice.randrange(8, 60), dice.choice([0, 0, 100]))).id)
            if dice.random() < 0.1:
                play.by(name, c.WithdrawBid(bids[-1]))
        play.town.at_ms += dice.choice([50, 100, 100])
        play.tick()
        for _ in range(dice.randrange(4)):
            chosen = dice.choice(bids[-8:])
            play.by("manager", c.AwardBid(chosen) if dice.random() < 0.7 else c.RejectBid(chosen))
            play.town.at_ms += dice.choice([0, 0, 40, 120])
        if dice.random() < 0.1:
            play.by("manager", c.CancelCfp(cfp))
        if dice.random() < 0.1:
            play.restart()


DECISION_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    a_manager_takes_its_choice,
    time_runs_out,
    nothing_is_left_to_choose,
    managers_take_cfps_back,
    awards_need_room,
    budgets_see_a_managers_awards,
    accounts_refuse,
    overdue_decisions_wait,
    what_waits_can_be_taken_back,
    older_rules_know_no_such_thing,
    busy_managers,
)
