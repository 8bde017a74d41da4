"""Notices keep bids sealed until the close, and then say who won and what it pays."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.codec import decode_notice
from contractnet.envelope import is_proven
from contractnet.messages import CfpOutcome, Code, Notice, Winner
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages import notices as n
from contractnet.sealing import open_notice, tag_of, values_of
from contractnet.signing import KeyPair
from market import Shard, notices_of, told
from tests.market.town import (
    BANK,
    MANAGER,
    OPERATOR,
    PARTITIONS,
    Answer,
    Town,
    bid,
    call,
    grouped,
    inbox_key,
    key_pair,
    managed,
    small_town,
)

ANN, BOB = key_pair("ann"), key_pair("bob")


def shown(answer: Answer) -> list[Notice]:
    """What agents see of an answer."""
    return notices_of(answer.entries, {})


def history(bob_bids_ucr: int, bob_delays_ms: int) -> tuple[list[Notice], list[Notice]]:
    """Notices before and at the close of a CFP on which ann and bob bid; bob also withdraws and bids again."""
    town, _ = small_town("ann", "bob")
    sealed = shown(town.send(call(), MANAGER))
    (cfp,) = town.state.cfps
    sealed += shown(town.bid(cfp, "ann", 50))
    first = town.bid(cfp, "bob", bob_bids_ucr, bob_delays_ms)
    sealed += shown(first)
    sealed += shown(town.send(c.WithdrawBid(first.id), BOB))
    sealed += shown(town.bid(cfp, "bob", bob_bids_ucr + 1, bob_delays_ms))
    town.at_ms += 99
    sealed += shown(town.tick())
    town.at_ms += 1
    return sealed, shown(town.tick())


def test_bids_are_sealed_until_the_close() -> None:
    """Two runs that differ in one agent's bids alone show the same until the close, and differ from it on."""
    low, high = history(20, 0), history(80, 500)
    assert low[0] == high[0]
    assert low[1] != high[1]


def test_before_the_close_there_are_receipts_only() -> None:
    """A bid and its withdrawal show a command id and a code: no agent, CFP or amount."""
    sealed, _ = history(20, 0)
    kinds = [type(notice) for notice in sealed]
    assert kinds == [n.Receipt, n.CfpAnnounced, n.Receipt, n.Receipt, n.Receipt, n.Receipt]
    assert {field.name for field in fields(n.Receipt)} == {"command", "code"}


def test_a_receipt_does_not_tell_whose_bid_it_is() -> None:
    """Without the salt, an id follows from neither key nor sequence."""
    ids = set()
    for salts in (0, 100):
        town, _ = small_town("ann")
        town.salts += salts
        ids.add(town.bid(town.cfp(), "ann", 20).id)
    assert len(ids) == 2


def test_the_close_names_winners_and_prices() -> None:
    """Winning bids in rank order with what they pay; losers and their bids are not named."""
    town, _ = small_town("ann", "bob", "cat", units=2)
    cfp = town.cfp(slots=2)
    bids = {name: town.bid(cfp, name, price).id for name, price in (("ann", 30), ("bob", 50), ("cat", 20))}
    town.at_ms += 100
    answer = town.tick()
    awards = answer.of(e.AwardMade)
    assert [award.award for award in awards] == [bids["bob"], bids["ann"]]
    winners = tuple(Winner(award.award, award.price_ucr) for award in awards)
    settled = [notice for notice in shown(answer) if isinstance(notice, n.CfpSettled)]
    assert settled == [n.CfpSettled(cfp, CfpOutcome.AWARDED, winners)]
    assert bids["cat"] not in {getattr(notice, "award", None) for notice in shown(answer)}


def test_a_close_without_awards_and_a_cancel_are_told() -> None:
    """Nobody won, or the manager took it back."""
    town, _ = small_town("ann")
    empty, taken_back = town.cfp(), town.cfp()
    cancelled = town.send(c.CancelCfp(taken_back), MANAGER)
    assert shown(cancelled)[1:] == [n.CfpSettled(taken_back, CfpOutcome.CANCELLED, ())]
    town.at_ms += 100
    assert shown(town.tick()) == [n.CfpSettled(empty, CfpOutcome.UNAWARDED, ())]


def test_a_lease_is_granted_with_its_token_and_revoked() -> None:
    """A gate learns units, interval, secret's hash and the fencing token, and when the lease is over."""
    town, _ = small_town("ann")
    cfp = town.cfp()
    award = town.bid(cfp, "ann", 20, start_delay_ms=300).id
    town.at_ms += 100
    answer = town.tick()
    (granted,) = [notice for notice in shown(answer) if isinstance(notice, n.LeaseGranted)]
    token = next(x.source for x in answer.entries if type(x.event).__name__ == "SlotReserved")
    assert (granted.award, granted.starts_at_ms, granted.ends_at_ms) == (award, town.at_ms + 300, town.at_ms + 1300)
    assert (granted.token_offset, granted.token_index) == (token.offset, token.index)
    town.at_ms += 700
    released = town.send(c.ReleaseLease(award), ANN)
    assert shown(released) == [n.Receipt(released.id, Code.ACCEPTED), n.LeaseRevoked(award, "gpu", town.at_ms)]


def test_pools_and_markets_are_announced_and_money_is_not() -> None:
    """Anyone may know a market and its pools; accounts, credits, keys and weights make receipts only."""
    town = Town(open_market=False)
    announced = shown(town.genesis())
    assert announced[:1] == [n.MarketAnnounced(town.genesis_hash, OPERATOR.public)]
    owner = town.account("ann", credits_ucr=5)
    pool = shown(town.send(c.CreatePool("gpu", owner, 2), BANK))
    assert pool[1:] == [n.PoolAnnounced("gpu", 2)]
    for command in (c.IssueCredits(owner, 1, "memo"), c.SetWeight(owner, 600), c.RegisterKey(owner, BOB.public)):
        answer = town.send(command, BANK)
        assert shown(answer) == [n.Receipt(answer.id, Code.ACCEPTED)]


# Private notices.

CAT, DAN = key_pair("cat"), key_pair("dan")


def sealed_values(town: Town, answer: Answer) -> list[bytes]:
    """The notices of the last answer, as the topic has them."""
    return values_of(told(town.shard, town.market, answer.entries)) if answer.entries else []


def read_by(town: Town, name: str, values: list[bytes]) -> list[object]:
    """What an agent can read of notices: public ones, its own, and of the others only what is outside the box."""
    seen: list[object] = []
    for value in values:
        notice = decode_notice(value)
        if not isinstance(notice, n.SealedNotice):
            seen.append(notice)
        elif notice.tag == tag_of(inbox_key(name), notice.nonce):
            seen.append(open_notice(notice, inbox_key(name), town.genesis_hash, town.market))
        else:
            seen.append((notice.tag, notice.nonce, len(notice.box)))
    return seen


def boxes(values: list[bytes]) -> list[n.SealedNotice]:
    """The sealed ones."""
    return [notice for notice in map(decode_notice, values) if isinstance(notice, n.SealedNotice)]


steps = st.lists(
    st.tuples(st.sampled_from(["bid", "withdraw", "issue ann", "issue bob", "transfer"]), st.integers(0, 400)),
    max_size=12,
)
twice = st.lists(st.tuples(st.integers(10, 500), st.integers(10, 500)), min_size=12, max_size=12)


def seen_by_ann(
    script: list[tuple[str, int]], bob_bids_ucr: list[int], by_manager: bool
) -> tuple[list[object], int, list[int]]:
    """What ann reads until the close when bob's bids have these prices; then the number of boxes and their sizes."""
    town, ids = small_town("ann", "bob")
    make = managed if by_manager else call
    cfps = [town.send(make(open_ms=1_000), MANAGER).id for _ in range(len(script) + 1)]
    values = sealed_values(town, town.bid(cfps[0], "ann", 50))
    for number, (what, delay_ms) in enumerate(script):
        price_ucr = bob_bids_ucr[number]
        if what == "bid":
            later_ms = delay_ms if price_ucr % 2 else 0
            # A price also says whether the bid belongs to a group.
            in_group = grouped(cfps[number], price_ucr, 2, start_delay_ms=later_ms)
            answer = town.send(bid(cfps[number], price_ucr, later_ms) if price_ucr % 3 else in_group, BOB)
        elif what == "withdraw":
            bids = [b for b in town.state.bids.values() if b.account == ids["bob"] and not b.withdrawn]
            answer = town.send(c.WithdrawBid(bids[0].id if bids else bytes(16)), BOB)
        elif what == "transfer":
            answer = town.send(c.TransferCredits(ids["bob"], ids["ann"], 5, ""), BANK)
        else:
            answer = town.send(c.IssueCredits(ids[what[6:]], 7, ""), BANK)
        values += sealed_values(town, answer)
    town.at_ms += 999
    values += sealed_values(town, town.tick())
    town.at_ms += 1
    closing = boxes(sealed_values(town, town.tick()))
    if by_manager:
        # Whether there is a bid to choose is told at the deadline.
        return read_by(town, "ann", values), 0, []
    return read_by(town, "ann", values), len(closing), [len(box.box) for box in closing]


@settings(deadline=None)
@given(script=steps, prices=twice, by_manager=st.booleans())
def test_nothing_that_an_agent_reads_depends_on_anothers_bids(
    script: list[tuple[str, int]], prices: list[tuple[int, int]], by_manager: bool
) -> None:
    """Two runs that differ only in bob's bids: ann reads the same until the close, tags and sizes of bob's included.

    At the close, the number of sealed notices and their sizes are the same still.
    """
    one, other = (seen_by_ann(script, [pair[run] for pair in prices], by_manager) for run in (0, 1))
    assert one == other


@pytest.mark.parametrize("bidders", range(8))
def test_the_number_of_sealed_notices_does_not_tell_how_many_bid(bidders: int) -> None:
    """Nobody to seven: eight boxes of one size, in which only who has bid, and the manager if it was paid, find one."""
    names = [f"agent {number}" for number in range(bidders)]
    town, ids = small_town(*names)
    cfp = town.cfp()
    for name in names:
        town.bid(cfp, name, 20)
    town.at_ms += 100
    values = sealed_values(town, town.tick())
    assert [len(box.box) for box in boxes(values)] == [80] * 8
    kinds = [isinstance(decode_notice(value), n.SealedNotice) for value in values]
    assert kinds == sorted(kinds), "sealed notices come after the public ones"
    readers = ["manager", *names] if names else []
    for name in (*readers, *(["manager"] if not names else [])):
        mine = [notice for notice in read_by(town, name, values) if isinstance(notice, n.BalanceChanged)]
        account = town.state.accounts[ids[name]]
        offset = town.offset - 1
        told_of = [n.BalanceChanged(account.id, account.available_ucr, account.held_ucr, offset)]
        assert mine == (told_of if name in readers else [])


def test_more_bidders_are_padded_to_a_power_of_two() -> None:
    """Nine bidders and a manager: sixteen boxes."""
    names = [f"agent {number}" for number in range(9)]
    town, _ = small_town(*names)
    cfp = town.cfp()
    for name in names:
        town.bid(cfp, name, 20)
    town.at_ms += 100
    assert len(boxes(sealed_values(town, town.tick()))) == 16


def test_money_that_moves_is_told_to_whose_it_is() -> None:
    """An issue tells one account, a transfer two, a bid and a withdrawal nobody; a cancel ends the CFP like a close."""
    town, ids = small_town("ann", "bob", credits_ucr=100)

    def after(command: c.Command, keys: KeyPair) -> list[n.SealedNotice]:
        return boxes(sealed_values(town, town.send(command, keys)))

    assert len(after(c.IssueCredits(ids["ann"], 5, ""), BANK)) == 1
    assert len(after(c.TransferCredits(ids["ann"], ids["bob"], 5, ""), BANK)) == 2
    assert len(after(c.TransferCredits(ids["ann"], town.state.bank, 5, ""), BANK)) == 1
    cfp = town.cfp()
    placed = town.bid(cfp, "ann", 20)
    assert boxes(sealed_values(town, placed)) == []
    assert after(c.WithdrawBid(placed.id), ANN) == []
    closing = sealed_values(town, town.send(c.CancelCfp(cfp), MANAGER))
    assert len(boxes(closing)) == 8
    (mine,) = [notice for notice in read_by(town, "ann", closing) if isinstance(notice, n.BalanceChanged)]
    assert (mine.available_ucr, mine.held_ucr) == (95, 0)


def test_a_decoy_is_for_nobody_and_its_key_needs_every_inbox_key() -> None:
    """No account finds the decoys of a close; their key changes with any one inbox key, and is no account's."""
    town, ids = small_town("ann", "bob")
    town.cfp()
    town.at_ms += 100
    for box in boxes(sealed_values(town, town.tick())):
        assert not any(box.tag == tag_of(inbox_key(name), box.nonce) for name in ids)
        assert box.tag == tag_of(town.state.decoy_key, box.nonce)
    made = {town.state.decoy_key}
    for strange in ("ann", "bob"):
        other = Town()
        for name in ("manager", "ann", "bob"):
            key = bytes(32) if name == strange else inbox_key(name)
            other.send(c.OpenAccount(name, "project", "root", key_pair(name).public, key), BANK)
        made.add(other.state.decoy_key)
    assert len(made) == 3


def test_the_order_of_sealed_notices_tells_nothing() -> None:
    """The winner's notice stands at every place in turn, not at the one where its award stands."""
    town, _ = small_town("ann", "bob", "cat", units=64)
    places = set()
    for _ in range(64):
        cfp = town.cfp()
        for name in ("ann", "bob", "cat"):
            town.bid(cfp, name, 50 if name == "ann" else 20)
        town.at_ms += 100
        found = boxes(sealed_values(town, town.tick()))
        places.add([box.tag == tag_of(inbox_key("ann"), box.nonce) for box in found].index(True))
    assert places == set(range(8))


def test_a_nonce_is_never_used_twice() -> None:
    """Over a busy life, with keys of zeros that all accounts share, every sealed notice has a nonce of its own."""
    town = Town()
    manager = town.send(c.OpenAccount("manager", "p", "p", MANAGER.public, bytes(32)), BANK).id
    town.pool("gpu", manager, 64)
    nonces: list[bytes] = []
    for keys, name in ((ANN, "ann"), (BOB, "bob"), (CAT, "cat"), (DAN, "dan")):
        account = town.send(c.OpenAccount(name, "p", "p", keys.public, bytes(32)), BANK).id
        issued = boxes(sealed_values(town, town.send(c.IssueCredits(account, 10_000, ""), BANK)))
        nonces += [box.nonce for box in issued]
    for _ in range(10):
        first, second = town.cfp(), town.cfp()
        for cfp in (first, second):
            for name in ("ann", "bob", "cat"):
                town.bid(cfp, name, 20)
        town.at_ms += 100
        values = sealed_values(town, town.tick())
        nonces += [box.nonce for box in boxes(values)]
        opened = [open_notice(box, bytes(32), town.genesis_hash, town.market) for box in boxes(values) if ours(box)]
        assert len({x.account for x in opened if isinstance(x, n.BalanceChanged)}) == 4
    assert len(set(nonces)) == len(nonces)


def ours(box: n.SealedNotice) -> bool:
    """Whether a box is under the key of zeros."""
    return box.tag == tag_of(bytes(32), box.nonce)


def test_a_shard_from_a_snapshot_seals_the_same_bytes() -> None:
    """What a restarted worker tells is, byte for byte, what the first one would have told."""
    town, ids = small_town("ann", "bob")
    cfp = town.cfp()
    town.bid(cfp, "ann", 20)
    town.bid(cfp, "bob", 30)
    restored = town.restored(town.canonical())
    town.at_ms += 100
    for answer in (town.tick(), town.send(c.IssueCredits(ids["ann"], 5, ""), BANK)):
        again = restored.apply(answer.submission)
        restored.head = town.shard.head
        assert values_of(told(restored, town.market, again)) == sealed_values_at(town, answer)


def sealed_values_at(town: Town, answer: Answer) -> list[bytes]:
    """The notices of any answer, by judging everything again up to it."""
    shard = Shard(town.shard.partition, PARTITIONS, OPERATOR.public, is_proven)
    for earlier, head in zip(town.answers, town.heads, strict=True):
        entries = shard.apply(earlier.submission)
        shard.head = head
        if earlier is answer:
            return values_of(told(shard, town.market, entries))
    raise AssertionError("not an answer of this town")


def test_private_notices_begin_when_the_operator_says_so() -> None:
    """A market of the first rules has none; from the record that activates version 3 on, it has."""
    town, ids = small_town("ann", rules=1)
    issue = c.IssueCredits(ids["ann"], 5, "")
    assert boxes(sealed_values(town, town.send(issue, BANK))) == []
    town.send(c.ActivateRules(3), OPERATOR)
    values = sealed_values(town, town.send(issue, BANK))
    (mine,) = [notice for notice in read_by(town, "ann", values) if isinstance(notice, n.BalanceChanged)]
    assert mine.available_ucr == 10**9 + 10
