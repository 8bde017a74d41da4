"""Signatures cover everything that a command says, and hold in one market only."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from contractnet.envelope import Headers, Sealed, is_proven, open_record, seal
from contractnet.messages import Submission
from contractnet.messages import commands as c
from contractnet.messages.submission import command_id
from contractnet.signing import NO_GENESIS, KeyPair, signed_bytes, verify

KEYS = KeyPair.from_seed(bytes(range(32)))
GENESIS = bytes(range(100, 132))
SALT = bytes(range(50, 66))
COMMAND = c.TransferCredits(bytes(16), bytes(range(16)), 5_000_000, "rent")
SEALED = seal(COMMAND, market="gpu", genesis=GENESIS, keys=KEYS, sequence=1_795_000_000_000_000, salt=SALT)


def arrived(sealed: Sealed, *, market: str = "gpu", changes: Mapping[str, bytes] = MappingProxyType({})) -> Submission:
    """The submission of a record, some of whose headers or value were changed on the way."""
    headers: Headers = [(name, changes.get(name, value)) for name, value in sealed.headers]
    return open_record(0, 0, market.encode(), changes.get("value", sealed.value), headers)


def flips(data: bytes) -> list[bytes]:
    """Every version of `data` with one bit flipped."""
    whole = int.from_bytes(data)
    return [(whole ^ (1 << bit)).to_bytes(len(data)) for bit in range(8 * len(data))]


def test_an_untouched_command_is_proven_and_says_who_sent_it() -> None:
    """The way through: same command, same id, valid signature."""
    submission = arrived(SEALED)
    assert submission.command == COMMAND
    assert submission.command_id == SEALED.command_id == command_id(KEYS.public, 1_795_000_000_000_000, SALT)
    assert is_proven(submission, GENESIS)


@pytest.mark.parametrize("part", ["value", "key", "salt", "seq", "sig"])
def test_every_single_flipped_bit_is_detected(part: str) -> None:
    """In the value and in each header."""
    original = SEALED.value if part == "value" else dict(SEALED.headers)[part]
    for flipped in flips(original):
        assert not is_proven(arrived(SEALED, changes={part: flipped}), GENESIS)


def test_every_flipped_bit_of_the_genesis_is_detected() -> None:
    """So a command of a market does not count in another one of the same name."""
    assert not any(is_proven(arrived(SEALED), genesis) for genesis in flips(GENESIS))


def test_a_command_is_not_replayed_into_another_market() -> None:
    """Another record key, or the zero genesis of an opening market: not proven."""
    for market in ("gpv", "gp", "gpu2", "GPU"):
        assert not is_proven(arrived(SEALED, market=market), GENESIS)
    assert not is_proven(arrived(SEALED), NO_GENESIS)
    assert not is_proven(open_record(0, 0, b"\xff", SEALED.value, SEALED.headers), GENESIS)


def test_parts_cannot_be_moved_into_one_another() -> None:
    """Each part is prefixed by its length: shifting a byte between market and key, or salt and value, shows."""
    seen = {
        signed_bytes(GENESIS, "ab", b"c", b"d", 1, b"e"),
        signed_bytes(GENESIS, "a", b"bc", b"d", 1, b"e"),
        signed_bytes(GENESIS, "ab", b"cd", b"", 1, b"e"),
        signed_bytes(GENESIS, "ab", b"c", b"de", 1, b""),
        signed_bytes(GENESIS, "ab", b"c", b"d", 2, b"e"),
    }
    assert len(seen) == 5


def test_missing_doubled_or_misshapen_headers_are_no_credentials() -> None:
    """Exactly the four headers, each of its size: anything else is a command without a signature."""
    for changed in (
        SEALED.headers[:-1],
        [*SEALED.headers, SEALED.headers[0]],
        [*SEALED.headers, ("x", b"")],
        [(name, value + b"\0") for name, value in SEALED.headers],
        [],
    ):
        submission = open_record(0, 0, b"gpu", SEALED.value, changed)
        assert submission.credentials is None
        assert not is_proven(submission, GENESIS)


def test_a_key_that_is_no_point_of_the_curve_verifies_nothing() -> None:
    """Degenerate keys and signatures raise nothing and prove nothing."""
    degenerate = (bytes(32), b"\x01" + bytes(31), b"\xff" * 32)
    for key in degenerate:
        for signature in (bytes(64), key + bytes(32)):
            assert not verify(key, signature, b"message")
    assert not verify(b"short", bytes(64), b"message")
    assert not verify(KEYS.public, b"short", b"message")


def test_sealing_twice_gives_another_id_and_a_given_salt_the_same_record() -> None:
    """Ids do not tell who sent a command, and a retry can be rebuilt from sequence and salt."""
    one, two = (seal(COMMAND, market="gpu", genesis=GENESIS, keys=KEYS, sequence=5) for _ in range(2))
    assert one.command_id != two.command_id
    again = seal(COMMAND, market="gpu", genesis=GENESIS, keys=KEYS, sequence=5, salt=dict(one.headers)["salt"])
    assert again == one
    assert replace(one, market="x") != one
    assert struct.unpack(">q", dict(one.headers)["seq"]) == (5,)


def test_secrets_stay_out_of_reprs() -> None:
    """A key pair shows its public half only."""
    assert KEYS.seed.hex() not in repr(KEYS)
    assert repr(KEYS.seed) not in repr(KEYS)
