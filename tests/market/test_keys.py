"""Keys from version 3 of the rules on: they expire, an ended one is answered its repeats, the operator's is rotated."""

from __future__ import annotations

from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.town import ANN, BANK, OPERATOR, UNKNOWN_ID, Town, key_pair, small_town

NEW, NEXT = key_pair("new"), key_pair("next")
ANYTHING = c.WithdrawBid(UNKNOWN_ID)
REACHED = Code.UNKNOWN_BID


def test_a_key_signs_until_the_instant_it_expires() -> None:
    """One millisecond before it does, at the instant not any more: by market time, and without any event of its own."""
    town, ids = small_town("ann")
    ends_at_ms = town.at_ms + 5_000
    answer = town.send(c.RegisterKey(ids["ann"], NEW.public, ends_at_ms), ANN)
    assert answer.of(e.KeyExpires) == [e.KeyExpires(ids["ann"], NEW.public, ends_at_ms)]
    town.at_ms = ends_at_ms - 1
    assert town.send(ANYTHING, NEW).code is REACHED
    town.at_ms = ends_at_ms
    (late,) = town.send(ANYTHING, NEW).of(e.CommandRejected)
    assert (late.code, late.detail) == (Code.REVOKED_KEY, f"it expired at {ends_at_ms}")
    assert town.send(ANYTHING, ANN).code is REACHED


def test_a_key_cannot_expire_at_once() -> None:
    """At the instant of its registration it would sign nothing; a millisecond later it may."""
    town, ids = small_town("ann")
    assert town.send(c.RegisterKey(ids["ann"], NEW.public, town.at_ms), ANN).code is Code.BAD_DURATION
    assert town.send(c.RegisterKey(ids["ann"], NEW.public, town.at_ms + 1), ANN).code is Code.ACCEPTED


def test_the_bank_renews_for_who_has_no_key_left() -> None:
    """All keys of an account have expired: the bank registers another one, and the old one stays what it is."""
    town, ids = small_town("ann")
    assert town.send(c.RotateKey(NEW.public, town.at_ms + 1), ANN).code is Code.ACCEPTED
    town.at_ms += 1
    assert town.send(c.RotateKey(NEXT.public), NEW).code is Code.REVOKED_KEY
    assert town.send(c.RegisterKey(ids["ann"], NEXT.public), BANK).code is Code.ACCEPTED
    assert town.send(ANYTHING, NEXT).code is REACHED
    assert town.send(ANYTHING, NEW).code is Code.REVOKED_KEY


def test_a_rotation_that_is_sent_again_gets_its_outcome() -> None:
    """An agent that crashed sends its RotateKey again: accepted, not REVOKED_KEY; nothing else it signed counts."""
    town, _ = small_town("ann")
    earlier = town.send(ANYTHING, ANN)
    rotation = town.send(c.RotateKey(NEW.public), ANN)
    for first in (rotation, earlier):
        again = town.post(*town.records[first.submission.offset])
        (repeated,) = again.of(e.CommandRepeated)
        assert (again.code, repeated.key, len(again.entries)) == (first.code, ANN.public, 1)
    sequence = rotation.submission.credentials.sequence if rotation.submission.credentials else 0
    assert town.send(c.RotateKey(NEXT.public), ANN, sequence=sequence).code is Code.REVOKED_KEY
    assert town.send(ANYTHING, ANN).code is Code.REVOKED_KEY


def test_repeats_of_an_expired_key_get_their_outcome() -> None:
    """A command from before the end, sent again after it, has its first outcome and no effect."""
    town, ids = small_town("ann")
    town.send(c.RegisterKey(ids["ann"], NEW.public, town.at_ms + 10), ANN)
    first = town.send(ANYTHING, NEW)
    town.at_ms += 10
    assert town.post(*town.records[first.submission.offset]).of(e.CommandRepeated)
    assert town.send(ANYTHING, NEW).code is Code.REVOKED_KEY


def test_the_operator_rotates_its_key() -> None:
    """From the next command on the new key is the operator's; the genesis stays what the old one signed."""
    town, _ = small_town("ann")
    genesis = town.genesis_hash
    assert town.send(c.RotateKey(NEW.public), OPERATOR).of(e.OperatorKeyRotated)
    assert town.send(c.ActivateRules(3), OPERATOR).code is Code.REVOKED_KEY
    assert town.send(c.ActivateRules(3), NEW).code is Code.UNKNOWN_RULES
    assert town.send(c.RotateKey(OPERATOR.public), NEW).code is Code.KEY_TAKEN
    assert town.genesis_hash == genesis
    assert town.send(ANYTHING, ANN).code is REACHED


def test_the_bank_rotates_its_key_and_the_operator_helps_it() -> None:
    """The bank's key gives way to another; where it was lost, the operator registers one, for the bank only."""
    town, ids = small_town("ann")
    assert town.send(c.RotateKey(NEW.public), BANK).code is Code.ACCEPTED
    assert town.send(c.IssueCredits(ids["ann"], 1, ""), NEW).code is Code.ACCEPTED
    assert town.send(c.RegisterKey(ids["ann"], NEXT.public), OPERATOR).code is Code.NOT_OWNER
    assert town.send(c.RegisterKey(town.state.bank, NEXT.public), OPERATOR).code is Code.ACCEPTED
    assert town.send(c.RevokeKey(town.state.bank, NEW.public), NEXT).code is Code.ACCEPTED
    assert town.send(c.IssueCredits(ids["ann"], 1, ""), NEW).code is Code.REVOKED_KEY
    assert town.send(c.IssueCredits(ids["ann"], 1, ""), NEXT).code is Code.ACCEPTED


def test_version_1_is_what_it_was() -> None:
    """No key expires, the operator's stays, and a revoked key is answered REVOKED_KEY whatever it sends."""
    town, ids = small_town("ann", rules=1)
    assert town.send(c.RegisterKey(ids["ann"], NEW.public, town.at_ms + 10), ANN).code is Code.UNKNOWN_RULES
    assert town.send(c.RotateKey(NEW.public), OPERATOR).code is Code.NOT_PERMITTED
    rotation = town.send(c.RotateKey(NEW.public), ANN)
    assert town.post(*town.records[rotation.submission.offset]).code is Code.REVOKED_KEY


def test_the_first_signatures_still_hold_in_a_replay() -> None:
    """Judged again from nothing, what old keys signed before they ended is accepted as it was."""
    town, _ = small_town("ann")
    town.send(c.RotateKey(NEW.public), ANN)
    town.send(c.RotateKey(NEXT.public), OPERATOR)
    again = Town(open_market=False)
    for record, answer in zip(town.records, town.answers, strict=True):
        assert again.post(*record).events == answer.events
