"""What a manager that awards itself is shown, and what everybody else reads meanwhile."""

from __future__ import annotations

from contractnet.codec import decode_notice, encode
from contractnet.messages import CfpOutcome, Code, Notice, Winner
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from contractnet.sealing import LENGTH_BYTES, open_notice, pad, tag_of, values_of
from market import told
from market.notices import SHOWN_BUCKET_BYTES
from tests.market.town import BANK, MANAGER, Answer, Town, inbox_key, key_pair, managed, small_town


def record_of(town: Town, answer: Answer) -> list[bytes]:
    """The values of the notices topic for the record that was just answered."""
    return values_of(told(town.shard, town.market, answer.entries)) if answer.entries else []


def opened(town: Town, values: list[bytes], name: str) -> list[Notice]:
    """What an account can read of sealed notices."""
    notices = [notice for notice in map(decode_notice, values) if isinstance(notice, n.SealedNotice)]
    mine = [x for x in notices if tag_of(inbox_key(name), x.nonce) == x.tag]
    return [open_notice(x, inbox_key(name), town.genesis_hash, town.market) for x in mine]


def managed_history(bob_bids_ucr: int, task: str) -> tuple[Town, list[bytes], list[bytes]]:
    """A manager's CFP on which ann and bob bid; the bytes of all notices before the deadline, and at it."""
    town, _ = small_town("ann", "bob", "cat")
    sealed = record_of(town, town.send(managed(slots=2), MANAGER))
    (cfp,) = town.state.cfps
    for name, price, what in (("ann", 50, ""), ("bob", bob_bids_ucr, task)):
        sealed += record_of(town, town.send(c.PlaceBid(cfp, price, 0, what, bytes(32), None), key_pair(name)))
    sealed += record_of(town, town.send(c.RefuseCfp(cfp, ""), key_pair("cat")))
    town.at_ms += 100
    return town, sealed, record_of(town, town.tick())


def test_a_managers_bids_are_sealed_too() -> None:
    """Until the deadline the bytes are the same whatever bob bids; then they have the same number and sizes, and only
    the manager's inbox key opens them."""
    town, before, at_deadline = managed_history(20, "")
    other, same, later = managed_history(80_000, "x" * 64)
    assert before == same
    assert len(before) == 6, "the call's receipt and its two announcements, and three receipts"
    assert list(map(len, at_deadline)) == list(map(len, later))
    assert len(at_deadline) == 1 + 8
    assert isinstance(decode_notice(at_deadline[0]), n.BiddingEnded)
    assert len({len(value) for value in at_deadline[1:]}) == 1
    assert [opened(town, at_deadline, name) for name in ("ann", "bob", "cat")] == [[], [], []]
    shown_bids = opened(other, later, "manager")
    assert all(isinstance(notice, n.BidShown) for notice in shown_bids)
    terms = {(x.agent, x.price_ucr, x.task, x.bids) for x in shown_bids if isinstance(x, n.BidShown)}
    assert terms == {("ann", 50, "", 2), ("bob", 80_000, "x" * 64, 2)}


def test_the_longest_bid_has_the_size_of_all() -> None:
    """A name and a task of 64 bytes each and the largest numbers fit into the one size of a shown bid."""
    account = bytes([255]) * 16
    longest = n.BidShown(account, account, account, account, "x" * 64, 10**15, 1000, 24 * 3600 * 1000, "x" * 64, 1_000)
    assert LENGTH_BYTES + len(encode(longest)) <= SHOWN_BUCKET_BYTES
    assert len(pad(encode(longest), SHOWN_BUCKET_BYTES)) == SHOWN_BUCKET_BYTES


def test_a_managers_choice_is_told() -> None:
    """An award names bid and price to all; a declined bid is its bidder's business; the end names all that won."""
    town, _, at_deadline = managed_history(20, "")
    (cfp,) = town.state.cfps
    bids = {x.agent: x.bid for x in opened(town, at_deadline, "manager") if isinstance(x, n.BidShown)}
    awarded = town.send(c.AwardBid(bids["bob"]), MANAGER)
    values = record_of(town, awarded)
    kinds = [type(notice) for notice in map(decode_notice, values) if not isinstance(notice, n.SealedNotice)]
    assert kinds == [n.Receipt, n.BidAwarded, n.LeaseGranted]
    assert n.BidAwarded(cfp, bids["bob"], 20) in map(decode_notice, values)
    rejected = town.send(c.RejectBid(bids["ann"]), MANAGER)
    values = record_of(town, rejected)
    ann = town.state.account_names["ann"]
    assert n.BidDeclined(ann, cfp, bids["ann"]) in opened(town, values, "ann")
    sealed = [notice for notice in map(decode_notice, values) if isinstance(notice, n.SealedNotice)]
    assert len(sealed) == 8
    assert len({len(notice.box) for notice in sealed}) == 1
    public = [notice for notice in map(decode_notice, values) if not isinstance(notice, n.SealedNotice)]
    won = (Winner(bids["bob"], 20),)
    assert public == [n.Receipt(rejected.id, Code.ACCEPTED), n.CfpSettled(cfp, CfpOutcome.AWARDED, won)]


def test_more_bids_are_shown_than_a_record_seems_to_have() -> None:
    """The number of shown bids is a power of two, and at least eight."""
    agents = [f"agent {number}" for number in range(9)]
    town, _ = small_town(*agents)
    cfp = town.send(managed(), MANAGER).id
    for name in agents:
        town.bid(cfp, name, 20)
    town.at_ms += 100
    assert len(record_of(town, town.tick())) == 1 + 16


def test_the_bank_has_no_inbox_to_be_shown_bids_in() -> None:
    """Where it owns a pool, its decision begins like any other, and what is sealed is decoys alone."""
    town, _ = small_town("ann")
    town.pool("banks", town.state.bank, 1)
    cfp = town.send(managed(pool="banks"), BANK)
    assert cfp.code is Code.ACCEPTED
    assert town.bid(cfp.id, "ann", 50).code is Code.ACCEPTED
    town.at_ms += 100
    at_deadline = record_of(town, town.tick())
    assert isinstance(decode_notice(at_deadline[0]), n.BiddingEnded)
    assert [opened(town, at_deadline, name) for name in ("ann", "manager")] == [[], []]
    assert town.send(c.AwardBid(next(iter(town.state.cfps[cfp.id].bids))), BANK).code is Code.ACCEPTED
