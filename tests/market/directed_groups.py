"""Histories of bids in groups, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from contractnet.messages import CfpOutcome, Code, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.play import SMALL, Play, founded
from tests.market.town import Answer, bid, budget, call, grouped, managed

founded_6 = partial(founded, version=6, units=4)
"""A market whose bids may have groups."""
OTHER = b"\xbb" * 16


def open_to(play: Play, *closes_ms: int) -> list[bytes]:
    """CFPs that the market awards, open for so long each."""
    return [play.by("manager", call(open_ms=ms)).id for ms in closes_ms]


def held(play: Play, name: str) -> int:
    """What an account holds."""
    return play.town.state.accounts[play.account(name)].held_ucr


def dropped(answer: Answer) -> list[bytes]:
    """The bids that their groups dropped in a record."""
    return [x.bid for x in answer.of(e.BidRejected) if x.reason is ReleaseReason.GROUP_WON]


def resized(answer: Answer) -> list[tuple[bytes, int]]:
    """The holds that a record resized, in order."""
    return [(x.hold, x.amount_ucr) for x in answer.of(e.HoldResized)]


def one_of_three_wins(play: Play) -> None:
    """Three bids of 60, 80 and 70 hold 80; the first to win pays and drops the others, which may be placed anew."""
    founded_6(play, "ann", credits_ucr=100)
    first, second, third = open_to(play, 100, 200, 300)
    low = play.by("ann", grouped(first, 60)).id
    raised = play.by("ann", grouped(second, 80))
    assert (resized(raised), held(play, "ann")) == ([(low, 0)], 80)
    last = play.by("ann", grouped(third, 70))
    assert (resized(last), [x.amount_ucr for x in last.of(e.HoldPlaced)], held(play, "ann")) == ([], [0], 80)
    assert play.by("ann", bid(third, 5)).code is Code.ALREADY_BID
    assert play.by("ann", bid(play.by("manager", call()).id, 21)).code is Code.INSUFFICIENT_CREDIT
    play.restart()
    play.town.at_ms += 100
    won = play.tick()
    assert resized(won) == [(raised.id, 0), (low, 60)]
    assert (dropped(won), held(play, "ann")) == ([raised.id, last.id], 0)
    assert play.by("ann", c.WithdrawBid(last.id)).code is Code.UNKNOWN_BID
    assert play.by("ann", grouped(third, 20)).code is Code.GROUP_WON
    assert play.by("ann", c.RefuseCfp(third, "")).code is Code.OUT_OF_SEQUENCE
    again = play.by("ann", bid(third, 20)).id
    play.restart()
    play.town.at_ms += 200
    assert [a.award for a in play.tick().of(e.AwardMade)] == [again]


def two_of_four_win(play: Play) -> None:
    """The hold is that of the two highest; after a loss the next holds, and after one win only one more does."""
    founded_6(play, "ann", "bob", credits_ucr=200)
    cfps = open_to(play, 100, 200, 300, 400)
    bids = [play.by("ann", grouped(cfp, price, 2)).id for cfp, price in zip(cfps, (50, 40, 40, 30), strict=True)]
    assert held(play, "ann") == 90
    play.by("bob", bid(cfps[0], 60))
    play.town.at_ms += 100
    lost = play.tick()
    assert (resized(lost), held(play, "ann")) == ([(bids[2], 40)], 80)
    play.town.at_ms += 100
    assert (dropped(play.tick()), held(play, "ann")) == ([], 40)
    play.restart()
    assert play.by("ann", grouped(play.by("manager", call()).id, 30, 3)).code is Code.GROUP_DIFFERS
    play.town.at_ms += 100
    assert dropped(play.tick()) == [bids[3]]


def a_withdrawn_bid_keeps_its_place(play: Play) -> None:
    """Until its CFP ends it counts among the highest: who takes it back frees nothing, as without a group."""
    founded_6(play, "ann", credits_ucr=100)
    short, long = open_to(play, 100, 200)
    high = play.by("ann", grouped(long, 60)).id
    play.by("ann", grouped(short, 50))
    play.by("ann", c.WithdrawBid(high))
    assert held(play, "ann") == 60
    # The same CFP again: withdrawn and live bids of one group, on one CFP.
    play.by("ann", grouped(long, 70))
    assert held(play, "ann") == 70
    play.town.at_ms += 100
    play.tick()
    assert held(play, "ann") == 0
    play.town.at_ms += 100
    ended = play.tick()
    assert [x.reason for x in ended.of(e.BidRejected)] == [ReleaseReason.WITHDRAWN]
    # Without a win the group is forgotten with its last bid, and another number may begin it.
    cfp = play.by("manager", call()).id
    play.by("ann", c.WithdrawBid(play.by("ann", grouped(cfp, 30, group=OTHER)).id))
    play.town.at_ms += 100
    play.tick()
    assert play.by("ann", grouped(play.by("manager", call()).id, 30, 2, OTHER)).code is Code.ACCEPTED


def several_bids_end_at_once(play: Play) -> None:
    """Bids of one group that a close settles together: the highest withdrawn, the next withdrawn, the last wins."""
    founded_6(play, "ann", credits_ucr=100)
    cfp, other = open_to(play, 100, 300)
    for price in (60, 50):
        play.by("ann", c.WithdrawBid(play.by("ann", grouped(cfp, price, 2)).id))
    play.by("ann", grouped(cfp, 40, 2))
    left = play.by("ann", grouped(other, 30, 2))
    assert play.by("ann", grouped(other, 30, 2)).code is Code.ALREADY_BID
    assert held(play, "ann") == 100 == 60 + 40
    play.town.at_ms += 100
    ended = play.tick()
    assert [a.price_ucr for a in ended.of(e.AwardMade)] == [10]
    assert (held(play, "ann"), resized(ended)[-1]) == (30, (left.id, 30))


def a_group_over_managers_choices(play: Play) -> None:
    """An award drops a bid that another manager's CFP waits for, which ends; and one that is still sealed."""
    founded_6(play, "ann", "bob", credits_ucr=100)
    chosen, waiting, both = (play.by("manager", managed()).id for _ in range(3))
    later = play.by("manager", call(open_ms=500)).id
    bids = [play.by("ann", grouped(cfp, price)).id for cfp, price in ((chosen, 20), (waiting, 40), (both, 30))]
    play.by("bob", bid(both, 25))
    play.by("bob", bid(waiting, 5))
    sealed = play.by("ann", grouped(later, 35)).id
    play.town.at_ms += 100
    play.tick()
    won = play.by("manager", c.AwardBid(bids[0]))
    assert dropped(won) == [bids[1], sealed, bids[2]]
    assert [x.cfp for x in won.of(e.CfpClosed)] == [chosen]
    play.restart()
    ended = play.by("manager", c.AwardBid(bids[1]))
    assert ended.code is Code.UNKNOWN_BID
    (closed,) = ended.of(e.CfpClosed)
    assert (closed.cfp, closed.outcome, closed.bids) == (waiting, CfpOutcome.UNAWARDED, 1)
    assert play.by("manager", c.RejectBid(bids[2])).code is Code.UNKNOWN_BID
    play.town.at_ms += 1_000
    assert [x.outcome for x in play.tick().of(e.CfpClosed)] == [CfpOutcome.UNAWARDED, CfpOutcome.EXPIRED]


def two_calls_end_at_one_instant(play: Play) -> None:
    """The first of them, by its id, takes the bid: on the other it is not there any more, and changes no price."""
    founded_6(play, "ann", "bob", "cat", credits_ucr=100)
    cfps = sorted(open_to(play, 100, 100))
    for cfp in cfps:
        play.by("ann", grouped(cfp, 90))
        play.by("bob", bid(cfp, 50))
        play.by("cat", bid(cfp, 20))
    play.town.at_ms += 100
    ended = play.tick()
    won = [(a.cfp, a.bid_price_ucr) for a in ended.of(e.AwardMade)]
    assert won == [(cfps[0], 90), (cfps[1], 50)]
    # A tie may cost one more.
    assert [a.price_ucr // 10 for a in ended.of(e.AwardMade)] == [5, 2]


def groups_are_bounded(play: Play) -> None:
    """Terms, the number of open bids, other accounts' groups of the same id, and what is remembered of ended ones."""
    founded_6(play, "ann", "bob", credits_ucr=5_000)
    cfps = open_to(play, *[5_000] * SMALL["cfps"])
    for wins_max in (-1, 0, SMALL["bids_per_group"] + 1):
        assert play.by("ann", grouped(cfps[0], 20, wins_max)).code is Code.BAD_GROUP
    assert play.by("ann", c.PlaceBid(cfps[0], 20, 0, "", bytes(32), None, None, 2)).code is Code.BAD_GROUP
    for cfp in cfps:
        assert play.by("ann", grouped(cfp, 20, 2)).code is Code.ACCEPTED
    play.by("ann", c.WithdrawBid(play.town.state.cfps[cfps[0]].bidders[play.account("ann")]))
    assert play.by("ann", grouped(cfps[0], 20, 2)).code is Code.LIMIT_REACHED
    assert play.by("bob", grouped(cfps[0], 20, 1)).code is Code.ACCEPTED
    play.town.at_ms += 5_000
    play.tick()
    play.tick()
    groups = [bytes([number]) * 16 for number in range(SMALL["groups"] + 1)]
    for group in groups:
        play.by("bob", grouped(play.by("manager", call(open_ms=50)).id, 20, 1, group))
        play.town.at_ms += 1_050
        play.tick()
    cfp = play.by("manager", call(open_ms=50)).id
    assert [play.by("bob", grouped(cfp, 20, 1, group)).code for group in reversed(groups)] == [
        *[Code.GROUP_WON] * SMALL["groups"],
        Code.ACCEPTED,
    ]


def budgets_count_what_is_held(play: Play) -> None:
    """A budget of 100 has room for a group of three bids of 90, of which one wins, and not for more."""
    founded_6(play, "ann", "bob", credits_ucr=5_000)
    play.by("bank", budget(play.account("ann"), limit_ucr=100))
    cfps = open_to(play, 100, 200, 300)
    for cfp in cfps:
        assert play.by("ann", grouped(cfp, 90)).code is Code.ACCEPTED
    assert play.by("ann", grouped(cfps[0], 11, group=OTHER)).code is Code.ALREADY_BID
    more = play.by("manager", call()).id
    assert play.by("ann", bid(more, 11)).code is Code.BUDGET_EXCEEDED
    assert play.by("ann", grouped(more, 101)).code is Code.BUDGET_EXCEEDED
    assert play.by("ann", grouped(more, 100)).code is Code.ACCEPTED
    play.town.at_ms += 100
    play.tick()
    play.tick()


def older_rules_have_no_groups(play: Play) -> None:
    """Version 5 answers UNKNOWN_RULES, and version 6 takes the bid of a group."""
    founded(play, "ann", version=5)
    cfp = play.by("manager", call(open_ms=500)).id
    assert play.by("ann", grouped(cfp, 20)).code is Code.UNKNOWN_RULES
    assert play.by("ann", c.PlaceBid(cfp, 20, 0, "", bytes(32), None, None, 1)).code is Code.UNKNOWN_RULES
    assert play.by("operator", c.ActivateRules(6)).code is Code.ACCEPTED
    assert play.by("ann", grouped(cfp, 20)).of(e.BidGrouped)


def busy_groups(play: Play) -> None:
    """Rounds of three CFPs of both kinds on which everybody bids in a group or alone, with withdrawals, choices,
    cancels and restarts."""
    agents = ("ann", "bob", "cat")
    founded_6(play, *agents, units=3, credits_ucr=300)
    dice = random.Random(6)
    for number in range(60):
        cfps: list[bytes] = []
        for _ in range(3):
            terms = {"slots": dice.choice([1, 2]), "duration_ms": dice.choice([100, 400])}
            terms["open_ms"] = dice.choice([100, 100, 150, 200])
            wanted = managed(**terms, decide_ms=dice.choice([100, 300])) if dice.random() < 0.5 else call(**terms)
            cfps.append(play.by("manager", wanted).id)
        bids: list[bytes] = []
        for name in agents:
            group, wins_max, alone = bytes([number // 2]) * 16, dice.choice([1, 1, 2]), dice.random() < 0.2
            for cfp in dice.sample(cfps, dice.choice([1, 2, 3, 3])):
                price = dice.choice([20, 30, dice.randrange(8, 60)])
                bids.append(play.by(name, bid(cfp, price) if alone else grouped(cfp, price, wins_max, group)).id)
                if dice.random() < 0.15:
                    play.by(name, c.WithdrawBid(bids[-1]))
                    bids.append(play.by(name, grouped(cfp, price - 2, wins_max, group)).id)
        if dice.random() < 0.1:
            play.by("manager", c.CancelCfp(cfps[-1]))
        for _ in range(4):
            play.town.at_ms += dice.choice([50, 100])
            play.tick()
            for chosen in dice.sample(bids, min(3, len(bids))):
                play.by("manager", c.AwardBid(chosen) if dice.random() < 0.7 else c.RejectBid(chosen))
            if dice.random() < 0.1:
                play.restart()
        play.town.at_ms += 400
        play.tick()
        for name in agents:
            play.by("bank", c.IssueCredits(play.account(name), 20, ""))


GROUP_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    one_of_three_wins,
    two_of_four_win,
    a_withdrawn_bid_keeps_its_place,
    several_bids_end_at_once,
    a_group_over_managers_choices,
    two_calls_end_at_one_instant,
    groups_are_bounded,
    budgets_count_what_is_held,
    older_rules_have_no_groups,
    busy_groups,
)
