"""Histories of deposits of managers that sell, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable

from contractnet.messages import CfpOutcome, Code, PostingReason, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.cases_deposits import RATE
from tests.market.play import Play, founded
from tests.market.town import Answer, bid, budget, call, grouped, managed

OPEN = {"open_ms": 36_000, "reserve_price_ucr": 100}
"""A call that costs its reserve for each slot."""
CHOSEN = {"open_ms": 18_000, "decide_ms": 18_000, "reserve_price_ucr": 100}
"""The same, whose manager has half of that time to choose."""


def depositing(play: Play, *agents: str, rate: int = RATE, units: int = 8) -> None:
    """A market with deposits. cat and dan have budget roots of their own, all others that of the manager."""
    founded(play, *agents, version=8, units=units)
    play.by("bank", c.IssueCredits(play.account("manager"), 1_000, ""))
    assert play.by("operator", c.SetDeposit(rate)).code is Code.ACCEPTED


def wait(play: Play, step_ms: int) -> Answer:
    """Time passes."""
    play.town.at_ms += step_ms
    return play.tick()


def paid(play: Play, answer: Answer) -> dict[str, int]:
    """What deposits have paid in a record, by name."""
    accounts = play.town.state.accounts
    return {
        accounts[posted.credit].name: posted.amount_ucr
        for posted in answer.of(e.CreditsTransferred)
        if posted.reason is PostingReason.DEPOSIT
    }


def held(play: Play) -> int:
    """What the manager holds."""
    return play.town.state.accounts[play.account("manager")].held_ucr


def a_deposit_is_back_when_it_is_served(play: Play) -> None:
    """It is held while the call is open, whatever is bid, and free when the market awards or nobody has bid."""
    depositing(play, "cat", "dan")
    opened = play.by("manager", call(**OPEN, slots=3))
    assert [(h.hold, h.amount_ucr) for h in opened.of(e.HoldPlaced)] == [(opened.id, 300)]
    play.by("cat", bid(opened.id, 100))
    play.by("dan", bid(opened.id, 900))
    assert held(play) == 300
    play.restart()
    ended = wait(play, 36_000)
    assert len(ended.of(e.AwardMade)) == 2
    assert (held(play), paid(play, ended)) == (0, {})
    for end in (0, 1):
        silent = play.by("manager", call(**OPEN))
        assert held(play) == 100
        ended = play.by("manager", c.CancelCfp(silent.id)) if end else wait(play, 36_000)
        assert (held(play), paid(play, ended)) == (0, {})
    outbid = play.by("manager", call(**OPEN)).id
    play.by("cat", bid(outbid, 100))
    play.by("dan", bid(outbid, 101))
    ended = wait(play, 36_000)
    assert [lost.reason for lost in ended.of(e.BidRejected)] == [ReleaseReason.OUTBID]
    assert paid(play, ended) == {}


def a_cancel_pays_by_time(play: Play) -> None:
    """Each bid that stood is paid for the time it was bound. Prices count for nothing, nor do bids that are too low or
    taken back, or of the manager's own budget root."""
    depositing(play, "ann", "cat", "dan")
    for prices in ((100, 900), (900, 100)):
        cfp = play.by("manager", call(**OPEN, slots=2)).id
        play.by("ann", bid(cfp, 500))
        play.by("cat", bid(cfp, prices[0]))
        wait(play, 9_000)
        play.by("dan", bid(cfp, prices[1]))
        play.restart()
        play.town.at_ms += 9_000
        assert paid(play, play.by("manager", c.CancelCfp(cfp))) == {"cat": 50, "dan": 25}
    cfp = play.by("manager", call(**OPEN)).id
    play.by("cat", bid(cfp, 99))
    play.by("dan", c.WithdrawBid(play.by("dan", bid(cfp, 100)).id))
    play.town.at_ms += 9_000
    assert paid(play, play.by("manager", c.CancelCfp(cfp))) == {}
    cfp = play.by("manager", call(**OPEN)).id
    play.by("cat", bid(cfp, 100))
    assert paid(play, play.by("manager", c.CancelCfp(cfp))) == {}


def a_deposit_is_the_most(play: Play) -> None:
    """More bids than slots share what the slots deposit; one that was bound for longer than it was told to gets no more
    than that either."""
    depositing(play, "cat", "dan")
    cfp = play.by("manager", managed(**CHOSEN)).id
    play.by("cat", bid(cfp, 100))
    play.by("dan", bid(cfp, 1_000))
    wait(play, 18_000)
    ended = wait(play, 18_000)
    assert ended.of(e.CfpClosed)[0].outcome is CfpOutcome.EXPIRED
    assert paid(play, ended) == {"cat": 50, "dan": 50}
    cfp = play.by("manager", managed(**CHOSEN, slots=4)).id
    play.by("cat", bid(cfp, 100))
    wait(play, 30_000)
    assert paid(play, wait(play, 18_000)) == {"cat": 100}


def a_rejection_ends_the_time(play: Play) -> None:
    """Whom its manager turns down is paid until then, at the call's end: to reject all is no way out."""
    depositing(play, "cat", "dan")
    cfp = play.by("manager", managed(**CHOSEN)).id
    cat = play.by("cat", bid(cfp, 100)).id
    play.by("dan", bid(cfp, 100))
    wait(play, 18_000)
    play.town.at_ms += 2_000
    rejected = play.by("manager", c.RejectBid(cat))
    assert paid(play, rejected) == {}
    play.restart()
    assert paid(play, wait(play, 16_000)) == {"cat": 100 * 20 // 56, "dan": 100 * 36 // 56}
    cfp = play.by("manager", managed(**CHOSEN)).id
    cat = play.by("cat", bid(cfp, 100)).id
    wait(play, 18_000)
    assert paid(play, play.by("manager", c.RejectBid(cat))) == {"cat": 50}


def an_award_serves(play: Play) -> None:
    """Slots that others have are served, and those that are not cost their part. What the manager gives to its own
    budget root serves nobody else."""
    depositing(play, "ann", "cat", "dan")
    for slots, name, shares in ((1, "cat", {}), (2, "cat", {"dan": 50}), (1, "ann", {"cat": 50, "dan": 50})):
        cfp = play.by("manager", managed(**CHOSEN, slots=slots)).id
        bids = {who: play.by(who, bid(cfp, 100)).id for who in ("ann", "cat", "dan")}
        wait(play, 18_000)
        answers = [play.by("manager", c.AwardBid(bids[name]))]
        if cfp in play.town.state.cfps:
            play.restart()
            answers.append(play.by("manager", c.CancelCfp(cfp)))
        assert paid(play, answers[-1]) == shares
        assert held(play) == 0


def units_that_go_elsewhere(play: Play) -> None:
    """A call that the market awards is served as far as there is room: a manager that takes the units away, or sells
    them twice, pays those for whom there are none left."""
    depositing(play, "cat", "dan")
    cfp = play.by("manager", call(**OPEN, units=8)).id
    play.by("cat", bid(cfp, 100))
    play.by("manager", c.ResizePool("gpu", 7))
    ended = wait(play, 36_000)
    assert [lost.reason for lost in ended.of(e.BidRejected)] == [ReleaseReason.UNLOCKABLE]
    assert paid(play, ended) == {"cat": 100}
    play.by("manager", c.ResizePool("gpu", 1))
    twice = [play.by("manager", call(**OPEN, duration_ms=60_000)).id for _ in range(2)]
    play.by("cat", bid(twice[0], 100))
    play.by("dan", bid(twice[1], 100))
    shares = [paid(play, wait(play, 36_000)), paid(play, play.tick())]
    assert sorted(map(len, shares)) == [0, 1]
    assert [*shares[0].values(), *shares[1].values()] == [100]


def what_has_no_room_is_no_bid(play: Play) -> None:
    """A call with a deposit takes no bid that its pool has no room for, from the deadline on."""
    depositing(play, "cat", "dan", units=1)
    taken = play.by("manager", call(duration_ms=60_000)).id
    play.by("cat", bid(taken, 10))
    wait(play, 100)
    cfp = play.by("manager", call(**OPEN)).id
    assert play.by("dan", bid(cfp, 100, 23_999)).code is Code.NO_CAPACITY
    assert play.by("dan", bid(cfp, 100, 24_000)).code is Code.ACCEPTED
    assert play.by("cat", grouped(cfp, 100)).code is Code.NO_CAPACITY
    assert len(wait(play, 36_000).of(e.AwardMade)) == 1


def who_has_no_deposit_does_not_call(play: Play) -> None:
    """Credits and budgets have to be there; what a deposit pays counts for no budget, and what it holds can go nowhere
    else meanwhile. Buyers and the bank deposit nothing."""
    depositing(play, "ann", "cat")
    assert play.by("manager", call(**OPEN, slots=11)).code is Code.INSUFFICIENT_CREDIT
    assert play.by("manager", call(open_ms=36_000, reserve_price_ucr=10**15, slots=2)).code in (
        Code.INSUFFICIENT_CREDIT,
        Code.BAD_AMOUNT,
    )
    play.by("bank", budget(play.account("manager"), limit_ucr=150))
    assert play.by("manager", call(**OPEN, slots=2)).code is Code.BUDGET_EXCEEDED
    cfp = play.by("manager", call(**OPEN)).id
    assert play.by("manager", call(**OPEN)).code is Code.BUDGET_EXCEEDED
    transfer = c.TransferCredits(play.account("manager"), play.account("ann"), 901, "")
    assert play.by("bank", transfer).code is Code.INSUFFICIENT_CREDIT
    play.by("cat", bid(cfp, 100))
    wait(play, 18_000)
    assert paid(play, play.by("manager", c.CancelCfp(cfp))) == {"cat": 50}
    (scope,) = play.town.state.budgets.values()
    assert (scope.spent_ucr, scope.held_ucr) == (0, 0)
    play.by("bank", c.CreatePool("bank's", play.model.bank, 1))
    assert not play.by("bank", call(**OPEN, pool="bank's")).of(e.HoldPlaced)


def open_calls_keep_their_deposit(play: Play) -> None:
    """Another rate is for calls that open later, and so is none."""
    depositing(play, "cat")
    cfps = []
    for rate, amount in ((RATE, 100), (1, 1), (0, 0), (RATE // 2, 50)):
        assert play.by("operator", c.SetDeposit(rate)).code is Code.ACCEPTED
        before = held(play)
        cfps.append(play.by("manager", call(**OPEN)).id)
        assert held(play) - before == amount
    for cfp in cfps:
        play.by("cat", bid(cfp, 100))
    play.restart()
    play.town.at_ms += 35_999
    shares = [paid(play, play.by("manager", c.CancelCfp(cfp))) for cfp in cfps]
    assert shares == [{"cat": 99}, {}, {}, {"cat": 49}]


def older_rules_know_no_deposit(play: Play) -> None:
    """Before version 8 it is unknown; calls that are open when it comes have none."""
    founded(play, "cat", version=7)
    assert play.by("operator", c.SetDeposit(RATE)).code is Code.UNKNOWN_RULES
    cfp = play.by("manager", call(**OPEN)).id
    play.by("cat", bid(cfp, 100))
    assert play.by("operator", c.ActivateRules(8)).code is Code.ACCEPTED
    assert play.by("operator", c.SetDeposit(RATE)).code is Code.ACCEPTED
    play.town.at_ms += 18_000
    assert paid(play, play.by("manager", c.CancelCfp(cfp))) == {}


def crowded_deposits(play: Play) -> None:
    """Calls of both kinds with bids of all roots, alone and in groups, that end in every way; rates that change, pools
    that shrink."""
    depositing(play, "ann", "bob", "cat", "dan", units=3)
    dice = random.Random(6)
    agents = ("ann", "bob", "cat", "dan")
    for number in range(90):
        play.by("bank", c.IssueCredits(play.account("manager"), 300, ""))
        if number % 9 == 0:
            play.by("operator", c.SetDeposit(dice.choice([RATE, RATE, 7, 333_333, 0])))
        terms = {
            "slots": dice.randrange(1, 4),
            "units": dice.randrange(1, 3),
            "duration_ms": dice.choice([100, 20_000]),
        }
        terms |= {"reserve_price_ucr": dice.choice([10, 33]), "open_ms": dice.choice([5_000, 9_000])}
        made = [managed(**terms, decide_ms=dice.choice([5_000, 30_000])), call(**terms), call(**terms)]
        cfps = [play.by("manager", command).id for command in dice.sample(made, 2)]
        bids: list[tuple[str, bytes]] = []
        for name in dice.sample(agents, dice.randrange(1, 5)):
            play.town.at_ms += dice.choice([0, 100, 1_234])
            for cfp in cfps:
                price, delay = dice.randrange(8, 70), dice.choice([0, 0, 0, 4_000])
                command = grouped(cfp, price, 1, bytes([number] * 16), delay) if price % 2 else bid(cfp, price, delay)
                bids.append((name, play.by(name, command).id))
        if dice.random() < 0.2:
            name, ident = dice.choice(bids)
            play.by(name, c.WithdrawBid(ident))
        if dice.random() < 0.2:
            play.by("manager", c.ResizePool("gpu", dice.choice([1, 2, 3])))
        if dice.random() < 0.2:
            play.by("manager", c.CancelCfp(dice.choice(cfps)))
        wait(play, 9_000)
        for _, ident in dice.sample(bids, dice.randrange(len(bids) + 1)):
            play.by("manager", c.AwardBid(ident) if dice.random() < 0.3 else c.RejectBid(ident))
            play.town.at_ms += dice.choice([0, 70, 900])
        if dice.random() < 0.1:
            play.restart()
        wait(play, dice.choice([0, 5_000, 40_000]))


DEPOSIT_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    a_deposit_is_back_when_it_is_served,
    a_cancel_pays_by_time,
    a_deposit_is_the_most,
    a_rejection_ends_the_time,
    an_award_serves,
    units_that_go_elsewhere,
    what_has_no_room_is_no_bid,
    who_has_no_deposit_does_not_call,
    open_calls_keep_their_deposit,
    older_rules_know_no_deposit,
    crowded_deposits,
)
