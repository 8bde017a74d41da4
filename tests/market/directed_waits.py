"""Histories of claims that wait in vain, floors under deposits, and bonds, played against the model as well."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from contractnet.messages import Code, NegotiationOutcome
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.buyers import ask, buying
from tests.market.cases_deposits import RATE
from tests.market.cases_negotiations import joined, negotiation
from tests.market.cases_resales import claim
from tests.market.directed_deposits import held, paid, wait
from tests.market.directed_negotiations import ends, leased, offer
from tests.market.directed_purchases import contractors
from tests.market.directed_roots import OTHER, with_another_root
from tests.market.play import SMALL, Play, founded
from tests.market.town import Answer, bid, call

founded_10 = partial(founded, version=10, units=8)
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
WAIT_MS = 5 * MINUTE_MS
LONG: dict[str, Any] = {"rounds_max": 1, "still_rounds_max": 0, "round_ms": 12 * HOUR_MS}
"""The longest that a claimant may name."""


def later(play: Play, step_ms: int) -> Answer:
    """Time passes, as fast as a market's clock goes."""
    while step_ms > MINUTE_MS:
        wait(play, MINUTE_MS)
        step_ms -= MINUTE_MS
    return wait(play, step_ms)


def a_claim_waits_for_minutes(play: Play) -> None:
    """Whatever its rounds take: the holder joins in the last millisecond and then has a whole round, or it is over.
    Shorter rounds are the time to join as well."""
    founded_10(play, "ann", "cat")
    for name, until_ms in (("joins", WAIT_MS), ("is late", WAIT_MS), ("is short", 1_000)):
        lease = leased(play, "ann", duration_ms=2 * HOUR_MS)
        talk = play.by("cat", claim(lease, 100, **(LONG if until_ms == WAIT_MS else {}))).id
        assert play.town.state.negotiations[talk].until_ms == play.town.at_ms + until_ms
        later(play, until_ms - 2)
        play.restart()
        if name == "joins":
            play.town.at_ms += 1
            assert play.by("ann", joined(talk, 0)).code is Code.ACCEPTED
            assert play.town.state.negotiations[talk].until_ms == play.town.at_ms + 12 * HOUR_MS
            play.by("ann", c.LeaveNegotiation(talk))
        else:
            play.town.at_ms += 2
            late = play.by("ann", joined(talk, 0))
            assert (late.code, ends(late)) == (Code.NEGOTIATION_CLOSED, [(NegotiationOutcome.EXPIRED, 0, 0)])
        play.by("ann", c.ReleaseLease(lease))


def a_holder_joins_at_once(play: Play) -> None:
    """In the very millisecond of the claim: its round ends when it would have, had the claim waited for that long, and
    a snapshot right after the claim knows that as well."""
    founded_10(play, "ann", "cat")
    for restarts in (0, 1):
        lease = leased(play, "ann", duration_ms=2 * HOUR_MS)
        talk = play.by("cat", claim(lease, 100, rounds_max=3, round_ms=WAIT_MS + MINUTE_MS)).id
        if restarts:
            play.restart()
        assert play.by("ann", joined(talk, 0)).code is Code.ACCEPTED
        play.restart()
        assert not ends(later(play, WAIT_MS))
        assert ends(later(play, MINUTE_MS)) == [(NegotiationOutcome.EXPIRED, 0, 0)]


def a_root_claims_once_an_hour(play: Play) -> None:
    """Who was not joined makes room in the very instant that its time is over, waits an hour, and its siblings with it;
    others do not. A restart forgets none of it."""
    founded_10(play, "ann", "bob", "eve", "cat", credits_ucr=10_000)
    lease = leased(play, "ann", duration_ms=4 * HOUR_MS)
    play.by("bob", claim(lease, 1, **LONG))
    later(play, WAIT_MS - 1)
    assert play.by("cat", claim(lease, 100)).code is Code.LEASE_IN_NEGOTIATION
    play.town.at_ms += 1
    over_ms = play.town.at_ms
    refused = play.by("bob", claim(lease, 1, **LONG))
    assert (refused.code, ends(refused)) == (Code.LIMIT_REACHED, [(NegotiationOutcome.EXPIRED, 0, 0)])
    assert play.by("cat", claim(lease, 100)).code is Code.ACCEPTED
    play.restart()
    wait(play, 1_000)
    assert play.by("eve", claim(lease, 500)).code is Code.LIMIT_REACHED
    assert play.by("cat", claim(lease, 100)).code is Code.LIMIT_REACHED
    later(play, over_ms + HOUR_MS - play.town.at_ms - 1)
    play.restart()
    assert play.by("eve", claim(lease, 500)).code is Code.LIMIT_REACHED
    play.town.at_ms += 1
    assert play.by("eve", claim(lease, 500)).code is Code.ACCEPTED
    assert play.by("cat", claim(leased(play, "ann"), 100)).code is Code.ACCEPTED, "another lease is another's"


def however_it_ends(play: Play) -> None:
    """A claim that the holder has not joined counts, whoever ended it: else one would leave a moment before its time
    is over. Where the holder joined, or asked somebody of that root itself, it was answered."""
    founded_10(play, "ann", "bob", "eve", "cat", "dan", credits_ucr=10_000)

    def again(end: Callable[[bytes, bytes], object]) -> Code:
        lease = leased(play, "ann")
        talk = play.by("bob", claim(lease, 50)).id
        play.town.at_ms += 10
        end(lease, talk)
        for open_talk in list(play.town.state.negotiations):
            play.by("ann", c.LeaveNegotiation(open_talk))
        play.restart()
        code = play.by("bob", claim(lease, 50)).code
        play.by("ann", c.ReleaseLease(lease))
        return code

    def asks(name: str) -> Callable[[bytes, bytes], object]:
        return lambda lease, _: play.by("ann", negotiation(lease, play.account(name)))

    def later_asks(lease: bytes, talk: bytes) -> None:
        play.by("ann", c.LeaveNegotiation(talk))
        asks("eve")(lease, talk)

    assert again(lambda *_: wait(play, 990)) is Code.LIMIT_REACHED
    assert again(lambda _, talk: play.by("ann", c.LeaveNegotiation(talk))) is Code.LIMIT_REACHED
    assert again(lambda _, talk: play.by("bob", c.LeaveNegotiation(talk))) is Code.LIMIT_REACHED
    assert again(asks("cat")) is Code.LIMIT_REACHED
    assert again(asks("bob")) is Code.ACCEPTED
    assert again(asks("eve")) is Code.ACCEPTED
    assert again(later_asks) is Code.ACCEPTED
    assert again(lambda _, talk: play.by("ann", joined(talk, 0))) is Code.ACCEPTED


def a_lease_remembers_a_few(play: Play) -> None:
    """The oldest root is forgotten where there are more, and one that has waited for long enough before it."""
    founded_10(play, "ann", "bob", "cat", "dan")
    with_another_root(play)
    lease = leased(play, "ann", duration_ms=4 * HOUR_MS)

    def in_vain(name: str) -> Code:
        made = play.by(name, claim(lease, 10))
        play.by(name, c.LeaveNegotiation(made.id))
        play.town.at_ms += 1_000
        return made.code

    roots = ("bob", "cat", "dan", OTHER)[: SMALL["spurned"] + 2]
    assert [in_vain(name) for name in roots] == [Code.ACCEPTED] * len(roots)
    assert len(play.town.state.leases[lease].vain) == SMALL["spurned"]
    play.restart()
    assert [in_vain(name) for name in reversed(roots)] == [Code.LIMIT_REACHED] * SMALL["spurned"] + [Code.ACCEPTED] * 2
    later(play, HOUR_MS)
    assert in_vain("dan") is Code.ACCEPTED
    assert list(play.town.state.leases[lease].vain) == ["root of dan"]


def a_lease_that_is_sold_is_another(play: Play) -> None:
    """Who has it now has kept nobody waiting."""
    founded_10(play, "ann", "bob", "cat")
    lease = leased(play, "ann")
    play.by("cat", c.LeaveNegotiation(play.by("cat", claim(lease, 50)).id))
    assert play.by("cat", claim(lease, 50)).code is Code.LIMIT_REACHED
    sold = play.by("ann", negotiation(lease, play.account("bob"))).id
    play.by("bob", joined(sold, 50))
    for name in ("ann", "bob"):
        offer(play, name, sold, 1, 40)
    assert play.town.state.leases[sold].account == play.account("bob")
    assert play.by("cat", claim(sold, 50)).code is Code.ACCEPTED


def older_rules_let_claims_wait(play: Play) -> None:
    """Under version 9 a claim waits for its round, and again. What is open when version 10 comes keeps its time; it
    counts where it ends in vain from then on."""
    founded(play, "ann", "bob", "cat", version=9, units=8)
    first, second = (leased(play, "ann", duration_ms=4 * HOUR_MS) for _ in range(2))
    for lease in (first, second):
        wish = play.by("bob", claim(lease, 1, **LONG)).id
        later(play, WAIT_MS + MINUTE_MS)
        assert wish in play.town.state.negotiations
        play.by("bob", c.LeaveNegotiation(wish))
    waiting = play.by("bob", claim(first, 1, **LONG)).id
    assert play.by("operator", c.ActivateRules(10)).code is Code.ACCEPTED
    later(play, HOUR_MS)
    play.restart()
    assert waiting in play.town.state.negotiations
    assert play.by("bob", claim(second, 1)).code is Code.ACCEPTED, "what ended before does not count"
    play.by("ann", c.LeaveNegotiation(waiting))
    assert play.by("bob", claim(first, 1)).code is Code.LIMIT_REACHED


def a_floor_under_the_deposit(play: Play) -> None:
    """A manager that names next to nothing deposits for what it sells, rounded up, and bidders are paid out of that;
    where the reserve is more, that is what counts. Purchases have no deposit."""
    founded_10(play, "ann", "cat", "dan")
    contractors(play, "ann")
    play.by("bank", c.IssueCredits(play.account("manager"), 5_000, ""))
    assert play.by("operator", c.SetDeposit(RATE, 400)).code is Code.ACCEPTED
    sale = {"open_ms": 36_000, "reserve_price_ucr": 1}
    for units, duration_ms, amount in ((1, HOUR_MS, 400), (2, HOUR_MS, 800), (1, HOUR_MS // 4, 100), (1, 100, 1)):
        cfp = play.by("manager", call(**sale, units=units, duration_ms=duration_ms)).id
        assert held(play) == amount
        play.restart()
        play.by("manager", c.CancelCfp(cfp))
    # 400 an hour are 111.2 for a thousand seconds and one, which count as 112; twice that for two slots.
    cfp = play.by("manager", call(**sale, duration_ms=1_001_000, slots=2)).id
    assert held(play) == 2 * 112
    play.by("cat", bid(cfp, 1))
    wait(play, 18_000)
    assert paid(play, play.by("manager", c.CancelCfp(cfp))) == {"cat": 56}
    cfp = play.by("manager", call(open_ms=36_000, reserve_price_ucr=500, duration_ms=HOUR_MS)).id
    assert held(play) == 500
    play.by("manager", c.CancelCfp(cfp))
    bought = play.by("cat", buying(pool="ann"))
    assert [h.amount_ucr for h in bought.of(e.HoldPlaced)] == [100]


def open_calls_keep_their_floor(play: Play) -> None:
    """Another floor is for calls that open later; one without a rate is for none. Resales have no deposit."""
    founded_10(play, "ann", "bob", "cat")
    play.by("bank", c.IssueCredits(play.account("manager"), 5_000, ""))
    sale = {"open_ms": 36_000, "reserve_price_ucr": 1, "duration_ms": HOUR_MS}
    cfps = []
    for rate, floor, amount in ((RATE, 200, 200), (RATE, 0, 1), (0, 10**15, 0), (RATE, 300, 300)):
        assert play.by("operator", c.SetDeposit(rate, floor)).code is Code.ACCEPTED
        before = held(play)
        cfps.append(play.by("manager", call(**sale)).id)
        assert held(play) - before == amount
    for cfp in cfps:
        play.by("cat", bid(cfp, 1))
    play.restart()
    wait(play, 18_000)
    shares = [paid(play, play.by("manager", c.CancelCfp(cfp))) for cfp in cfps]
    assert shares == [{"cat": 100}, {}, {}, {"cat": 150}]
    play.by("operator", c.SetDeposit(RATE, 10**15))
    assert play.by("manager", call(**sale)).code is Code.INSUFFICIENT_CREDIT
    assert play.by("manager", call(**sale, slots=2)).code in (Code.BAD_AMOUNT, Code.INSUFFICIENT_CREDIT)
    play.by("operator", c.SetDeposit(0))
    lease = leased(play, "ann")
    play.by("operator", c.SetDeposit(RATE, 10**9))
    play.by("operator", c.SetResaleCall(500))
    sold = play.by("ann", negotiation(lease, play.account("bob"))).id
    play.by("bob", joined(sold, 50))
    for name in ("ann", "bob"):
        offer(play, name, sold, 1, 40)
    assert play.town.state.cfps[sold].deposit_floor_ucr == 0


def bad_floors(play: Play) -> None:
    """It is nothing or more, of credits that there may be, and the operator's; earlier rules know none."""
    founded(play, "ann", version=9, units=8)
    assert play.by("operator", c.SetDeposit(RATE, 1)).code is Code.UNKNOWN_RULES
    assert play.by("operator", c.SetDeposit(RATE, -1)).code is Code.UNKNOWN_RULES
    assert play.by("operator", c.SetDeposit(RATE, 0)).code is Code.ACCEPTED
    play.by("operator", c.ActivateRules(10))
    for floor in (-(2**63), -1, 10**15 + 1, 2**63 - 1):
        assert play.by("operator", c.SetDeposit(RATE, floor)).code is Code.BAD_AMOUNT
    assert play.by("operator", c.SetDeposit(10**6 + 1, 1)).code is Code.BAD_AMOUNT
    for name in ("bank", "manager", "ann"):
        assert play.by(name, c.SetDeposit(RATE, 1)).code is Code.NOT_PERMITTED
    assert (play.town.state.deposit_hourly_permille, play.town.state.deposit_floor_ucr) == (RATE, 0)
    assert play.by("operator", c.SetDeposit(RATE, 10**15)).code is Code.ACCEPTED


def a_bond_is_within_the_ceiling(play: Play) -> None:
    """As much as the buyer sets aside for a slot, and no more, however many slots there are; earlier rules let it be
    anything."""
    founded(play, "ann", "cat", version=9, units=8)
    contractors(play, "cat")
    terms = {"reserve_price_ucr": 100, "slots": 2, "open_ms": 10_000}
    before = play.by("ann", buying(**terms, bond_ucr=101))
    assert before.code is Code.ACCEPTED
    play.by("operator", c.ActivateRules(10))
    assert play.by("ann", buying(**terms, bond_ucr=101)).code is Code.BAD_AMOUNT
    assert play.by("ann", buying(**terms, bond_ucr=100)).code is Code.ACCEPTED
    assert play.by("cat", ask(before.id, "cat", 60)).code is Code.ACCEPTED, "what is open goes on"


def busy_claimants(play: Play) -> None:
    """Claims of all roots on a few leases, that are joined, left, given way to, and run out, for hours."""
    founded_10(play, "ann", "bob", "cat", "dan", credits_ucr=50_000)
    dice = random.Random(10)
    agents = ("ann", "bob", "cat", "dan")
    leases = {leased(play, name, duration_ms=6 * HOUR_MS): name for name in ("ann", "cat")}
    for _ in range(150):
        lease = dice.choice(list(leases))
        holder = leases[lease]
        who, other = dice.sample([name for name in agents if name != holder], 2)
        talk = play.by(who, claim(lease, 60, rounds_max=2, round_ms=dice.choice([1_000, 40_000, 7 * MINUTE_MS]))).id
        for _ in range(dice.randrange(3)):
            kind = dice.randrange(5)
            if kind == 0:
                play.by(holder, joined(talk, 0))
            elif kind == 1:
                play.by(dice.choice([holder, who, other]), c.LeaveNegotiation(talk))
            elif kind == 2:
                asked = play.by(holder, negotiation(lease, play.account(dice.choice([who, other])))).id
                play.by(holder, c.LeaveNegotiation(asked))
            else:
                play.by(other, claim(lease, 60, round_ms=2_000))
            play.town.at_ms += dice.choice([0, 0, 1_000, 40_000])
        if dice.random() < 0.1:
            play.restart()
        later(play, dice.choice([0, 1_000, 2 * MINUTE_MS, 11 * MINUTE_MS]))


WAIT_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    a_claim_waits_for_minutes,
    a_holder_joins_at_once,
    a_root_claims_once_an_hour,
    however_it_ends,
    a_lease_remembers_a_few,
    a_lease_that_is_sold_is_another,
    older_rules_let_claims_wait,
    a_floor_under_the_deposit,
    open_calls_keep_their_floor,
    bad_floors,
    a_bond_is_within_the_ceiling,
    busy_claimants,
)
