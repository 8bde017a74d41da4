"""A deal that is called for, entry by entry: a snapshot may lie between any two of its record."""

from __future__ import annotations

from contractnet.envelope import is_proven
from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import Shard
from market.snapshot import dump
from tests.market.cases_negotiations import joined, negotiation
from tests.market.cases_resales import claim
from tests.market.town import OPERATOR, PARTITION, PARTITIONS, Town, as_plain, bid, key_pair, small_town

ANN, BOB = key_pair("ann"), key_pair("bob")


def sold() -> Town:
    """Ann's leases are claimed, given to somebody else instead, sold, called for, and bid for."""
    town, ids = small_town("ann", "bob", "cat", units=2)
    for _ in range(2):
        cfp = town.cfp(duration_ms=600_000)
        lease = town.bid(cfp, "ann", 50).id
        town.settle(cfp)
        town.send(c.SetResaleCall(500), OPERATOR)
        town.send(claim(lease, 300), key_pair("cat"))
        talk = town.send(negotiation(lease, ids["bob"]), ANN).id
        town.send(joined(talk, 200), BOB)
        for keys in (ANN, BOB):
            assert town.send(c.MakeOffer(talk, 1, (), 60), keys).code is Code.ACCEPTED
        if talk in town.state.cfps:
            town.send(bid(talk, 70), key_pair("cat"))
        town.at_ms += 500
        town.tick()
    return town


def test_a_snapshot_inside_a_deal() -> None:
    """Wherever it is cut, who starts from it has what the others have: holds, calls and what is on the agenda."""
    town = sold()
    shard = Shard(PARTITION, PARTITIONS, OPERATOR.public, is_proven)
    for answer in town.answers:
        for entry in answer.entries:
            shard.fold(town.market, entry)
            restored = town.restored(dump(shard))
            for name, state in shard.markets.items():
                mine, theirs = (as_plain(s, past=False) for s in (state, restored.markets[name]))
                # What ended early in a record leaves the agenda when the next thing is looked for.
                assert mine == theirs, type(entry.event).__name__


def test_the_gate_admits_the_winner() -> None:
    """A winner's lease has the winner's pass, not that of the friend whom it has outbid."""
    town, ids = small_town("ann", "bob", "cat")
    cfp = town.cfp(duration_ms=600_000)
    lease = town.bid(cfp, "ann", 50).id
    town.settle(cfp)
    town.send(c.SetResaleCall(500), OPERATOR)
    talk = town.send(negotiation(lease, ids["bob"]), ANN).id
    town.send(c.JoinNegotiation(talk, 200, "", b"b" * 32), BOB)
    for keys in (ANN, BOB):
        town.send(c.MakeOffer(talk, 1, (), 60), keys)
    town.send(c.PlaceBid(talk, 90, 0, "", b"c" * 32, None), key_pair("cat"))
    town.at_ms += 500
    (reserved,) = town.tick().of(e.SlotReserved)
    assert (reserved.account, reserved.pass_hash) == (ids["cat"], b"c" * 32)
