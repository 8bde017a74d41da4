"""What comes before the rules: where a record lies, who signed it, whether it was seen before, what its bytes are."""

from __future__ import annotations

import hashlib
import random

import pytest

from contractnet import codec
from contractnet.envelope import Headers
from contractnet.messages import ZERO_ID, Code, Unreadable
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.notices import Receipt
from contractnet.signing import KeyPair
from market import limits, notices_of
from tests.market.town import (
    BANK,
    MANAGER,
    NAME,
    OPERATOR,
    PARTITIONS,
    UNKNOWN_ID,
    Answer,
    Town,
    bid,
    key_pair,
    small_town,
)

ANN, NEW, STRANGER = key_pair("ann"), key_pair("new"), key_pair("stranger")
GENESIS = c.OpenMarket(BANK.public, PARTITIONS, 1, True)


def poke(town: Town, keys: KeyPair = ANN, sequence: int | None = None) -> Answer:
    """Send a command that is rejected for a reason of its own, if it gets that far."""
    return town.send(c.WithdrawBid(UNKNOWN_ID), keys, sequence=sequence)


REACHED_THE_RULES = Code.UNKNOWN_BID


# Where a record lies.


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (b"gpu-eu-west", Code.WRONG_PARTITION),
        (b"gpu-us-east", Code.UNKNOWN_MARKET),
        (None, Code.BAD_MARKET_NAME),
        (b"", Code.BAD_MARKET_NAME),
        (b"\xff\xfe", Code.BAD_MARKET_NAME),
        (b"nul\0", Code.BAD_MARKET_NAME),
        ("rtl\u202e".encode(), Code.BAD_MARKET_NAME),
        (b"x" * 65, Code.BAD_MARKET_NAME),
    ],
)
def test_a_record_under_another_key(key: bytes | None, code: Code) -> None:
    """A command is judged in the market its record names, on the partition where that market lives."""
    town, _ = small_town("ann")
    _, value, headers = town.seal(c.WithdrawBid(UNKNOWN_ID), ANN)
    assert town.post(key, value, headers).code is code
    assert poke(town).code is REACHED_THE_RULES


# Genesis.


@pytest.mark.parametrize(
    ("command", "keys", "code"),
    [
        (GENESIS, STRANGER, Code.UNTRUSTED_OPERATOR),
        (GENESIS, BANK, Code.UNTRUSTED_OPERATOR),
        (c.OpenMarket(BANK.public, 12, 1, True), OPERATOR, Code.BAD_PARTITIONS),
        (c.OpenMarket(BANK.public, PARTITIONS, 2, True), OPERATOR, Code.UNKNOWN_RULES),
        (c.OpenMarket(OPERATOR.public, PARTITIONS, 1, True), OPERATOR, Code.KEY_TAKEN),
        (c.SetWeight(UNKNOWN_ID, 500), OPERATOR, Code.UNKNOWN_MARKET),
    ],
)
def test_a_genesis_that_does_not_count(command: c.Command, keys: KeyPair, code: Code) -> None:
    """No market is born, and a right genesis still opens one."""
    town = Town(open_market=False)
    assert town.send(command, keys).code is code
    assert town.shard.markets == {}
    assert town.genesis().code is Code.ACCEPTED


def test_a_genesis_comes_back() -> None:
    """The same genesis again is a repeat; another one of the operator finds the market open."""
    town = Town()
    answer = town.post(*town.records[0])
    assert [type(event) for event in answer.events] == [e.CommandRepeated]
    assert answer.code is Code.ACCEPTED
    assert town.genesis().code is Code.MARKET_EXISTS


# Signatures and keys.


def test_another_markets_signature_is_worth_nothing() -> None:
    """The genesis hash is signed: a command for a market of the same name elsewhere is not one for this."""
    town, _ = small_town("ann")
    forged = town.seal(bid(UNKNOWN_ID, 1), ANN, genesis=b"\x01" * 32)
    answer = town.post(*forged)
    (rejected,) = answer.of(e.CommandRejected)
    assert answer.code is Code.BAD_SIGNATURE
    assert (rejected.account, rejected.sequence) == (None, None)


@pytest.mark.parametrize("part", ["key", "salt", "seq", "sig", "value", "market"])
def test_no_signed_part_can_be_changed(part: str) -> None:
    """One flipped bit in any part of a command, and it does not count; the true one then does."""
    town, _ = small_town("ann")
    key, value, headers = town.seal(c.WithdrawBid(UNKNOWN_ID), ANN)
    assert value is not None
    changed: Headers = [(n, bytes([v[0] ^ 1]) + v[1:] if n == part else v) for n, v in headers]
    if part == "value":
        value = value[:-1] + bytes([value[-1] ^ 1])
    answer = town.post(b"gpu-us-east" if part == "market" else key, value, changed)
    assert answer.code in (Code.BAD_SIGNATURE, Code.UNKNOWN_MARKET)
    assert town.post(*town.seal(c.WithdrawBid(UNKNOWN_ID), ANN)).code is REACHED_THE_RULES


@pytest.mark.parametrize("missing", ["key", "salt", "seq", "sig"])
def test_a_header_is_missing_short_or_double(missing: str) -> None:
    """The four headers, each once and of its size, and nothing else."""
    town, _ = small_town("ann")
    key, value, headers = town.seal(c.WithdrawBid(UNKNOWN_ID), ANN)
    without = [(n, v) for n, v in headers if n != missing]
    short = [(n, v[:-1] if n == missing else v) for n, v in headers]
    double = [*headers, next((n, v) for n, v in headers if n == missing)]
    extra = [*headers, ("trace", b"1")]
    for changed in (without, short, double, extra, []):
        answer = town.post(key, value, changed)
        assert answer.code is Code.MISSING_SIGNATURE
        assert {entry.source.command for entry in answer.entries} == {ZERO_ID}
        assert not [n for n in notices_of(answer.entries, {}) if isinstance(n, Receipt)]


def test_an_unknown_key() -> None:
    """A valid signature of a key that no account has registered."""
    town, _ = small_town("ann")
    assert poke(town, STRANGER).code is Code.UNKNOWN_KEY


def test_a_key_rotates_in_one_step() -> None:
    """From the next command on the new key signs and the old one is revoked, for ever."""
    town, ids = small_town("ann")
    assert town.send(c.RotateKey(NEW.public), ANN).code is Code.ACCEPTED
    assert poke(town, ANN).code is Code.REVOKED_KEY
    assert poke(town, NEW).code is REACHED_THE_RULES
    assert town.send(c.RotateKey(ANN.public), NEW).code is Code.KEY_TAKEN
    assert town.state.accounts[ids["ann"]].live_keys == 1


def test_keys_are_registered_and_revoked() -> None:
    """A holder adds a key and ends the old one; the bank may end the last, and give a new one."""
    town, ids = small_town("ann")
    assert town.send(c.RegisterKey(ids["ann"], NEW.public), ANN).code is Code.ACCEPTED
    assert town.send(c.RevokeKey(ids["ann"], ANN.public), NEW).code is Code.ACCEPTED
    assert poke(town, ANN).code is Code.REVOKED_KEY
    assert town.send(c.RevokeKey(ids["ann"], ANN.public), BANK).code is Code.UNKNOWN_KEY
    assert town.send(c.RevokeKey(ids["ann"], NEW.public), NEW).code is Code.LAST_KEY
    assert town.send(c.RevokeKey(ids["ann"], NEW.public), BANK).code is Code.ACCEPTED
    assert poke(town, NEW).code is Code.REVOKED_KEY
    assert town.send(c.RegisterKey(ids["ann"], STRANGER.public), BANK).code is Code.ACCEPTED
    assert poke(town, STRANGER).code is REACHED_THE_RULES


def test_an_unsigned_market_believes_known_keys_only() -> None:
    """The development setting checks no signature, and still needs the headers of a registered key."""
    town = Town(open_market=False)
    town.genesis(signed=False)
    key, value, headers = town.seal(c.IssueCredits(UNKNOWN_ID, 1, ""), BANK, genesis=b"\x01" * 32)
    assert town.post(key, value, headers).code is Code.UNKNOWN_ACCOUNT
    assert town.post(key, value, headers[:-1]).code is Code.MISSING_SIGNATURE
    assert town.post(*town.seal(c.WithdrawBid(UNKNOWN_ID), STRANGER)).code is Code.UNKNOWN_KEY
    assert town.post(*town.seal(GENESIS, OPERATOR, genesis=b"\x01" * 32)).code is Code.BAD_SIGNATURE


def test_an_unsigned_genesis_opens_nothing() -> None:
    """Also a market without signatures begins with a signed genesis."""
    town = Town(open_market=False)
    genesis = c.OpenMarket(BANK.public, PARTITIONS, 1, False)
    assert town.post(*town.seal(genesis, OPERATOR, genesis=b"\x01" * 32)).code is Code.BAD_SIGNATURE


# Replay.


def test_a_repeat_gets_the_first_outcome() -> None:
    """An accepted and a rejected command, again: nothing happens twice, and the receipt says what it said."""
    town, ids = small_town("ann")
    cfp = town.cfp()
    accepted, rejected = town.bid(cfp, "ann", 20), town.bid(cfp, "ann", 20)
    for first, record in ((accepted, town.records[-2]), (rejected, town.records[-1])):
        again = town.post(*record)
        assert [type(event) for event in again.events] == [e.CommandRepeated]
        assert (again.id, again.code) == (first.id, first.code)
        assert notices_of(again.entries, {}) == [Receipt(first.id, first.code)]
    assert town.state.accounts[ids["ann"]].held_ucr == 20


def test_sequences_may_come_out_of_order_within_the_window() -> None:
    """Each counts once; below the window none does, whatever it is."""
    town, _ = small_town("ann")
    newest = 10_000
    assert poke(town, sequence=newest).code is REACHED_THE_RULES
    for sequence in range(newest - 1, newest - limits.SEQUENCES_PER_KEY_MAX, -1):
        assert poke(town, sequence=sequence).code is REACHED_THE_RULES
    # The window is full. A higher one pushes the lowest out.
    assert poke(town, sequence=newest + 1).code is REACHED_THE_RULES
    lowest = newest - limits.SEQUENCES_PER_KEY_MAX + 1
    assert poke(town, sequence=lowest).code is Code.STALE_SEQUENCE
    assert poke(town, sequence=-(2**63)).code is Code.STALE_SEQUENCE
    assert "another command" in poke(town, sequence=lowest + 1).of(e.CommandRejected)[0].detail
    assert poke(town, BANK, sequence=lowest).code is not Code.STALE_SEQUENCE


def test_a_gap_in_the_window_is_open_once() -> None:
    """A command that was overtaken by newer ones is taken when it comes, and then no more."""
    town, _ = small_town("ann")
    for sequence in (100, 102, 103):
        poke(town, sequence=sequence)
    assert poke(town, sequence=101).code is REACHED_THE_RULES
    assert town.post(*town.records[-1]).of(e.CommandRepeated)


def test_another_command_with_a_used_sequence_is_no_repeat() -> None:
    """Its sender must not read another command's outcome as its own: it did not happen, and is told so."""
    town, ids = small_town("ann")
    cfp = town.cfp()
    assert town.send(bid(cfp, 20), ANN, sequence=50).code is Code.ACCEPTED
    assert town.send(c.RegisterKey(ids["ann"], NEW.public), ANN, sequence=50).code is Code.STALE_SEQUENCE
    assert NEW.public not in town.state.keys
    assert town.post(*town.records[-2]).of(e.CommandRepeated)


def test_a_forged_command_uses_up_no_sequence() -> None:
    """Only a valid signature touches the replay memory."""
    town, _ = small_town("ann")
    assert town.post(*town.seal(bid(UNKNOWN_ID, 1), ANN, sequence=7, genesis=b"\x01" * 32)).code is Code.BAD_SIGNATURE
    assert poke(town, sequence=7).of(e.CommandRejected)[0].code is REACHED_THE_RULES


# Bytes that are no command.

PROPER = codec.encode(c.WithdrawBid(UNKNOWN_ID))
BYTES = {
    "empty": (b"", Unreadable.EMPTY),
    "garbage": (b"\x00\x01garbage", Unreadable.BAD_FRAMING),
    "truncated frame": (PROPER[:9], Unreadable.BAD_FRAMING),
    "truncated body": (PROPER[:-1], Unreadable.BAD_BODY),
    "trailing bytes": (PROPER + b"\0", Unreadable.BAD_BODY),
    "unknown schema": (PROPER[:2] + bytes(8) + PROPER[10:], Unreadable.UNKNOWN_SCHEMA),
    "a notice": (codec.encode(Receipt(ZERO_ID, Code.ACCEPTED)), Unreadable.NOT_A_COMMAND),
    "1 MB": (PROPER + bytes(2**20), Unreadable.TOO_LARGE),
}


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize("signed", [True, False])
def test_bytes_that_are_no_command(name: str, signed: bool) -> None:
    """They are recorded by reason, size and digest; with a valid signature the sender gets a receipt."""
    value, reason = BYTES[name]
    town, _ = small_town("ann")
    key, _, headers = town.seal_bytes(value, ANN, town.next_sequence(ANN))
    answer = town.post(key, value, headers if signed else [])
    (event,) = answer.events
    assert isinstance(event, e.CommandUnreadable)
    assert (event.reason, event.size_bytes) == (reason, len(value))
    assert event.digest == hashlib.sha256(value).digest()
    assert answer.entries[0].source.command == (answer.id if signed else ZERO_ID)
    receipts = [Receipt(answer.id, Code.UNREADABLE)] if signed else []
    assert notices_of(answer.entries, {}) == receipts
    assert poke(town).code is REACHED_THE_RULES


def test_null_records_and_fuzz() -> None:
    """A thousand records of random bytes and headers are all answered, and the market goes on."""
    town, _ = small_town("ann")
    assert town.post(None, None, []).code is Code.UNREADABLE
    dice = random.Random(1)
    for length in range(1_000):
        noise = dice.randbytes(length % 90)
        assert town.post(NAME.encode(), noise[::-1], [("key", noise), ("sig", noise)]).code is Code.UNREADABLE
    assert poke(town, MANAGER).code is REACHED_THE_RULES
