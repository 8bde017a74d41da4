"""Histories of managers that buy and of the work they buy, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from contractnet.messages import Awarder, CfpOutcome, Code, LeaseEnd, PostingReason, Pricing, Progress, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.buyers import ask, buying, chosen, done, failed, started
from tests.market.cases_negotiations import negotiation
from tests.market.play import SMALL, Play, founded
from tests.market.town import Answer, bid, budget, call

founded_6 = partial(founded, version=6, units=4)
"""A market in which accounts may buy; the agents have no pools yet."""
founded_7 = partial(founded, version=7, units=4)
"""The same, and they may choose."""


def contractors(play: Play, *names: str, units: int = 2) -> None:
    """Give each of some agents a pool of its name."""
    for name in names:
        assert play.by("bank", c.CreatePool(name, play.account(name), units)).code is Code.ACCEPTED


def asked(play: Play, asks: dict[str, tuple[int, int]], **changes: object) -> dict[str, bytes]:
    """A CFP of ann's that buys, right after its deadline, with asks (price and delay, ms); their ids by name."""
    cfp = play.by("ann", buying(**changes)).id
    ids = {name: play.by(name, ask(cfp, name, *terms)).id for name, terms in asks.items()}
    play.town.at_ms += 100
    play.tick()
    return ids


def payments(answer: Answer) -> list[tuple[PostingReason, int]]:
    """What was posted, and why."""
    return [(posted.reason, posted.amount_ucr) for posted in answer.of(e.CreditsTransferred)]


def work_is_done(play: Play) -> None:
    """The best ask wins at the best loser's terms; the start ends the delay, and what is late is paid less: 59 of 62
    (REFERENCE), one less where the tie at that price would be lost, which no one can know beforehand."""
    founded_6(play, "ann", "bob", "cat")
    contractors(play, "bob", "cat")
    ids = asked(play, {"bob": (60, 0), "cat": (50, 120)})
    assert list(play.model.works) == [ids["bob"]]
    promised = play.town.state.works[ids["bob"]].price_ucr
    assert promised in (61, 62)
    play.town.at_ms += 30
    assert play.by("bob", done(ids["bob"])).code is Code.OUT_OF_SEQUENCE
    (told,) = play.by("bob", started(ids["bob"])).of(e.WorkReported)
    assert (told.progress, told.delay_ms, told.paid_ucr) == (Progress.STARTED, 30, 0)
    play.restart()
    assert play.by("bob", started(ids["bob"])).code is Code.OUT_OF_SEQUENCE
    assert play.by("bob", c.ReleaseLease(ids["bob"])).code is Code.OUT_OF_SEQUENCE
    end = play.by("bob", done(ids["bob"], "sha-256 of a file"))
    assert payments(end) == [(PostingReason.AWARD, promised - 3)]
    assert [ended.reason for ended in end.of(e.LeaseEnded)] == [LeaseEnd.RELEASED]
    assert play.by("bob", done(ids["bob"])).code is Code.UNKNOWN_LEASE


def the_invited_alone_ask(play: Play) -> None:
    """A manager may say who may ask, also after a restart."""
    founded_6(play, "ann", "bob", "cat")
    contractors(play, "bob", "cat")
    opened = play.by("ann", buying(invited=(play.account("bob"),)))
    assert [event.account for event in opened.of(e.AccountInvited)] == [play.account("bob")]
    assert play.by("cat", ask(opened.id, "cat", 20)).code is Code.NOT_INVITED
    play.restart()
    assert play.by("cat", ask(opened.id, "cat", 20)).code is Code.NOT_INVITED
    placed = play.by("bob", ask(opened.id, "bob", 60)).id
    play.town.at_ms += 100
    assert [award.award for award in play.tick().of(e.AwardMade)] == [placed]
    assert play.by("ann", buying(invited=(play.account("ann"),))).code is Code.BAD_INVITATION


def work_is_not_for_sale(play: Play) -> None:
    """Nobody bargains over the units of work, before or after it has started: its escrow pays for them."""
    founded_6(play, "ann", "bob", "cat")
    contractors(play, "bob")
    ids = asked(play, {"bob": (60, 0)})
    assert play.by("bob", negotiation(ids["bob"], play.account("cat"))).code is Code.OUT_OF_SEQUENCE
    assert play.by("bob", started(ids["bob"])).code is Code.ACCEPTED
    assert play.by("bob", negotiation(ids["bob"], play.account("cat"))).code is Code.OUT_OF_SEQUENCE
    assert play.by("bob", done(ids["bob"])).code is Code.ACCEPTED


def work_fails(play: Play) -> None:
    """The bond is the manager's, the escrow is free, and so are the units; before the start as well as after it."""
    founded_6(play, "ann", "bob")
    contractors(play, "bob", units=1)
    for start in (False, True):
        award = asked(play, {"bob": (60, 0)})["bob"]
        if start:
            play.by("bob", started(award))
        assert payments(play.by("bob", failed(award, "no power"))) == [(PostingReason.FORFEIT, 5)]
        assert play.model.accounts[play.account("bob")]["balance"] == 1_000 - 5 * (1 + start)


def work_times_out(play: Play) -> None:
    """Duration and grace after the promised start it is too late, done or not; and nobody else has to say so."""
    founded_6(play, "ann", "bob", "cat")
    contractors(play, "bob", "cat")
    ids = asked(play, {"bob": (60, 50), "cat": (50, 0)}, slots=2)
    play.by("bob", started(ids["bob"]))
    play.town.at_ms += 2_000
    late = play.by("cat", started(ids["cat"]))
    assert late.code is Code.UNKNOWN_LEASE
    assert payments(late) == [(PostingReason.FORFEIT, 5)]
    play.town.at_ms += 49
    assert play.by("cat", done(ids["bob"])).code is Code.NOT_OWNER
    play.town.at_ms += 1
    assert [ended.reason for ended in play.tick().of(e.LeaseEnded)] == [LeaseEnd.EXPIRED]
    assert not play.model.works


def overdue_work_waits(play: Play) -> None:
    """Work that is overdue and not settled yet is too late all the same."""
    founded_6(play, "ann", "bob")
    contractors(play, "bob")
    award = asked(play, {"bob": (60, 0)})["bob"]
    play.by("bob", started(award))
    play.town.at_ms += 1_900
    # Several CFPs that are due first keep the record busy.
    for _ in range(SMALL["due"]):
        play.by("manager", call(open_ms=50))
    play.town.at_ms += 100
    assert play.by("bob", done(award)).code is Code.UNKNOWN_LEASE
    assert award in play.model.works
    play.restart()
    play.tick()
    assert not play.model.works


def late_work_is_paid_less(play: Play) -> None:
    """Down to nothing, and then the contractor still gets its bond; early work is paid what it was promised."""
    founded_6(play, "ann", "bob", "cat")
    contractors(play, "bob")
    for delay_ms, cost, paid in ((10, 100, [(PostingReason.AWARD, 100)]), (999, 999_000, []), (33, 1, [])):
        award = asked(play, {"bob": (60, 20)}, delay_cost_per_s_ucr=cost)["bob"]
        play.town.at_ms += delay_ms
        play.by("bob", started(award))
        end = play.by("bob", done(award))
        assert payments(end) == (paid or [(PostingReason.AWARD, 99)] * (cost == 1))
        assert not play.model.works


def nobody_is_able(play: Play) -> None:
    """Asks that were withdrawn or cannot be locked change nothing; without others, the ceiling is free again."""
    founded_6(play, "ann", "bob", "cat")
    contractors(play, "bob", "cat", units=1)
    first = asked(play, {"bob": (60, 0)}, duration_ms=60_000)
    cfp = play.by("ann", buying()).id
    play.by("bob", ask(cfp, "bob", 1))
    withdrawn = play.by("cat", ask(cfp, "cat", 2)).id
    play.by("cat", c.WithdrawBid(withdrawn))
    play.town.at_ms += 100
    closed = play.tick()
    assert [end.outcome for end in closed.of(e.CfpClosed)] == [CfpOutcome.UNAWARDED]
    assert [no.reason for no in closed.of(e.BidRejected)] == [ReleaseReason.UNLOCKABLE, ReleaseReason.WITHDRAWN]
    assert play.model.held(play.account("ann")) == 100
    play.by("bob", failed(first["bob"]))
    ids = asked(play, {"bob": (60, 0), "cat": (70, 0)}, slots=2, pricing=Pricing.FIRST)
    assert [play.model.works[ids[name]]["price"] for name in ("bob", "cat")] == [60, 70]


def a_purchase_is_taken_back(play: Play) -> None:
    """Before the deadline a cancel frees everybody; afterwards the manager is bound."""
    founded_6(play, "ann", "bob")
    contractors(play, "bob")
    cfp = play.by("ann", buying(slots=2)).id
    play.by("bob", ask(cfp, "bob", 60))
    assert play.by("bob", c.CancelCfp(cfp)).code is Code.NOT_OWNER
    assert [end.outcome for end in play.by("ann", c.CancelCfp(cfp)).of(e.CfpClosed)] == [CfpOutcome.CANCELLED]
    assert (play.model.held(play.account("ann")), play.model.held(play.account("bob"))) == (0, 0)
    cfp = play.by("ann", buying()).id
    play.by("bob", ask(cfp, "bob", 60))
    play.town.at_ms += 100
    assert play.by("ann", c.CancelCfp(cfp)).code is Code.CFP_CLOSED


def budgets_see_purchases(play: Play) -> None:
    """Ceilings and bonds count while they are held, payments and bonds that are lost when they are made; a limit that
    is lowered meanwhile stops no award."""
    founded_6(play, "ann", "bob", credits_ucr=2_000)
    contractors(play, "bob")
    ann, bob = play.account("ann"), play.account("bob")
    play.by("bank", budget(ann, limit_ucr=250, warn_permille=300))
    play.by("bank", budget(bob, limit_ucr=9, warn_permille=500))
    assert play.by("ann", buying(slots=3)).code is Code.BUDGET_EXCEEDED
    cfp = play.by("ann", buying(slots=2)).id
    assert play.by("ann", buying()).code is Code.BUDGET_EXCEEDED
    award = play.by("bob", ask(cfp, "bob", 60)).id
    play.by("bank", budget(ann, limit_ucr=90, warn_permille=300))
    play.town.at_ms += 100
    assert play.tick().of(e.AwardMade)
    play.by("bob", started(award))
    assert [w.spent_ucr for w in play.by("bob", done(award)).of(e.BudgetWarned)] == [100]
    play.by("bank", budget(ann, limit_ucr=900))
    cfp = play.by("ann", buying()).id
    award = play.by("bob", ask(cfp, "bob", 60)).id
    other = play.by("ann", buying()).id
    assert play.by("bob", ask(other, "bob", 60)).code is Code.BUDGET_EXCEEDED
    play.town.at_ms += 100
    play.tick()
    assert [w.spent_ucr for w in play.by("bob", failed(award)).of(e.BudgetWarned)] == [5]


def buyers_choose(play: Play) -> None:
    """The dearer ask may win, at its own price; the ceiling of what is left stays held; work begins at once, and may
    end while its buyer still chooses; the last slot ends the CFP."""
    founded_7(play, "ann", "bob", "cat", "dan")
    contractors(play, "bob", "cat", "dan")
    ann, cfp = play.account("ann"), play.by("ann", chosen(slots=3)).id
    ids = {name: play.by(name, ask(cfp, name, price)).id for name, price in (("bob", 60), ("cat", 50), ("dan", 40))}
    assert play.by("ann", c.AwardBid(ids["bob"])).code is Code.CFP_OPEN
    play.town.at_ms += 100
    play.tick()
    assert play.by("bob", c.WithdrawBid(ids["bob"])).code is Code.BID_BINDING
    assert play.by("dan", c.AwardBid(ids["bob"])).code is Code.NOT_OWNER
    (award,) = play.by("ann", c.AwardBid(ids["bob"])).of(e.AwardMade)
    assert (award.price_ucr, award.slot, play.model.held(ann)) == (60, 0, 260)
    play.restart()
    for again in (c.AwardBid, c.RejectBid):
        assert play.by("ann", again(ids["bob"])).code is Code.UNKNOWN_BID
    assert play.by("bob", c.WithdrawBid(ids["bob"])).code is Code.UNKNOWN_BID
    play.by("bob", started(ids["bob"]))
    assert payments(play.by("bob", done(ids["bob"]))) == [(PostingReason.AWARD, 60)]
    assert play.model.held(ann) == 200
    play.restart()
    rejected = play.by("ann", c.RejectBid(ids["cat"]))
    assert [no.reason for no in rejected.of(e.BidRejected)] == [ReleaseReason.REJECTED]
    assert not rejected.of(e.CfpClosed)
    last = play.by("ann", c.AwardBid(ids["dan"]))
    assert [(end.outcome, end.awards) for end in last.of(e.CfpClosed)] == [(CfpOutcome.AWARDED, 2)]
    assert (play.model.held(ann), list(play.model.works)) == (40, [ids["dan"]])
    assert payments(play.by("dan", failed(ids["dan"]))) == [(PostingReason.FORFEIT, 5)]


def a_buyers_time_runs_out(play: Play) -> None:
    """What it has not given is given to nobody, and the ceiling is free; a choice at the very end is too late. So are
    CFPs without an ask, those that are taken back, and those whose asks were all declined."""
    founded_7(play, "ann", "bob", "cat")
    contractors(play, "bob", "cat")
    for price_ucr, bonds, outcome in ((None, 0, CfpOutcome.UNAWARDED), (60, 5, CfpOutcome.EXPIRED)):
        cfp = play.by("ann", chosen(slots=2, decide_ms=100)).id
        placed = cfp if price_ucr is None else play.by("bob", ask(cfp, "bob", price_ucr)).id
        play.town.at_ms += 100
        play.tick()
        assert play.model.held(play.account("bob")) == bonds
        play.town.at_ms += 100
        late = play.by("ann", c.AwardBid(placed))
        assert late.code is Code.UNKNOWN_BID
        assert [end.outcome for end in late.of(e.CfpClosed)] == [outcome] * (price_ucr is not None)
        assert (play.model.held(play.account("ann")), play.model.held(play.account("bob"))) == (0, 0)
    for end in (c.CancelCfp, c.RejectBid, c.AwardBid):
        cfp = play.by("ann", chosen(slots=2)).id
        asks = [play.by(name, ask(cfp, name, 60)).id for name in ("bob", "cat")]
        play.town.at_ms += 100
        play.tick()
        play.by("ann", c.AwardBid(asks[0]))
        closed = play.by("ann", end(cfp if end is c.CancelCfp else asks[1])).of(e.CfpClosed)
        assert [(x.outcome, x.awards) for x in closed] == [(CfpOutcome.AWARDED, 1 + (end is c.AwardBid))]
        assert play.model.held(play.account("ann")) == 60 * (1 + (end is c.AwardBid))
        for award, work in list(play.model.works.items()):
            play.by(play.model.accounts[work["account"]]["name"], failed(award))


def a_choice_needs_room(play: Play) -> None:
    """A contractor's units may be gone when its ask is chosen: the buyer is told, and chooses again."""
    founded_7(play, "ann", "bob", "cat")
    contractors(play, "bob", "cat", units=1)
    cfp = play.by("ann", chosen(slots=2)).id
    asks = [play.by(name, ask(cfp, name, 60)).id for name in ("bob", "cat")]
    other = asked(play, {"bob": (60, 0)})["bob"]
    assert play.by("ann", c.AwardBid(asks[0])).code is Code.NO_CAPACITY
    assert play.by("ann", c.AwardBid(asks[1])).of(e.SlotReserved)
    play.by("bob", failed(other))
    assert [end.awards for end in play.by("ann", c.AwardBid(asks[0])).of(e.CfpClosed)] == [2]


def budgets_see_a_buyers_choice(play: Play) -> None:
    """The ceiling counts as held until it is given or free, an escrow of what was lowered meanwhile stops nothing."""
    founded_7(play, "ann", "bob")
    contractors(play, "bob")
    play.by("bank", budget(play.account("ann"), limit_ucr=250))
    cfp = play.by("ann", chosen(slots=2)).id
    assert play.by("ann", chosen()).code is Code.BUDGET_EXCEEDED
    placed = play.by("bob", ask(cfp, "bob", 60)).id
    play.town.at_ms += 100
    play.tick()
    play.by("bank", budget(play.account("ann"), limit_ucr=30))
    assert play.by("ann", c.AwardBid(placed)).of(e.AwardMade)
    assert play.model.held(play.account("ann")) == 60


def before_version_7_buyers_do_not_choose(play: Play) -> None:
    """The market awards what is bought; a CFP of version 6 goes on under version 7."""
    founded_6(play, "ann", "bob")
    contractors(play, "bob")
    assert play.by("ann", chosen()).code is Code.UNKNOWN_RULES
    assert play.by("ann", buying(award=Awarder.UNSPECIFIED)).code is Code.UNKNOWN_RULES
    cfp = play.by("ann", buying()).id
    placed = play.by("bob", ask(cfp, "bob", 60)).id
    assert play.by("operator", c.ActivateRules(7)).code is Code.ACCEPTED
    assert play.by("ann", c.AwardBid(placed)).code is Code.NOT_MANAGED
    play.town.at_ms += 100
    assert play.tick().of(e.AwardMade)
    assert play.by("ann", buying(award=Awarder.UNSPECIFIED)).code is Code.UNKNOWN_VALUE
    assert play.by("ann", chosen()).code is Code.ACCEPTED


def older_rules_buy_nothing(play: Play) -> None:
    """Before version 6 a CFP sells, and there are no asks and no work."""
    founded(play, "ann", "bob", version=5, units=4)
    contractors(play, "bob")
    play.by("bank", c.CreatePool("h100", play.account("ann"), 1))
    plain = dict.fromkeys(("bond_ucr", "delay_cost_per_s_ucr", "start_within_ms", "grace_ms"), 0)
    assert play.by("ann", buying(**plain)).code is Code.UNKNOWN_VALUE
    cfp = play.by("manager", call()).id
    assert play.by("manager", call(grace_ms=1)).code is Code.UNKNOWN_RULES
    assert play.by("bob", ask(cfp, "bob", 60)).code is Code.UNKNOWN_RULES
    assert play.by("bob", started(cfp)).code is Code.UNKNOWN_RULES
    assert play.by("operator", c.ActivateRules(6)).code is Code.ACCEPTED
    assert play.by("bob", ask(cfp, "bob", 60)).code is Code.OUT_OF_SEQUENCE
    assert play.by("bob", bid(cfp, 60)).code is Code.ACCEPTED
    assert play.by("ann", buying()).code is Code.ACCEPTED


def busy_buyers(play: Play) -> None:
    """Many asks with weights, delays and leases that crowd each other, and all that may become of the work."""
    names = ("bob", "cat", "dan")
    founded_6(play, "ann", *names, credits_ucr=3_000)
    contractors(play, *names)
    dice = random.Random(4)
    for _ in range(60):
        terms = {
            "units": dice.choice([1, 1, 2]),
            "slots": dice.choice([1, 1, 2]),
            "duration_ms": dice.choice([100, 400]),
        }
        terms |= {"delay_cost_per_s_ucr": dice.choice([0, 7, 100, 333]), "grace_ms": dice.choice([0, 300])}
        pricing = Pricing.FIRST if dice.random() < 0.2 else Pricing.SECOND
        offers = {n: (dice.randrange(20, 101), dice.choice([0, 0, 50, 300])) for n in dice.sample(names, 3)}
        if dice.random() < 0.3:
            play.by("bank", c.SetWeight(play.account(dice.choice(names)), dice.choice([500, 600, 800, 1000])))
        asked(play, offers, pricing=pricing, **terms)
        for award, work in list(play.model.works.items()):
            name = play.model.accounts[work["account"]]["name"]
            report = dice.choice([started, started, started, done, done, failed])
            play.by(name, report(award))
            play.town.at_ms += dice.choice([0, 20, 90])
        if dice.random() < 0.1:
            play.restart()
        for name in ("ann", *names):
            play.by("bank", c.IssueCredits(play.account(name), 50, ""))


PURCHASE_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    work_is_done,
    the_invited_alone_ask,
    work_is_not_for_sale,
    work_fails,
    work_times_out,
    overdue_work_waits,
    late_work_is_paid_less,
    nobody_is_able,
    a_purchase_is_taken_back,
    budgets_see_purchases,
    older_rules_buy_nothing,
    busy_buyers,
    buyers_choose,
    a_buyers_time_runs_out,
    a_choice_needs_room,
    budgets_see_a_buyers_choice,
    before_version_7_buyers_do_not_choose,
)
