"""Histories of claims on leases, played against the model as well."""

from __future__ import annotations

from collections.abc import Callable

from contractnet.messages import Code, NegotiationOutcome
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.cases_negotiations import ALTERNATING, WHEN, joined, negotiation
from tests.market.cases_resales import claim
from tests.market.directed_negotiations import ends, leased, offer
from tests.market.directed_purchases import asked, contractors
from tests.market.directed_resales import called, founded_9, money, wait
from tests.market.play import SMALL, Play
from tests.market.town import UNKNOWN_ID, bid, budget, call


def a_lease_is_claimed(play: Play) -> None:
    """Who wants a lease sets its cap aside, the holder joins, and it goes on as any negotiation."""
    founded_9(play, "ann", "bob", "cat", call_ms=0)
    lease = leased(play, "ann")
    wished = play.by("bob", claim(lease, 120, issues=(WHEN,)))
    assert [type(x) for x in wished.events][1:] == [e.NegotiationOpened, e.LeaseClaimed, e.HoldPlaced]
    assert money(play, "bob") == [(1_000, 120)]
    talk = wished.id
    play.restart()
    assert offer(play, "bob", talk, 1, 50, 0).code is Code.OUT_OF_TURN
    assert play.by("bob", joined(talk, 50)).code is Code.OUT_OF_TURN
    assert play.by("ann", joined(talk, 50)).code is Code.BAD_AMOUNT
    assert play.by("cat", joined(talk, 0)).code is Code.NOT_A_PARTY
    assert play.by("ann", joined(talk, 0)).code is Code.ACCEPTED
    assert play.by("ann", joined(talk, 0)).code is Code.OUT_OF_TURN
    assert offer(play, "bob", talk, 1, 121, 0).code is Code.ABOVE_CAP
    offer(play, "ann", talk, 1, 150, 0)
    play.restart()
    offer(play, "bob", talk, 1, 60, 0)
    offer(play, "ann", talk, 2, 100, 0)
    deal = offer(play, "bob", talk, 2, 110, 0)
    assert ends(deal) == [(NegotiationOutcome.DEAL, 2, 105)]
    assert deal.of(e.SlotReserved)[0].account == play.account("bob")
    assert money(play, "bob") == [(895, 0)]


def a_claim_leads_to_a_call(play: Play) -> None:
    """Where deals are called for, so is one that began with a claim."""
    founded_9(play, "ann", "bob", "cat")
    talk = play.by("bob", claim(leased(play, "ann"), 120, protocol=ALTERNATING)).id
    play.by("ann", joined(talk, 0))
    offer(play, "ann", talk, 1, 100)
    assert called(play.by("bob", c.AcceptOffer(talk, 1))) == talk
    play.by("cat", bid(talk, 130))
    assert [(x.account, x.price_ucr) for x in wait(play).of(e.AwardMade)] == [(play.account("cat"), 100)]


def claims_end(play: Play) -> None:
    """The holder leaves, the claimant does, the time to join runs out, the lease is given back: the cap is free."""
    founded_9(play, "ann", "bob")
    for leaver, outcome in (
        ("ann", NegotiationOutcome.LEFT),
        ("bob", NegotiationOutcome.LEFT),
        ("", NegotiationOutcome.EXPIRED),
        ("released", NegotiationOutcome.LEASE_ENDED),
        ("over", NegotiationOutcome.LEASE_ENDED),
    ):
        lease = leased(play, "ann", duration_ms=1_500)
        talk = play.by("bob", claim(lease, 100, round_ms=2_000 if leaver == "over" else 1_000)).id
        play.restart()
        play.town.at_ms += 999
        if leaver == "released":
            answer = play.by("ann", c.ReleaseLease(lease))
        elif leaver == "over":
            answer = wait(play, 501)
        else:
            answer = play.by(leaver, c.LeaveNegotiation(talk)) if leaver else wait(play, 1)
        assert ends(answer) == [(outcome, 0, 0)], leaver
        assert money(play, "bob") == [(1_000, 0)]
        assert play.by("ann", joined(talk, 0)).code is Code.NEGOTIATION_CLOSED
        wait(play, 2_000)
    talk = play.by("bob", claim(leased(play, "ann"), 100)).id
    for _ in range(SMALL["due"]):
        play.by("manager", call(open_ms=100))
    play.town.at_ms += 1_000
    assert play.by("ann", joined(talk, 0)).code is Code.NEGOTIATION_CLOSED, "more fell due than one record settles"


def a_claim_is_in_nobodys_way(play: Play) -> None:
    """A holder whose lease is claimed bargains with somebody else: the claim ends. One that it has joined goes on."""
    founded_9(play, "ann", "bob", "cat", "dan")
    lease = leased(play, "ann")
    griefed = play.by("bob", claim(lease, 100)).id
    assert play.by("dan", claim(lease, 100)).code is Code.LEASE_IN_NEGOTIATION
    other = play.by("ann", negotiation(lease, play.account("cat")))
    assert [(x.negotiation, x.outcome) for x in other.of(e.NegotiationClosed)] == [(griefed, NegotiationOutcome.LEFT)]
    assert money(play, "bob") == [(1_000, 0)]
    play.restart()
    assert play.by("bob", claim(lease, 100)).code is Code.LEASE_IN_NEGOTIATION
    play.by("cat", c.LeaveNegotiation(other.id))
    taken = play.by("bob", claim(lease, 100)).id
    play.by("ann", joined(taken, 0))
    assert play.by("ann", negotiation(lease, play.account("cat"))).code is Code.LEASE_IN_NEGOTIATION
    assert play.by("ann", negotiation(UNKNOWN_ID, play.account("cat"))).code is Code.UNKNOWN_LEASE


def claims_have_bounds(play: Play) -> None:
    """One account claims a few leases at once, and all together no more than half of what is bargained for; what others
    claim does not keep a holder from bargaining, and a claim that gives way makes room."""
    founded_9(play, "ann", "bob", "cat")
    leases = [leased(play, "ann") for _ in range(4)]
    codes = [play.by("bob", claim(lease, 10)).code for lease in leases[:3]]
    assert codes == [Code.ACCEPTED] * SMALL["claims"] + [Code.LIMIT_REACHED]
    assert play.by("cat", claim(leases[2], 10)).code is Code.LIMIT_REACHED
    assert play.by("ann", negotiation(leases[2], play.account("cat"))).code is Code.ACCEPTED
    assert play.by("ann", negotiation(leases[3], play.account("cat"))).code is Code.LIMIT_REACHED
    assert play.by("ann", negotiation(leases[0], play.account("cat"))).code is Code.ACCEPTED
    play.by("bank", budget(play.account("bob"), limit_ucr=30, window_ms=24 * 3600 * 1000))
    play.by("ann", c.ReleaseLease(leases[2]))
    assert play.by("bob", claim(leases[3], 21)).code is Code.BUDGET_EXCEEDED
    assert play.by("bob", claim(leases[3], 10**6)).code in (Code.INSUFFICIENT_CREDIT, Code.BUDGET_EXCEEDED)
    assert play.by("bob", claim(leases[3], 20)).code is Code.ACCEPTED


def work_is_claimed_by_nobody(play: Play) -> None:
    """The units of work are not for sale, whoever asks."""
    founded_9(play, "ann", "bob", "cat")
    contractors(play, "bob")
    work = asked(play, {"bob": (60, 0)})["bob"]
    assert play.by("cat", claim(work, 20)).code is Code.OUT_OF_SEQUENCE


CLAIM_SCENARIOS: tuple[Callable[[Play], None], ...] = (
    a_lease_is_claimed,
    a_claim_leads_to_a_call,
    claims_end,
    a_claim_is_in_nobodys_way,
    claims_have_bounds,
    work_is_claimed_by_nobody,
)
