"""Who is invited to a CFP reads it; others read that it is by invitation, and nothing of who is, or how many."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet.codec import decode_notice
from contractnet.messages import Command
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from contractnet.sealing import tag_of
from tests.market.test_notices import boxes, read_by, sealed_values, sealed_values_at
from tests.market.town import ANN, MANAGER, Answer, Town, bid, call, inbox_key, key_pair, managed, small_town

GUESTS = tuple(f"guest {number}" for number in range(12))
crowds = st.lists(st.sampled_from(GUESTS), min_size=1, max_size=8, unique=True)
larger_crowds = st.lists(st.sampled_from(GUESTS), min_size=9, max_size=12, unique=True)


def outside(town: Town, values: list[bytes], name: str) -> list[object]:
    """What an agent reads of notices: their bytes, but of sealed ones that are not for it neither tag nor text."""
    read: list[object] = []
    for value in values:
        notice = decode_notice(value)
        if isinstance(notice, n.SealedNotice) and notice.tag != tag_of(inbox_key(name), notice.nonce):
            read.append((len(value), notice.nonce, len(notice.box)))
        else:
            read.append(value if not isinstance(notice, n.SealedNotice) else read_by(town, name, [value]))
    return read


def seen(invited: list[str], answering: list[tuple[str, int]]) -> tuple[list[object], list[int]]:
    """What ann, who is not invited, reads until the deadline of a CFP to which these are, while others bid on one that
    is open to all; and the sizes of the notices at the deadline."""
    town, ids = small_town("ann", *GUESTS)
    opened = town.send(managed(open_ms=1_000, invited=tuple(ids[name] for name in invited)), MANAGER)
    everybody = town.send(call(open_ms=1_000), MANAGER)
    values: list[bytes] = []
    for answer in (opened, everybody):
        values += sealed_values_at(town, answer)
    town.at_ms += 5
    values += sealed_values(town, town.send(bid(opened.id, 20), ANN))
    for name, price_ucr in answering:
        values += sealed_values(town, town.send(bid(everybody.id, price_ucr), key_pair(name)))
    town.at_ms += 994
    values += sealed_values(town, town.tick())
    town.at_ms += 1
    return outside(town, values, "ann"), [len(value) for value in sealed_values(town, town.tick())]


@settings(deadline=None, max_examples=25)
@given(
    runs=st.one_of(st.tuples(crowds, crowds), st.tuples(larger_crowds, larger_crowds)),
    answering=st.lists(st.tuples(st.sampled_from(GUESTS), st.integers(10, 99)), max_size=4, unique_by=lambda x: x[0]),
)
def test_nothing_that_an_uninvited_agent_reads_depends_on_who_is_invited(
    runs: tuple[list[str], list[str]], answering: list[tuple[str, int]]
) -> None:
    """Two runs that differ only in who is invited, and in how many within a power of two: all that ann reads is the
    same byte for byte, and of what it cannot read number, places and sizes are, at the deadline too."""
    one, other = (seen(invited, answering) for invited in runs)
    assert one == other


@pytest.mark.parametrize(("guests", "expected"), [(1, 8), (8, 8), (9, 16), (12, 16)])
def test_invitations_are_padded(guests: int, expected: int) -> None:
    """Their number is a power of two and at least eight, and all have one size; the public notice says that number."""
    town, ids = small_town("ann", *GUESTS)
    answer = town.send(call(invited=tuple(ids[name] for name in GUESTS[:guests])), MANAGER)
    values = sealed_values(town, answer)
    assert [len(box.box) for box in boxes(values)] == [80] * expected
    public = list(map(decode_notice, values[: len(values) - expected]))
    assert [type(notice) for notice in public] == [n.Receipt, n.InvitationOnly, n.CfpAnnounced]
    assert public[1] == n.InvitationOnly(answer.id, expected)
    for name in ("ann", "manager", *GUESTS):
        mine = [notice for notice in read_by(town, name, values) if isinstance(notice, n.Invitation)]
        assert mine == ([n.Invitation(ids[name], answer.id)] if name in GUESTS[:guests] else [])


def test_a_managers_invitations_come_right_after_the_announcement() -> None:
    """Also where its own award is announced, and other CFPs end in the same record."""
    town, ids = small_town("ann", "bob")
    ending = town.cfp(open_ms=100)
    town.bid(ending, "bob", 20)
    town.at_ms += 100
    values = sealed_values(town, town.send(managed(invited=(ids["ann"],)), MANAGER))
    kinds = [type(notice) for notice in map(decode_notice, values)]
    at = kinds.index(n.CfpAnnounced)
    assert kinds[at - 2 : at] == [n.ManagerAwards, n.InvitationOnly]
    assert kinds[at + 1 :] == [n.SealedNotice] * 16, "eight invitations, then the balances of the close"
    first = [notice for notice in read_by(town, "ann", values[at + 1 : at + 9]) if isinstance(notice, n.Invitation)]
    assert len(first) == 1


def test_the_place_of_an_invitation_tells_nothing() -> None:
    """The same guest's stands at every place in turn, whatever place it has in the manager's list."""
    town, ids = small_town("ann", "bob", units=64)
    places: set[int] = set()
    for _ in range(64):
        found = boxes(sealed_values(town, town.send(call(invited=(ids["ann"], ids["bob"])), MANAGER)))
        places.add([box.tag == tag_of(inbox_key("ann"), box.nonce) for box in found].index(True))
    assert places == set(range(8))


def test_what_is_not_invited_is_told_its_code_alone() -> None:
    """A refused answer is a receipt: the manager learns nothing of it."""
    town, ids = small_town("ann", "bob")
    cfp = town.cfp(invited=(ids["ann"],))
    commands: list[Command] = [bid(cfp, 20), c.RefuseCfp(cfp, "")]
    answers: list[Answer] = [town.send(command, key_pair("bob")) for command in commands]
    for answer in answers:
        assert answer.code is not None
        values = sealed_values_at(town, answer)
        assert list(map(decode_notice, values)) == [n.Receipt(answer.id, answer.code)]
