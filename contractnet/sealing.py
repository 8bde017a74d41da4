"""Notices for one account: sealed to its inbox key, so that the notices topic can be everybody's.

A sealed notice is `SealedNotice{tag, nonce, box}`. `box` is ChaCha20-Poly1305 (RFC 8439) under the account's inbox key
of a padded text: its length (4 bytes, big endian), the encoded inner notice, zeros up to 64, 128, 256, ... bytes. The
associated data is genesis hash and market. `nonce` is partition (2 bytes), offset of the command (8) and index of the
notice among those of its record (2), big endian: no key meets one twice, and an audit makes the same bytes again.
`tag` is BLAKE2b of the nonce with the inbox key as key, 8 bytes: the addressee finds its own by one comparison, nobody
else can tell for whom it is.

Pure: the same notices at the same place always give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import struct
from functools import cache

import fastavro
from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from contractnet.codec import decode_notice, encode, registry
from contractnet.errors import UnreadableValueError, UnsealableError
from contractnet.messages.notices import Notice, SealedNotice
from contractnet.messages.private import BUCKET_BYTES_MIN, Private, Told

LENGTH_BYTES = 4
TAG_BYTES = 8
NONCE_BYTES = 12
BOX_TAG_BYTES = 16


def nonce_of(partition: int, offset: int, index: int) -> bytes:
    """The 12 bytes that no key meets twice: where the command lies, and which of its notices this is."""
    return struct.pack(">HQH", partition, offset, index)


def tag_of(inbox_key: bytes, nonce: bytes) -> bytes:
    """The 8 bytes by which the holder of an inbox key finds what is for it."""
    return hashlib.blake2b(nonce, key=inbox_key, digest_size=TAG_BYTES).digest()


def pad(plain: bytes, least: int = BUCKET_BYTES_MIN) -> bytes:
    """The text of a box: length, bytes, and zeros up to the next size bucket, of which `least` is the first."""
    size = LENGTH_BYTES + len(plain)
    bucket = least
    while bucket < size:
        bucket *= 2
    return (struct.pack(">I", len(plain)) + plain).ljust(bucket, b"\0")


def seal_notice(private: Private, nonce: bytes, associated: bytes) -> SealedNotice:
    """Seal one notice. A decoy is an empty text."""
    text = pad(b"" if private.notice is None else encode(private.notice), private.bucket_bytes)
    key = private.inbox_key
    box = crypto_aead_chacha20poly1305_ietf_encrypt(text, associated, nonce, key)
    return SealedNotice(tag_of(key, nonce), nonce, box)


def open_notice(sealed: SealedNotice, inbox_key: bytes, genesis: bytes, market: str) -> Notice:
    """The notice in a box. Raises UnsealableError for one that this key did not seal for this market, or no notice."""
    if len(sealed.box) < BOX_TAG_BYTES:
        raise UnsealableError("it is too short for a box")
    try:
        text = crypto_aead_chacha20poly1305_ietf_decrypt(
            sealed.box, associated_data(genesis, market), sealed.nonce, inbox_key
        )
    except CryptoError as error:
        raise UnsealableError("it was not sealed with this inbox key for this market, or it was changed") from error
    size = int.from_bytes(text[:LENGTH_BYTES], "big")
    plain, zeros = text[LENGTH_BYTES : LENGTH_BYTES + size], text[LENGTH_BYTES + size :]
    if len(plain) != size or any(zeros):
        raise UnsealableError("its padding is not as it has to be")
    try:
        return decode_notice(plain)
    except UnreadableValueError as error:
        raise UnsealableError(f"there is no notice in it: {error}") from error


def associated_data(genesis: bytes, market: str) -> bytes:
    """What binds a box to its market."""
    return genesis + market.encode()


def values_of(told: Told) -> list[bytes]:
    """The values of the notices topic for one record of commands, in order: what writer and audit both write down."""
    values = [encode(notice) for notice in told.public]
    if told.private:
        associated = associated_data(told.genesis, told.market)
        for private in told.private:
            nonce = nonce_of(told.partition, told.offset, len(values))
            sealed = seal_notice(private, nonce, associated)
            values.append(_header() + sealed.tag + sealed.nonce + _size(len(sealed.box)) + sealed.box)
    return values


@cache
def _header() -> bytes:
    return registry().newest[SealedNotice][0]


@cache
def _size(count: int) -> bytes:
    """A length as Avro writes it. A close has eight notices and more: the general encoder costs twice the cipher."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", count)
    return out.getvalue()
