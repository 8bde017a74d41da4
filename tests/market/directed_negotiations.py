"""Histories of negotiations, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from contractnet.messages import Code, LeaseEnd, NegotiationOutcome
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.cases_negotiations import ALTERNATING, MONOTONIC, WHEN, joined, negotiation
from tests.market.play import SMALL, Play, founded
from tests.market.town import BANK, OPERATOR, PARTITIONS, UNKNOWN_ID, Answer, bid, budget, call

founded_6 = partial(founded, version=6, units=8)
"""A market whose leases can be bargained for."""


def leased(play: Play, holder: str, duration_ms: int = 600_000, delay_ms: int = 0) -> bytes:
    """A lease of one unit."""
    cfp = play.by("manager", call(duration_ms=duration_ms)).id
    lease = play.by(holder, bid(cfp, 20, delay_ms)).id
    play.town.at_ms += 100
    assert play.tick().of(e.AwardMade)
    return lease


def talking(play: Play, holder: str, buyer: str, cap_ucr: int = 200, **terms: object) -> tuple[bytes, bytes]:
    """A negotiation in its first round, and the lease that it is about."""
    lease = leased(play, holder)
    talk = play.by(holder, negotiation(lease, play.account(buyer), **terms)).id
    assert play.by(buyer, joined(talk, cap_ucr)).code is Code.ACCEPTED
    return talk, lease


def offer(play: Play, name: str, talk: bytes, number: int, price_ucr: int, *options: int) -> Answer:
    """An offer of a round."""
    return play.by(name, c.MakeOffer(talk, number, options, price_ucr))


def ends(answer: Answer) -> list[tuple[NegotiationOutcome, int, int]]:
    """How negotiations ended in a record: outcome, rounds, price."""
    return [(x.outcome, x.rounds, x.price_ucr) for x in answer.of(e.NegotiationClosed)]


def a_lease_is_sold_on(play: Play) -> None:
    """Offers open together, prices cross, and in one step the buyer pays the middle and has the rest of the lease,
    under its own secret. It may be sold on again. A restart in every round."""
    founded_6(play, "ann", "bob", "cat")
    talk, lease = talking(play, "ann", "bob")
    assert not offer(play, "ann", talk, 1, 150).of(e.OffersOpened)
    play.restart()
    assert offer(play, "bob", talk, 1, 50).of(e.OffersOpened)
    assert offer(play, "bob", talk, 2, 91).code is Code.ACCEPTED
    play.restart()
    play.town.at_ms += 500
    before = {name: play.town.state.accounts[play.account(name)].balance_ucr for name in ("ann", "bob")}
    last = offer(play, "ann", talk, 2, 80)
    assert ends(last) == [(NegotiationOutcome.DEAL, 2, 85)], "the middle of 80 and 91, rounded down"
    assert [x.reason for x in last.of(e.LeaseEnded)] == [LeaseEnd.RESOLD]
    (reserved,) = last.of(e.SlotReserved)
    assert (reserved.award, reserved.account, reserved.starts_at_ms) == (talk, play.account("bob"), play.town.at_ms)
    assert [(x.captured_ucr, x.released_ucr) for x in last.of(e.HoldCaptured)] == [(85, 115)]
    after = {name: play.town.state.accounts[play.account(name)].balance_ucr for name in ("ann", "bob")}
    assert (after["ann"] - before["ann"], after["bob"] - before["bob"]) == (85, -85)
    assert play.by("ann", c.ReleaseLease(lease)).code is Code.UNKNOWN_LEASE
    assert play.by("ann", c.ReleaseLease(talk)).code is Code.NOT_OWNER
    assert offer(play, "ann", talk, 3, 80).code is Code.NEGOTIATION_CLOSED
    again = play.by("bob", negotiation(talk, play.account("cat"))).id
    play.by("cat", joined(again, 90))
    offer(play, "bob", again, 1, 60)
    assert ends(offer(play, "cat", again, 1, 60)) == [(NegotiationOutcome.DEAL, 1, 60)]
    assert play.by("cat", c.ReleaseLease(again)).code is Code.ACCEPTED


def a_reservation_that_begins_later_is_sold(play: Play) -> None:
    """The buyer has it from its own start on."""
    founded_6(play, "ann", "bob")
    lease = leased(play, "ann", delay_ms=5_000)
    starts_at_ms = play.town.at_ms + 5_000
    talk = play.by("ann", negotiation(lease, play.account("bob"))).id
    play.by("bob", joined(talk, 50))
    offer(play, "bob", talk, 1, 50)
    (reserved,) = offer(play, "ann", talk, 1, 50).of(e.SlotReserved)
    assert reserved.starts_at_ms == starts_at_ms


def nobody_bargains_with_itself(play: Play) -> None:
    """Nor with the bank; and of a negotiation that is not there nothing can be said."""
    founded_6(play, "ann")
    lease = leased(play, "ann")
    for name in ("ann", "bank"):
        assert play.by("ann", negotiation(lease, play.account(name))).code is Code.BAD_COUNTERPART
    assert play.by("ann", joined(UNKNOWN_ID, 200)).code is Code.UNKNOWN_NEGOTIATION


def nothing_is_taken_back(play: Play) -> None:
    """Of the same options no price is worse for the other than before; of others nothing can be said. What a party
    silently stands by counts."""
    founded_6(play, "ann", "bob")
    talk, _ = talking(play, "ann", "bob", issues=(WHEN,), still_rounds_max=2)
    offer(play, "ann", talk, 1, 150, 0)
    offer(play, "bob", talk, 1, 50, 1)
    assert offer(play, "ann", talk, 2, 151, 0).code is Code.NOT_MONOTONIC
    assert offer(play, "bob", talk, 2, 49, 1).code is Code.NOT_MONOTONIC
    assert offer(play, "ann", talk, 2, 190, 1).code is Code.ACCEPTED
    assert offer(play, "bob", talk, 2, 20, 0).of(e.OffersOpened)
    assert offer(play, "ann", talk, 3, 151, 0).code is Code.NOT_MONOTONIC
    play.restart()
    assert offer(play, "ann", talk, 3, 191, 1).code is Code.NOT_MONOTONIC
    assert offer(play, "ann", talk, 3, 150, 0).code is Code.ACCEPTED, "to stand still is no step back"
    play.town.at_ms += 1_000
    assert play.tick().of(e.OffersOpened), "who does not offer stands still"
    assert ends(offer(play, "bob", talk, 4, 190, 1)) == []
    # Ann asked 190 for the second option in round 2, and is bound by it.
    play.town.at_ms += 1_000
    assert ends(play.tick()) == [(NegotiationOutcome.DEAL, 4, 190)]


def both_come_over(play: Play) -> None:
    """Each takes the other's offer in the same round: the holder's is the deal."""
    founded_6(play, "ann", "bob")
    talk, _ = talking(play, "ann", "bob", issues=(WHEN,))
    offer(play, "ann", talk, 1, 150, 0)
    offer(play, "bob", talk, 1, 50, 1)
    offer(play, "ann", talk, 2, 50, 1)
    last = offer(play, "bob", talk, 2, 150, 0)
    assert [(x.options, x.price_ucr) for x in last.of(e.NegotiationClosed)] == [((0,), 150)]


def nobody_concedes(play: Play) -> None:
    """More rounds in a row without a concession than were agreed on are the conflict deal: the hold is free, the lease
    stays, and may be bargained for again."""
    founded_6(play, "ann", "bob")
    talk, lease = talking(play, "ann", "bob")
    assert play.by("ann", negotiation(lease, play.account("bob"))).code is Code.LEASE_IN_NEGOTIATION
    for number, prices in enumerate(((150, 50), (150, 50), (149, 50), (149, 50)), start=1):
        offer(play, "ann", talk, number, prices[0])
        assert ends(offer(play, "bob", talk, number, prices[1])) == []
    play.restart()
    offer(play, "ann", talk, 5, 149)
    last = offer(play, "bob", talk, 5, 50)
    assert ends(last) == [(NegotiationOutcome.STANDSTILL, 5, 0)]
    assert play.town.state.accounts[play.account("bob")].held_ucr == 0
    again = play.by("ann", negotiation(lease, play.account("bob"), still_rounds_max=0)).id
    play.by("bob", joined(again, 200))
    both = [(offer(play, "ann", again, n, 150), offer(play, "bob", again, n, 50)) for n in (1, 2)]
    assert ends(both[-1][1]) == [(NegotiationOutcome.STANDSTILL, 2, 0)]


def time_runs_out(play: Play) -> None:
    """Nobody joins, nobody opens, rounds are used up, a turn is missed; at the last millisecond it is too late."""
    founded_6(play, "ann", "bob")
    lease = leased(play, "ann")
    asked = play.by("ann", negotiation(lease, play.account("bob"))).id
    assert offer(play, "ann", asked, 1, 50).code is Code.OUT_OF_TURN
    play.town.at_ms += 1_000
    assert play.by("bob", joined(asked, 50)).code is Code.NEGOTIATION_CLOSED
    talk, _ = talking(play, "ann", "bob")
    offer(play, "ann", talk, 1, 50)
    play.town.at_ms += 1_000
    assert ends(play.tick()) == [(NegotiationOutcome.EXPIRED, 0, 0)], "an opening offer is missing"
    talk, _ = talking(play, "ann", "bob", rounds_max=2, still_rounds_max=2)
    both = [(offer(play, "ann", talk, n, 150), offer(play, "bob", talk, n, 50)) for n in (1, 2)]
    assert ends(both[-1][1]) == [(NegotiationOutcome.EXPIRED, 2, 0)]
    talk, _ = talking(play, "ann", "bob", protocol=ALTERNATING)
    offer(play, "ann", talk, 1, 150)
    play.town.at_ms += 999
    assert play.tick().of(e.NegotiationClosed) == []
    play.town.at_ms += 1
    assert offer(play, "bob", talk, 2, 50).code is Code.NEGOTIATION_CLOSED
    talk, _ = talking(play, "ann", "bob")
    offer(play, "ann", talk, 1, 150)
    offer(play, "bob", talk, 1, 50)
    play.town.at_ms += 1_000
    assert offer(play, "bob", talk, 2, 60).code is Code.ROUND_OVER, "the round opened without it"


def parties_take_turns(play: Play) -> None:
    """The holder offers in odd rounds, the buyer in even ones; whoever's turn it is may accept instead."""
    founded_6(play, "ann", "bob", "cat")
    talk, _ = talking(play, "ann", "bob", protocol=ALTERNATING, rounds_max=3)
    assert play.by("bob", c.AcceptOffer(talk, 0)).code is Code.OUT_OF_TURN
    assert offer(play, "bob", talk, 1, 50).code is Code.OUT_OF_TURN
    assert offer(play, "ann", talk, 1, 150).code is Code.ACCEPTED
    assert play.by("ann", c.AcceptOffer(talk, 1)).code is Code.OUT_OF_TURN
    assert offer(play, "ann", talk, 1, 140).code is Code.ROUND_OVER
    assert offer(play, "ann", talk, 2, 140).code is Code.OUT_OF_TURN
    play.restart()
    assert offer(play, "bob", talk, 2, 50).code is Code.ACCEPTED
    assert play.by("bob", c.AcceptOffer(talk, 1)).code is Code.ROUND_OVER
    assert play.by("cat", c.AcceptOffer(talk, 2)).code is Code.NOT_A_PARTY
    assert offer(play, "ann", talk, 3, 160).code is Code.ACCEPTED, "offers may go back and forth here"
    assert offer(play, "bob", talk, 4, 60).code is Code.OUT_OF_TURN
    assert ends(play.by("bob", c.AcceptOffer(talk, 3))) == [(NegotiationOutcome.DEAL, 3, 160)]
    talk, _ = talking(play, "ann", "cat", protocol=ALTERNATING, cap_ucr=100)
    offer(play, "ann", talk, 1, 150)
    assert play.by("cat", c.AcceptOffer(talk, 1)).code is Code.ABOVE_CAP
    assert offer(play, "cat", talk, 2, 101).code is Code.ABOVE_CAP
    assert offer(play, "cat", talk, 2, 100).code is Code.ACCEPTED
    assert ends(play.by("ann", c.AcceptOffer(talk, 2))) == [(NegotiationOutcome.DEAL, 2, 100)]


def a_lease_ends_meanwhile(play: Play) -> None:
    """It is given back, or its time is over: there is nothing left to bargain over, and no deal."""
    founded_6(play, "ann", "bob")
    talk, lease = talking(play, "ann", "bob")
    back = play.by("ann", c.ReleaseLease(lease))
    assert ends(back) == [(NegotiationOutcome.LEASE_ENDED, 0, 0)]
    lease = leased(play, "ann", duration_ms=1_500)
    talk = play.by("ann", negotiation(lease, play.account("bob"))).id
    play.by("bob", joined(talk, 100))
    offer(play, "ann", talk, 1, 50)
    offer(play, "bob", talk, 1, 40)
    offer(play, "bob", talk, 2, 50)
    # The round is over before the lease, and both before the clock ticks again.
    play.town.at_ms += 1_600
    assert ends(play.tick()) == [(NegotiationOutcome.LEASE_ENDED, 2, 0)]
    lease = leased(play, "ann", duration_ms=600)
    talk = play.by("ann", negotiation(lease, play.account("bob"))).id
    play.by("bob", joined(talk, 100))
    offer(play, "ann", talk, 1, 50)
    for _ in range(SMALL["due"]):
        play.by("manager", call(open_ms=500))
    play.town.at_ms += 600
    # More falls due than this record settles: the lease is over, and still there.
    assert offer(play, "bob", talk, 1, 50).code is Code.NEGOTIATION_CLOSED
    assert ends(play.tick()) == [(NegotiationOutcome.LEASE_ENDED, 0, 0)]


def overdue_rounds_take_no_offers(play: Play) -> None:
    """More falls due than one record settles: what waits is over all the same."""
    founded_6(play, "ann", "bob")
    talk, _ = talking(play, "ann", "bob")
    offer(play, "ann", talk, 1, 50)
    other = play.by("bob", negotiation(leased(play, "bob"), play.account("ann"))).id
    for _ in range(SMALL["due"]):
        play.by("manager", call(open_ms=100))
    play.town.at_ms += 1_000
    codes = (offer(play, "bob", talk, 1, 50).code, play.by("ann", joined(other, 50)).code)
    assert codes == (Code.ROUND_OVER, Code.NEGOTIATION_CLOSED)


def parties_leave(play: Play) -> None:
    """Either may end it, before it has begun and later; nobody else may."""
    founded_6(play, "ann", "bob", "cat")
    lease, talk = leased(play, "ann"), b""
    for leaver, goes_on in (("bob", False), ("ann", False), ("bob", True), ("ann", True)):
        talk = play.by("ann", negotiation(lease, play.account("bob"))).id
        assert play.by("cat", joined(talk, 50)).code is Code.NOT_A_PARTY
        if goes_on:
            play.by("bob", joined(talk, 50))
        assert play.by("cat", c.LeaveNegotiation(talk)).code is Code.NOT_A_PARTY
        assert ends(play.by(leaver, c.LeaveNegotiation(talk))) == [(NegotiationOutcome.LEFT, 0, 0)]
    assert play.by("cat", c.LeaveNegotiation(talk)).code is Code.NEGOTIATION_CLOSED


def what_a_cap_holds_is_held(play: Play) -> None:
    """It counts for the balance and for budgets, is spent by the deal, and warns."""
    founded_6(play, "ann", "bob")
    play.by("bank", budget(play.account("bob"), limit_ucr=100, window_ms=24 * 3600 * 1000))
    lease = leased(play, "ann")
    talk = play.by("ann", negotiation(lease, play.account("bob"))).id
    assert play.by("bob", joined(talk, 101)).code is Code.BUDGET_EXCEEDED
    assert play.by("bob", joined(talk, 90)).code is Code.ACCEPTED
    other = play.by("manager", call(open_ms=5_000)).id
    assert play.by("bob", bid(other, 11)).code is Code.BUDGET_EXCEEDED
    assert play.by("bob", bid(other, 10)).code is Code.ACCEPTED
    play.restart()
    offer(play, "ann", talk, 1, 85)
    last = offer(play, "bob", talk, 1, 85)
    assert [x.spent_ucr for x in last.of(e.BudgetWarned)] == [85]
    assert play.town.state.accounts[play.account("bob")].held_ucr == 10
    play.open_account("cat", credits_ucr=30)
    talk = play.by("bob", negotiation(talk, play.account("cat"))).id
    assert play.by("cat", joined(talk, 31)).code is Code.INSUFFICIENT_CREDIT


def not_without_end(play: Play) -> None:
    """A holder bargains over a few leases at once, and so does the market."""
    founded_6(play, "ann", "bob", "cat")
    leases = [leased(play, name) for name in ("ann", "ann", "ann", "bob", "bob")]
    codes = [play.by("ann", negotiation(lease, play.account("bob"))).code for lease in leases[:3]]
    assert codes == [Code.ACCEPTED] * SMALL["talks_of_one"] + [Code.LIMIT_REACHED]
    for lease in leases[3:]:
        assert play.by("bob", negotiation(lease, play.account("ann"))).code is Code.ACCEPTED
    play.by("ann", c.ReleaseLease(leases[2]))
    more = leased(play, "cat")
    assert play.by("cat", negotiation(more, play.account("ann"))).code is Code.LIMIT_REACHED


def terms_have_bounds(play: Play) -> None:
    """Issues without a choice, too few rounds, options that no issue has: refused, and all goes on as before."""
    founded_6(play, "ann", "bob")
    talk, _ = talking(play, "ann", "bob", issues=(WHEN,))
    for options in ((), (2,), (-1,), (0, 0)):
        assert offer(play, "ann", talk, 1, 150, *options).code is Code.BAD_OFFER
    assert offer(play, "ann", talk, 1, 150, 1).code is Code.ACCEPTED
    lease = leased(play, "ann")
    for code, odd in ((Code.BAD_ISSUES, {"issues": (WHEN, WHEN)}), (Code.BAD_ROUNDS, {"rounds_max": 0})):
        assert play.by("ann", negotiation(lease, play.account("bob"), **odd)).code is code


def older_rules_do_not_bargain(play: Play) -> None:
    """Version 5 answers UNKNOWN_RULES, and switched to 6 on the way it bargains."""
    play.pairs[BANK.public] = BANK
    play.send(c.OpenMarket(BANK.public, PARTITIONS, 5, True), OPERATOR)
    play.by("bank", c.CreatePool("gpu", play.open_account("manager").id, 1))
    for name in ("ann", "bob"):
        play.open_account(name, credits_ucr=100)
    lease = leased(play, "ann")
    ident = b"\xee" * 16
    commands = (
        negotiation(lease, play.account("bob")),
        joined(ident, 5),
        c.MakeOffer(ident, 1, (), 5),
        c.AcceptOffer(ident, 1),
        c.LeaveNegotiation(ident),
    )
    assert {play.by("ann", command).code for command in commands} == {Code.UNKNOWN_RULES}
    assert play.by("operator", c.ActivateRules(6)).of(e.RulesActivated)
    assert play.by("ann", commands[0]).of(e.NegotiationOpened)


def busy_traders(play: Play) -> None:
    """Many negotiations of both protocols, with offers good and bad, pauses, restarts and leases that end."""
    agents = ("ann", "bob", "cat", "dan")
    founded_6(play, *agents, credits_ucr=9_000)
    dice = random.Random(6)
    for _ in range(120):
        holder, buyer, other = dice.sample(agents, 3)
        held = [i for i, x in play.model.leases.items() if x["account"] == play.account(holder)]
        lease = dice.choice(held) if held else leased(play, holder, dice.choice([700, 4_000]), dice.choice([0, 300]))
        terms: dict[str, Any] = {
            "protocol": dice.choice([MONOTONIC, MONOTONIC, ALTERNATING]),
            "issues": dice.choice([(), (WHEN,)]),
        }
        terms |= {"rounds_max": dice.randrange(2, 8), "still_rounds_max": dice.randrange(3), "round_ms": 400}
        if terms["still_rounds_max"] > terms["rounds_max"]:
            continue
        talk = play.by(holder, negotiation(lease, play.account(buyer), **terms)).id
        if dice.random() < 0.9:
            play.by(buyer, joined(talk, dice.randrange(60, 120)))
        prices = {holder: 110, buyer: 30, other: 50}
        while talk in play.model.talks:
            row = play.model.talks[talk]
            name = dice.choice([holder, buyer, holder, buyer, holder, buyer, other])
            prices[name] += dice.choice([0, 5, 20, 20, -5]) * (-1 if name == holder else 1)
            options = tuple(dice.randrange(count) for count in row["options"])
            number = row["round"] + dice.choice([0] * 8 + [1, -1])
            offer(play, name, talk, number, max(1, prices[name]), *options)
            if dice.random() < 0.2:
                play.by(name, c.AcceptOffer(talk, row["round"] - 1))
            if dice.random() < 0.03:
                play.by(name, c.LeaveNegotiation(talk))
            play.town.at_ms += dice.choice([0, 0, 50, 50, 400])
            if dice.random() < 0.3:
                play.tick()
        if dice.random() < 0.1:
            play.restart()


NEGOTIATION_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    a_lease_is_sold_on,
    a_reservation_that_begins_later_is_sold,
    nobody_bargains_with_itself,
    nothing_is_taken_back,
    both_come_over,
    nobody_concedes,
    time_runs_out,
    parties_take_turns,
    a_lease_ends_meanwhile,
    overdue_rounds_take_no_offers,
    parties_leave,
    what_a_cap_holds_is_held,
    not_without_end,
    terms_have_bounds,
    older_rules_do_not_bargain,
    busy_traders,
)
