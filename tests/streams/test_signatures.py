"""Checks made ahead give the same answers as checks made when the command is judged."""

from __future__ import annotations

import pytest

from contractnet.envelope import is_proven, open_record, seal
from contractnet.messages import Submission
from contractnet.messages import commands as c
from contractnet.signing import NO_GENESIS, KeyPair
from streams.signatures import CHUNK, SignatureChecks, Signer

GENESIS = bytes(range(32))


def submission(offset: int, keys: KeyPair, *, genesis: bytes = GENESIS, market: str = "default") -> Submission:
    """A signed withdrawal at an offset."""
    sealed = seal(c.WithdrawBid(bytes(16)), market=market, genesis=genesis, keys=keys, sequence=offset)
    return open_record(offset, 1, market.encode(), sealed.value, sealed.headers)


def test_good_and_bad_signatures_are_told_apart_in_any_chunk() -> None:
    """Every third signature is of another market's genesis; more than one chunk; asked for in any order."""
    keys = KeyPair.generate()
    wrong = bytes(32)
    batch = [submission(i, keys, genesis=wrong if i % 3 == 0 else GENESIS) for i in range(3 * CHUNK + 5)]
    checks = SignatureChecks()
    checks.start(batch, {"default": GENESIS})
    for s in reversed(batch):
        assert checks.verify(s, GENESIS) == (s.offset % 3 != 0) == is_proven(s, GENESIS)


def test_a_market_that_the_batch_itself_opens_is_checked_when_judged() -> None:
    """Its genesis hash is not known when the checks begin, and a guess about it would not be used."""
    operator = KeyPair.generate()
    genesis = c.OpenMarket(bytes(32), 4, 1, True)
    sealed = seal(genesis, market="new", genesis=NO_GENESIS, keys=operator, sequence=1)
    opening = open_record(0, 1, b"new", sealed.value, sealed.headers)
    others = [submission(i, operator, market="new") for i in range(1, 2 * CHUNK)]
    checks = SignatureChecks()
    checks.start([opening, *others], {"new": bytes(32)})
    assert checks.verify(opening, NO_GENESIS)
    assert all(checks.verify(s, GENESIS) for s in others)
    assert not checks.verify(others[0], bytes(32))


def test_the_process_ends_with_its_input_and_its_end_is_told() -> None:
    """Whoever asks learns that nobody checks any more, and asks no second time in vain."""
    signer = Signer()
    keys = KeyPair.generate()
    claim = (keys.public, keys.sign(b"message"), b"message")
    assert signer.check([claim, (*claim[:2], b"another")]).result(10) == b"\x01\x00"
    process = signer._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(OSError, match=r"ended with -9|Broken pipe"):
        signer.check([claim]).result(10)
