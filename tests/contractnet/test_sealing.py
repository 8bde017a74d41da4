"""Sealed notices: what is in the bytes, who can read them, and that any change shows."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_chacha20poly1305_ietf_encrypt

from contractnet import codec
from contractnet.errors import UnsealableError
from contractnet.messages import Code, Notice
from contractnet.messages.notices import BalanceChanged, PoolAnnounced, Receipt, SealedNotice
from contractnet.messages.private import Private, Told
from contractnet.sealing import associated_data, nonce_of, open_notice, pad, seal_notice, tag_of, values_of

GENESIS, MARKET = bytes(range(32)), "gpu-Ω"
KEY, OTHER = bytes(range(32, 64)), bytes(range(64, 96))
NOTICE = BalanceChanged(bytes(range(16)), 1_234_567, 89, 2**40)
NONCE = nonce_of(3, 2**40, 5)
PINNED = "ec64afae606a1ab3b620b4535ef71bf4ced23b40aec46ee521d7a4cf88c78719"

keys = st.binary(min_size=32, max_size=32)
amounts = st.integers(-(2**63), 2**63 - 1)
notices = st.builds(BalanceChanged, st.binary(min_size=16, max_size=16), amounts, amounts, st.integers(0, 2**63 - 1))


def sealed(notice: Notice | None = NOTICE, key: bytes = KEY, nonce: bytes = NONCE) -> SealedNotice:
    """A notice sealed for a key."""
    return seal_notice(Private(key, notice), nonce, associated_data(GENESIS, MARKET))


def opened(notice: SealedNotice, key: bytes = KEY, genesis: bytes = GENESIS, market: str = MARKET) -> Notice:
    """What a key reads."""
    return open_notice(notice, key, genesis, market)


def test_the_cipher_is_that_of_the_rfc() -> None:
    """RFC 8439, section 2.8.2: key, nonce and associated data of the example give its ciphertext and tag."""
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would "
        b"be it."
    )
    box = crypto_aead_chacha20poly1305_ietf_encrypt(
        text,
        bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
        bytes.fromhex("070000004041424344454647"),
        bytes(range(128, 160)),
    )
    assert box.hex() == (
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b29"
        "05d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b"
        "61161ae10b594f09e26a7e902ecbd0600691"
    )


def test_the_bytes_are_those_of_the_description() -> None:
    """Nonce, tag and box follow from RFC 8439 and BLAKE2b alone; a pinned value keeps them for ever."""
    plain = codec.encode(NOTICE)
    text = (struct.pack(">I", len(plain)) + plain).ljust(64, b"\0")
    assert b"\x00\x03" + (2**40).to_bytes(8, "big") + b"\x00\x05" == NONCE
    assert sealed() == SealedNotice(
        tag=hashlib.blake2b(NONCE, key=KEY, digest_size=8).digest(),
        nonce=NONCE,
        box=crypto_aead_chacha20poly1305_ietf_encrypt(text, GENESIS + MARKET.encode(), NONCE, KEY),
    )
    assert hashlib.sha256(codec.encode(sealed())).hexdigest() == PINNED


@given(notice=notices, key=keys, offset=st.integers(0, 2**63 - 1), index=st.integers(0, 65535))
def test_what_is_sealed_is_read_by_its_key_alone(notice: BalanceChanged, key: bytes, offset: int, index: int) -> None:
    """Any balance comes back, always in a box of the smallest size; another key finds no tag and reads nothing."""
    box = sealed(notice, key, nonce_of(0, offset, index))
    assert opened(box, key) == notice
    assert len(box.box) == 64 + 16
    stranger = hashlib.sha256(key).digest()
    assert tag_of(stranger, box.nonce) != box.tag
    with pytest.raises(UnsealableError):
        opened(box, stranger)


def test_a_key_of_zeros_is_a_key() -> None:
    """Nothing is special about the inbox key that tests use."""
    assert opened(sealed(key=bytes(32)), bytes(32)) == NOTICE


@pytest.mark.parametrize("place", range(80))
def test_a_changed_byte_shows(place: int) -> None:
    """Whichever byte of the box is changed, it does not open."""
    box = bytearray(sealed().box)
    box[place] ^= 1
    with pytest.raises(UnsealableError):
        opened(SealedNotice(sealed().tag, NONCE, bytes(box)))


def test_a_box_is_bound_to_its_place_and_market() -> None:
    """Another nonce, genesis or market does not open it, nor does a box that was cut."""
    notice = sealed()
    for changed in (
        SealedNotice(notice.tag, nonce_of(3, 2**40, 6), notice.box),
        SealedNotice(notice.tag, NONCE, notice.box[:-1]),
        SealedNotice(notice.tag, NONCE, b""),
    ):
        with pytest.raises(UnsealableError):
            opened(changed)
    with pytest.raises(UnsealableError):
        opened(notice, genesis=bytes(32))
    with pytest.raises(UnsealableError):
        opened(notice, market="gpu")


@pytest.mark.parametrize("text", [bytes(64), b"\xff" * 64, b"\0\0\0\1x".ljust(63, b"\0") + b"1", b"", b"\0\0"])
def test_a_text_that_is_no_notice_is_refused(text: bytes) -> None:
    """A box whose text has a wrong length, padding or content raises the one error, although its key is right."""
    box = crypto_aead_chacha20poly1305_ietf_encrypt(text, associated_data(GENESIS, MARKET), NONCE, KEY)
    with pytest.raises(UnsealableError):
        opened(SealedNotice(tag_of(KEY, NONCE), NONCE, box))


@given(size=st.integers(0, 2_000))
def test_sizes_are_buckets(size: int) -> None:
    """A text fills the least of 64, 128, 256, ... bytes."""
    text = pad(bytes(size))
    assert len(text) >= size + 4
    assert len(text) in {64 << n for n in range(7)}
    assert len(text) == 64 or len(text) < 2 * (size + 4)


def test_a_record_tells_everybody_first_and_numbers_its_notices() -> None:
    """Public values come first; the private ones' nonces go on counting, so that none is used twice."""
    told = Told(
        GENESIS, MARKET, 3, 77, [Receipt(bytes(16), Code.ACCEPTED)], [Private(KEY, NOTICE), Private(OTHER, None)]
    )
    first, *rest = map(codec.decode_notice, values_of(told))
    assert first == told.public[0]
    assert rest == [sealed(NOTICE, KEY, nonce_of(3, 77, 1)), sealed(None, OTHER, nonce_of(3, 77, 2))]
    assert isinstance(rest[0], SealedNotice)
    assert isinstance(rest[1], SealedNotice)
    assert len(rest[0].box) == len(rest[1].box)


@given(size=st.integers(0, 40))
def test_the_short_way_to_encode_is_the_long_one(size: int) -> None:
    """Sealed notices of any size are written as the codec writes them."""
    pool = PoolAnnounced("x" * 7 * size, size)
    told = Told(GENESIS, MARKET, 3, 77, [], [Private(KEY, pool)])
    assert values_of(told) == [codec.encode(sealed(pool, KEY, nonce_of(3, 77, 0)))]


def test_an_index_beyond_two_bytes_is_a_bug() -> None:
    """A nonce is never cut: a place that does not fit raises."""
    with pytest.raises(struct.error):
        nonce_of(0, 0, 65_536)
