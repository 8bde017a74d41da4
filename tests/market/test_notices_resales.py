"""What is told of a lease that is called for after a deal, and of a claim."""

from __future__ import annotations

from contractnet.messages import Direction, NegotiationOutcome
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from tests.market.cases_negotiations import WHEN, joined, negotiation
from tests.market.cases_resales import claim
from tests.market.test_notices_decisions import opened, record_of
from tests.market.test_notices_negotiations import public
from tests.market.town import OPERATOR, Town, key_pair, small_town

ANN, BOB, CAT = key_pair("ann"), key_pair("bob"), key_pair("cat")


def leased(call_ms: int = 500) -> tuple[Town, bytes, dict[str, bytes]]:
    """Ann holds a lease, and deals are called for."""
    town, ids = small_town("ann", "bob", "cat")
    cfp = town.cfp(duration_ms=600_000)
    lease = town.bid(cfp, "ann", 50).id
    town.settle(cfp)
    town.send(c.SetResaleCall(call_ms), OPERATOR)
    return town, lease, ids


def test_a_call_is_told_to_all_and_its_deal_to_two() -> None:
    """The announcement is that of any call; the parties read that they agree, and the buyer what it still holds."""
    town, lease, ids = leased()
    talk = town.send(negotiation(lease, ids["bob"]), ANN).id
    town.send(joined(talk, 500), BOB)
    town.send(c.MakeOffer(talk, 1, (), 60), ANN)
    deal = record_of(town, town.send(c.MakeOffer(talk, 1, (), 60), BOB))
    receipt, announced = public(deal)
    assert isinstance(receipt, n.Receipt)
    assert isinstance(announced, n.CfpAnnounced)
    assert (announced.cfp, announced.direction, announced.reserve_price_ucr) == (talk, Direction.SELL, 60)
    for name in ("ann", "bob"):
        told = [notice for notice in opened(town, deal, name) if isinstance(notice, n.NegotiationEnded)]
        assert [(notice.outcome, notice.price_ucr) for notice in told] == [(NegotiationOutcome.DEAL, 60)]
    (balance,) = [notice for notice in opened(town, deal, "bob") if isinstance(notice, n.BalanceChanged)]
    assert balance.held_ucr == 60
    assert opened(town, deal, "cat") == []
    town.bid(talk, "cat", 80)
    town.at_ms += 500
    last = public(record_of(town, town.tick()))
    kinds = [type(notice) for notice in last]
    assert kinds == [n.LeaseRevoked, n.LeaseGranted, n.CfpSettled]
    revoked, granted, settled = last
    assert isinstance(revoked, n.LeaseRevoked)
    assert isinstance(granted, n.LeaseGranted)
    assert isinstance(settled, n.CfpSettled)
    assert (revoked.award, granted.award) == (lease, settled.winners[0].bid)


def test_a_call_without_others_tells_as_much() -> None:
    """How many bid on a call shows in nothing before its end, nor in how much is sealed then."""

    def sizes(bidders: int) -> list[int]:
        town, lease, ids = leased()
        talk = town.send(negotiation(lease, ids["bob"]), ANN).id
        town.send(joined(talk, 500), BOB)
        for keys in (ANN, BOB):
            town.send(c.MakeOffer(talk, 1, (), 60), keys)
        if bidders:
            town.bid(talk, "cat", 59 + bidders)
        town.at_ms += 500
        values = record_of(town, town.tick())
        return sorted(len(value) for value in values[len(public(values)) :])

    assert sizes(0) == sizes(1)


def test_a_claim_looks_like_a_proposal() -> None:
    """Both read who wants what, and not the cap; everybody else sees what there is to see of any negotiation."""
    town, lease, _ = leased()
    answer = town.send(claim(lease, 500, issues=(WHEN,)), BOB)
    wanted = record_of(town, answer)
    for name in ("ann", "bob"):
        (told,) = opened(town, wanted, name)
        assert isinstance(told, n.LeaseWanted)
        assert (told.negotiation, told.award, told.counterpart_name) == (answer.id, lease, "bob")
        assert told.issues == (WHEN,)
    other, same, ids = leased()
    asked = record_of(other, other.send(negotiation(same, ids["bob"], issues=(WHEN,)), ANN))
    assert list(map(len, wanted)) == list(map(len, asked))
    again, same, _ = leased()
    assert wanted == record_of(again, again.send(claim(same, 777, issues=(WHEN,)), BOB)), "the cap is told to nobody"
    began = record_of(town, town.send(joined(answer.id, 0), ANN))
    assert [type(notice) for notice in opened(town, began, "bob")] == [n.RoundBegan]
