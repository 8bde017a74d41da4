"""What the last win of a group tells, and whom."""

from __future__ import annotations

from contractnet.codec import decode_notice
from contractnet.messages import events as e
from contractnet.messages import notices as n
from market.rules.groups import entries_elsewhere
from tests.market.test_notices_decisions import opened, record_of
from tests.market.town import ANN, MANAGER, Town, bid, call, grouped, key_pair, managed, small_town

BOB = key_pair("bob")


def a_win(others: int) -> tuple[Town, list[bytes]]:
    """Ann's group wins once, while so many other bids of it, or alone, are sealed; the notices of that record."""
    town, _ = small_town("ann", "bob")
    cfps = [town.cfp(open_ms=100 if not number else 5_000) for number in range(4)]
    town.send(grouped(cfps[0], 60), ANN)
    for number, cfp in enumerate(cfps[1:]):
        # The same records in all histories, so that they have the same offsets.
        town.send(grouped(cfp, 50 - number) if number < others else bid(cfp, 50 - number), ANN)
    town.send(bid(cfps[0], 20), BOB)
    town.at_ms += 100
    answer = town.tick()
    dropped = [x for x in answer.of(e.BidRejected) if x.cfp != cfps[0]]
    assert len(dropped) == others
    return town, record_of(town, answer)


def readable(values: list[bytes]) -> list[tuple[str, int]]:
    """What those see of a record who cannot open its sealed notices: kinds and sizes."""
    return [(type(decode_notice(value)).__name__, len(value)) for value in values]


def test_what_drops_on_sealed_calls_is_not_told() -> None:
    """Whether none or three bids drop, the record has as many notices of the same sizes, and the bidder one of them."""
    seen = [a_win(others) for others in (0, 1, 3)]
    assert len({tuple(readable(values)) for _, values in seen}) == 1
    for town, values in seen:
        told = opened(town, values, "ann")
        assert [type(notice) for notice in told] == [n.BalanceChanged]
        assert not [x for x in opened(town, values, "manager") if isinstance(x, n.BidDropped)]


def test_a_bid_of_a_group_is_told_as_any_other() -> None:
    """A receipt: no group, no hold that changed."""
    town, _ = small_town("ann")
    first, second = town.cfp(), town.cfp()
    town.send(grouped(first, 20), ANN)
    answer = town.send(grouped(second, 30), ANN)
    assert answer.of(e.HoldResized)
    assert [type(decode_notice(value)) for value in record_of(town, answer)] == [n.Receipt]


def test_a_manager_who_is_choosing_is_told() -> None:
    """The bid that drops is not to be chosen any more; nobody but its manager can read that."""
    town, ids = small_town("ann", "bob", units=4)
    waiting = town.send(managed(), MANAGER).id
    other = town.send(call(open_ms=500), MANAGER).id
    dropped = town.send(grouped(waiting, 50), ANN).id
    town.send(bid(waiting, 20), BOB)
    town.send(grouped(other, 40), ANN)
    town.at_ms += 100
    town.tick()
    town.at_ms += 400
    values = record_of(town, town.tick())
    assert n.BidDropped(ids["manager"], waiting, dropped) in opened(town, values, "manager")
    assert not [x for name in ("ann", "bob") for x in opened(town, values, name) if isinstance(x, n.BidDropped)]
    sealed = [notice for notice in map(decode_notice, values) if isinstance(notice, n.SealedNotice)]
    assert (len(sealed), len({len(notice.box) for notice in sealed})) == (8, 1)


def test_what_a_record_settles_does_not_depend_on_what_drops() -> None:
    """The entries that bids on other CFPs add do not count for how much else a record settles."""
    town, _ = small_town("ann", "bob")
    cfps = [town.cfp(open_ms=ms) for ms in (100, 5_000, 5_000)]
    for price, cfp in zip((30, 50, 40), cfps, strict=True):
        town.send(grouped(cfp, price), ANN)
    town.at_ms += 100
    events = town.tick().events
    assert [type(event) for event in events] == [
        *(e.HoldResized, e.HoldResized, e.AwardMade, e.SlotReserved, e.HoldCaptured, e.CreditsTransferred, e.CfpClosed),
        *(e.BidRejected, e.HoldReleased, e.BidRejected, e.HoldReleased),
    ]
    assert entries_elsewhere(events) == 6
