"""Histories of resales with an open call, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from contractnet.messages import CfpOutcome, Code, LeaseEnd, NegotiationOutcome, PostingReason, ReleaseReason
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.cases_deposits import RATE
from tests.market.cases_negotiations import ALTERNATING, MONOTONIC, joined, negotiation
from tests.market.cases_resales import claim
from tests.market.directed_negotiations import ends, leased, offer
from tests.market.play import SMALL, Play, founded
from tests.market.town import UNKNOWN_ID, Answer, bid, budget, call, grouped

CALL_MS = 500


def founded_9(play: Play, *agents: str, call_ms: int = CALL_MS, credits_ucr: int = 1_000) -> None:
    """A market whose leases are called for once they are sold."""
    founded(play, *agents, version=9, units=8, credits_ucr=credits_ucr)
    assert play.by("operator", c.SetResaleCall(call_ms)).code is Code.ACCEPTED


def agree(play: Play, lease: bytes, holder: str, buyer: str, price_ucr: int, cap_ucr: int = 200) -> Answer:
    """Both name one price in the first round; the record of the deal, whose negotiation has the call's id."""
    talk = play.by(holder, negotiation(lease, play.account(buyer))).id
    play.by(buyer, joined(talk, cap_ucr))
    offer(play, holder, talk, 1, price_ucr)
    return offer(play, buyer, talk, 1, price_ucr)


def called(answer: Answer) -> bytes:
    """The CFP that a record has opened."""
    (opened,) = answer.of(e.CfpOpened)
    return opened.cfp


def wait(play: Play, step_ms: int = CALL_MS) -> Answer:
    """Time passes."""
    play.town.at_ms += step_ms
    return play.tick()


def money(play: Play, *names: str) -> list[tuple[int, int]]:
    """Balance and held credits of accounts."""
    accounts = play.town.state.accounts
    return [(a.balance_ucr, a.held_ucr) for a in (accounts[play.account(name)] for name in names)]


def nobody_bids_more(play: Play) -> None:
    """The buyer has the lease at the agreed price when the call ends, and nobody has moved anything before."""
    founded_9(play, "ann", "bob")
    lease = leased(play, "ann")
    ends_at_ms = play.town.state.leases[lease].ends_at_ms
    before = money(play, "ann", "bob")
    deal = agree(play, lease, "ann", "bob", 60)
    assert ends(deal) == [(NegotiationOutcome.DEAL, 1, 60)]
    assert [(x.hold, x.amount_ucr) for x in deal.of(e.HoldResized)] == [(called(deal), 60)]
    assert not deal.of(e.SlotReserved)
    assert not deal.of(e.CreditsTransferred)
    (opened,) = deal.of(e.CfpOpened)
    closes_at_ms = play.town.at_ms + CALL_MS
    assert (opened.manager, opened.reserve_price_ucr) == (play.account("ann"), 60)
    assert (opened.closes_at_ms, opened.duration_ms) == (closes_at_ms, ends_at_ms - closes_at_ms)
    play.restart()
    last = wait(play)
    (reserved,) = last.of(e.SlotReserved)
    assert [x.reason for x in last.of(e.LeaseEnded)] == [LeaseEnd.RESOLD]
    assert (reserved.award, reserved.account, reserved.starts_at_ms, reserved.ends_at_ms) == (
        called(deal),
        play.account("bob"),
        closes_at_ms,
        ends_at_ms,
    )
    (paid,) = last.of(e.CreditsTransferred)
    assert (paid.reason, paid.cfp, paid.amount_ucr) == (PostingReason.AWARD, called(deal), 60)
    after = money(play, "ann", "bob")
    assert after == [(before[0][0] + 60, 0), (before[1][0] - 60, 0)]
    assert play.by("bob", c.ReleaseLease(called(deal))).code is Code.ACCEPTED


def a_sham_price_is_outbid(play: Play) -> None:
    """A friend's price of 1 goes to whoever bids most by weight; the second best decides what is paid."""
    founded_9(play, "ann", "bob", "cat", "dan")
    cfp = called(agree(play, leased(play, "ann"), "ann", "bob", 1))
    assert play.by("cat", bid(cfp, 90)).code is Code.ACCEPTED
    assert play.by("dan", bid(cfp, 70)).code is Code.ACCEPTED
    play.restart()
    last = wait(play)
    (award,) = last.of(e.AwardMade)
    assert (award.account, award.price_ucr) == (play.account("cat"), 71), "the tie at 70 is not its own"
    assert {x.reason for x in last.of(e.BidRejected)} == {ReleaseReason.OUTBID}
    (reserved,) = last.of(e.SlotReserved)
    assert (reserved.award, reserved.account) == (award.award, play.account("cat"))
    assert money(play, "bob", "dan") == [(1_000, 0), (1_000, 0)]


def the_buyers_weight_counts(play: Play) -> None:
    """In a call the buyer has its own weight: at half of it, half of its price is enough to take the lease."""
    founded_9(play, "ann", "bob", "cat")
    play.by("bank", c.SetWeight(play.account("bob"), 500))
    cfp = called(agree(play, leased(play, "ann"), "ann", "bob", 60))
    # After the opening: it counts for the next call only.
    play.by("bank", c.SetWeight(play.account("bob"), 1_000))
    play.by("cat", bid(cfp, 60))
    (award,) = wait(play).of(e.AwardMade)
    assert (award.account, award.price_ucr) == (play.account("cat"), 60), "never less than the agreed price"


def a_reservation_that_begins_later_is_called_for(play: Play) -> None:
    """The winner has it from its own start on, and all of it."""
    founded_9(play, "ann", "bob")
    lease = leased(play, "ann", delay_ms=5_000)
    row = play.town.state.leases[lease]
    deal = agree(play, lease, "ann", "bob", 20)
    assert deal.of(e.CfpOpened)[0].duration_ms == row.ends_at_ms - row.starts_at_ms
    (reserved,) = wait(play).of(e.SlotReserved)
    assert (reserved.starts_at_ms, reserved.ends_at_ms) == (row.starts_at_ms, row.ends_at_ms)


def a_deal_binds_both(play: Play) -> None:
    """Neither takes its part back; others do as always. The lease is neither released nor bargained for meanwhile."""
    founded_9(play, "ann", "bob", "cat")
    lease = leased(play, "ann")
    cfp = called(agree(play, lease, "ann", "bob", 20))
    for name, command, code in (
        ("ann", c.CancelCfp(cfp), Code.OUT_OF_SEQUENCE),
        ("bob", c.CancelCfp(cfp), Code.NOT_OWNER),
        ("ann", c.ReleaseLease(lease), Code.OUT_OF_SEQUENCE),
        ("ann", negotiation(lease, play.account("cat")), Code.LEASE_IN_NEGOTIATION),
        ("cat", claim(lease, 50), Code.LEASE_IN_NEGOTIATION),
        ("bob", c.WithdrawBid(cfp), Code.OUT_OF_SEQUENCE),
        ("ann", c.WithdrawBid(cfp), Code.NOT_OWNER),
        ("bob", bid(cfp, 50), Code.ALREADY_BID),
        ("ann", bid(cfp, 50), Code.OWN_CFP),
        ("cat", bid(cfp, 50, 1), Code.BAD_DURATION),
        ("bob", c.RefuseCfp(cfp, ""), Code.OUT_OF_SEQUENCE),
        ("bob", c.LeaveNegotiation(cfp), Code.NEGOTIATION_CLOSED),
        ("ann", c.ReleaseLease(cfp), Code.UNKNOWN_LEASE),
    ):
        assert play.by(name, command).code is code, command
    mine = play.by("cat", bid(cfp, 50)).id
    assert play.by("cat", c.WithdrawBid(mine)).code is Code.ACCEPTED
    assert play.by("cat", c.RefuseCfp(cfp, "")).code is Code.OUT_OF_SEQUENCE
    (award,) = wait(play).of(e.AwardMade)
    assert (award.account, award.price_ucr) == (play.account("bob"), 20)


def a_deal_too_late_is_none(play: Play) -> None:
    """A call that would not end before the lease does is not made, whoever agrees and in whichever protocol."""
    founded_9(play, "ann", "bob")
    lease = leased(play, "ann", duration_ms=CALL_MS)
    assert ends(agree(play, lease, "ann", "bob", 20)) == [(NegotiationOutcome.LEASE_ENDED, 1, 0)]
    talk = play.by("ann", negotiation(lease, play.account("bob"), protocol=ALTERNATING)).id
    play.by("bob", joined(talk, 50))
    offer(play, "ann", talk, 1, 20)
    late = play.by("bob", c.AcceptOffer(talk, 1))
    assert (late.code, ends(late)) == (Code.ACCEPTED, [(NegotiationOutcome.LEASE_ENDED, 1, 0)])
    assert money(play, "bob") == [(1_000, 0)]
    assert wait(play).of(e.LeaseEnded)[0].reason is LeaseEnd.EXPIRED
    assert agree(play, leased(play, "ann", duration_ms=CALL_MS + 1), "ann", "bob", 20).of(e.CfpOpened)


def a_late_clock_gives_nothing(play: Play) -> None:
    """The call is settled only after the lease's end: nobody wins, holds are free, and the lease ends as usual."""
    founded_9(play, "ann", "bob", "cat")
    deal = agree(play, leased(play, "ann", duration_ms=2_000), "ann", "bob", 20)
    play.by("cat", bid(called(deal), 50))
    play.restart()
    late = wait(play, 5_000)
    assert [x.outcome for x in late.of(e.CfpClosed)] == [CfpOutcome.UNAWARDED]
    assert {x.reason for x in late.of(e.BidRejected)} == {ReleaseReason.UNLOCKABLE}
    assert [x.reason for x in late.of(e.LeaseEnded)] == [LeaseEnd.EXPIRED]
    assert money(play, "bob", "cat") == [(1_000, 0), (1_000, 0)]
    # A millisecond before it the winner still has that.
    deal = agree(play, leased(play, "ann", duration_ms=2_000), "ann", "bob", 20)
    end_ms = max(x.ends_at_ms for x in play.town.state.leases.values())
    (reserved,) = wait(play, end_ms - 1 - play.town.at_ms).of(e.SlotReserved)
    assert (reserved.starts_at_ms, reserved.ends_at_ms) == (end_ms - 1, end_ms)


def a_full_pool_is_no_hindrance(play: Play) -> None:
    """What is sold is the lease itself: a pool without a free unit sells it on, and so does one that got smaller."""
    founded(play, "ann", "bob", version=9, units=1)
    play.by("operator", c.SetResaleCall(CALL_MS))
    cfp = called(agree(play, leased(play, "ann"), "ann", "bob", 20))
    assert play.by("manager", c.ResizePool("gpu", 1)).code is Code.ACCEPTED
    (award,) = wait(play).of(e.AwardMade)
    assert award.cfp == cfp


def no_limit_stops_a_deal(play: Play) -> None:
    """Neither open CFPs of the holder nor open bids of the buyer; but a call counts as its negotiation did."""
    founded_9(play, "ann", "bob")
    play.by("bank", c.CreatePool("ann's", play.account("ann"), 8))
    lease, more = leased(play, "ann"), [leased(play, "ann") for _ in range(2)]
    talk = play.by("ann", negotiation(lease, play.account("bob"), round_ms=5_000)).id
    play.by("bob", joined(talk, 50))
    opened = [play.by("ann", call(pool="ann's", open_ms=5_000)).id for _ in range(SMALL["cfps"] + 1)]
    for cfp in opened:
        play.by("bob", bid(cfp, 10))
    more_bids = play.by("manager", call(open_ms=5_000)).id
    play.by("bob", bid(more_bids, 10))
    assert play.by("ann", call(pool="ann's")).code is Code.LIMIT_REACHED
    offer(play, "ann", talk, 1, 20)
    assert offer(play, "bob", talk, 1, 20).of(e.CfpOpened)
    assert play.by("ann", negotiation(more[0], play.account("bob"))).code is Code.ACCEPTED
    assert play.by("ann", negotiation(more[1], play.account("bob"))).code is Code.LIMIT_REACHED
    assert wait(play).of(e.AwardMade)
    assert play.by("ann", negotiation(more[1], play.account("bob"))).code is Code.ACCEPTED


def deposits_and_budgets(play: Play) -> None:
    """A resale has no deposit. The agreed price counts for the buyer's budget, and is spent when the call ends."""
    founded_9(play, "ann", "bob", "cat")
    play.by("bank", c.IssueCredits(play.account("manager"), 1_000, ""))
    play.by("operator", c.SetDeposit(RATE))
    play.by("bank", budget(play.account("bob"), limit_ucr=100, window_ms=24 * 3600 * 1000))
    lease = leased(play, "ann")
    deal = agree(play, lease, "ann", "bob", 85, cap_ucr=95)
    assert not deal.of(e.HoldPlaced)
    other = play.by("manager", call(open_ms=5_000)).id
    assert play.by("bob", bid(other, 16)).code is Code.BUDGET_EXCEEDED
    assert play.by("bob", bid(other, 15)).code is Code.ACCEPTED
    play.restart()
    assert [x.spent_ucr for x in wait(play).of(e.BudgetWarned)] == [85]


def groups_may_bid(play: Play) -> None:
    """A bid of a group on a call: what it wins there it wins nowhere else."""
    founded_9(play, "ann", "bob", "cat")
    cfp = called(agree(play, leased(play, "ann"), "ann", "bob", 20))
    other = play.by("manager", call(open_ms=5_000)).id
    play.by("cat", grouped(cfp, 50))
    play.by("cat", grouped(other, 70))
    assert money(play, "cat")[0][1] == 70
    last = wait(play)
    assert [(x.account, x.price_ucr) for x in last.of(e.AwardMade)] == [(play.account("cat"), 20)]
    assert ReleaseReason.GROUP_WON in {x.reason for x in last.of(e.BidRejected)}
    assert money(play, "cat") == [(980, 0)]


def open_calls_keep_their_time(play: Play) -> None:
    """Another length is for later deals, and none settles them at once. A round may end when the call does."""
    founded_9(play, "ann", "bob", call_ms=1_000)
    first = agree(play, leased(play, "ann"), "ann", "bob", 20)
    assert play.by("operator", c.SetResaleCall(0)).code is Code.ACCEPTED
    second = agree(play, leased(play, "ann"), "ann", "bob", 20)
    assert second.of(e.SlotReserved)
    play.restart()
    assert [x.cfp for x in wait(play, 1_000).of(e.AwardMade)] == [called(first)]
    for code, call_ms in ((Code.BAD_DURATION, 49), (Code.ACCEPTED, 50), (Code.ACCEPTED, 60_000)):
        assert play.by("operator", c.SetResaleCall(call_ms)).code is code
    assert play.by("bank", c.SetResaleCall(0)).code is Code.NOT_PERMITTED


def older_rules_know_no_calls(play: Play) -> None:
    """Before version 9 neither is known."""
    founded(play, "ann", "bob", version=8, units=8)
    lease = leased(play, "ann")
    assert play.by("operator", c.SetResaleCall(CALL_MS)).code is Code.UNKNOWN_RULES
    assert play.by("bob", claim(lease, 20)).code is Code.UNKNOWN_RULES
    talk = play.by("ann", negotiation(lease, play.account("bob"))).id
    assert play.by("operator", c.ActivateRules(9)).code is Code.ACCEPTED
    assert play.by("operator", c.SetResaleCall(CALL_MS)).code is Code.ACCEPTED
    play.by("bob", joined(talk, 20))
    offer(play, "ann", talk, 1, 20)
    assert offer(play, "bob", talk, 1, 20).of(e.CfpOpened)


def busy_resellers(play: Play) -> None:
    """Many deals of both kinds, calls of all lengths with bids of everybody, claims good and bad, pauses, restarts."""
    agents = ("ann", "bob", "cat", "dan")
    founded_9(play, *agents, credits_ucr=20_000)
    dice = random.Random(9)
    for number in range(110):
        if number % 6 == 0:
            play.by("operator", c.SetResaleCall(dice.choice([0, 50, 400, 400, 1_000, 1_000, 5_000])))
        if dice.random() < 0.2:
            play.by("bank", c.SetWeight(play.account(dice.choice(agents)), dice.choice([500, 800, 1_000])))
        holder, buyer, other = dice.sample(agents, 3)
        held = [i for i, x in play.model.leases.items() if x["account"] == play.account(holder)]
        fresh = not held or dice.random() < 0.2
        lease = leased(play, holder, dice.choice([900, 6_000]), dice.choice([0, 300])) if fresh else dice.choice(held)
        terms: dict[str, Any] = {"protocol": dice.choice([MONOTONIC, ALTERNATING]), "round_ms": 400}
        if dice.random() < 0.4:
            talk = play.by(buyer, claim(lease, dice.randrange(60, 120), **terms)).id
            if dice.random() < 0.2:
                play.by(holder, negotiation(lease, play.account(other), **terms))
            play.by(dice.choice([holder, holder, holder, buyer]), joined(talk, dice.choice([0, 0, 0, 5])))
        else:
            talk = play.by(holder, negotiation(lease, play.account(buyer), **terms)).id
            play.by(buyer, joined(talk, dice.randrange(60, 120)))
        price = dice.randrange(20, 70)
        offer(play, holder, talk, 1, price)
        offer(play, buyer, talk, 1, price)
        play.by(buyer, c.AcceptOffer(talk, 1))
        for _ in range(dice.randrange(4)):
            resales = list(play.model.sold_on().values())
            cfp = dice.choice(resales) if resales else UNKNOWN_ID
            name, price_ucr, delay = dice.choice(agents), dice.randrange(15, 140), dice.choice([0, 0, 0, 0, 1])
            placed = play.by(name, grouped(cfp, price_ucr) if price_ucr % 3 == 0 else bid(cfp, price_ucr, delay)).id
            if dice.random() < 0.2:
                play.by(name, c.WithdrawBid(dice.choice([placed, cfp])))
            if dice.random() < 0.2:
                play.by(dice.choice([holder, name]), dice.choice([c.CancelCfp(cfp), c.ReleaseLease(lease)]))
            play.town.at_ms += dice.choice([0, 20, 200])
        if dice.random() < 0.1:
            play.restart()
        wait(play, dice.choice([0, 100, 500, 500, 3_000]))


RESALE_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    nobody_bids_more,
    a_sham_price_is_outbid,
    the_buyers_weight_counts,
    a_reservation_that_begins_later_is_called_for,
    a_deal_binds_both,
    a_deal_too_late_is_none,
    a_late_clock_gives_nothing,
    a_full_pool_is_no_hindrance,
    no_limit_stops_a_deal,
    deposits_and_budgets,
    groups_may_bid,
    open_calls_keep_their_time,
    older_rules_know_no_calls,
    busy_resellers,
)
