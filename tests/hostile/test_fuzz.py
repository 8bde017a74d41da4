"""The small form of the fuzzing campaign, and what Hypothesis finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet import codec, credentials
from contractnet.envelope import is_proven, open_record, seal
from contractnet.errors import CredentialError, UnreadableValueError
from contractnet.messages import Unreadable
from contractnet.messages.commands import WithdrawBid
from contractnet.signing import KeyPair
from tests.hostile.fuzz import GROWTH_MB_MAX, INPUT_MS_MAX, Fuzz, memory_mb

INPUTS = 20_000
EXAMPLES = 1_000
CREDENTIALS_SHARE, PROVEN_SHARE = 0.1, 0.01
"""Of the records that are opened: how many have credentials at least, and a signature that holds."""
SEALED = seal(WithdrawBid(bytes(16)), market="m", genesis=bytes(32), keys=KeyPair.from_seed(bytes(32)), sequence=7)
Decoder = Callable[[bytes | None], codec.Message]
HEADS = [header for header, _, _ in codec.registry().newest.values()]


def test_changed_records_and_files_break_no_reader(tmp_path: Path) -> None:
    """Twenty thousand of them: documented errors only, no input that takes long, no memory that grows."""
    fuzz = Fuzz(tmp_path, 1)
    fuzz.run(INPUTS // 10)
    before_mb = memory_mb()
    fuzz.run(INPUTS)
    print(dict(fuzz.answers), fuzz.slowest_ms)
    assert max(fuzz.slowest_ms.values()) < INPUT_MS_MAX
    assert memory_mb() - before_mb < GROWTH_MB_MAX
    assert all(fuzz.answers[str(reason)] for reason in set(Unreadable) - {Unreadable.UNSPECIFIED})
    assert all(fuzz.answers[name] for name in ("decoded", "read", "snapshot", "no snapshot", "CredentialError"))
    opened = fuzz.answers["with credentials"] + fuzz.answers["without credentials"]
    assert fuzz.answers["with credentials"] > opened * CREDENTIALS_SHARE
    assert fuzz.answers["proven"] > opened * PROVEN_SHARE


@settings(max_examples=EXAMPLES, deadline=None)
@pytest.mark.parametrize("decode", [codec.decode_command, codec.decode_entry, codec.decode_notice])
@given(head=st.sampled_from([b"", *HEADS]), body=st.binary(max_size=300))
def test_bytes_are_a_message_or_unreadable(decode: Decoder, head: bytes, body: bytes) -> None:
    """Nothing else: and a message that was read is read again from its own encoding."""
    try:
        message = decode(head + body)
    except UnreadableValueError:
        return
    assert decode(codec.encode(message)) == message


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    key=st.none() | st.binary(max_size=80),
    value=st.none() | st.binary(max_size=300),
    headers=st.lists(
        st.tuples(st.sampled_from(["key", "salt", "seq", "sig"]) | st.text(), st.none() | st.binary(max_size=70))
    ),
    stamp_ms=st.integers(-(2**63), 2**63 - 1),
)
def test_any_record_is_a_submission(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]], stamp_ms: int
) -> None:
    """`open_record` never raises, and what it calls a command is one."""
    submission = open_record(7, stamp_ms, key, value, headers)
    assert (submission.command is None) == (submission.unreadable is not None)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    key=st.just(b"m") | st.binary(max_size=10),
    value=st.just(SEALED.value) | st.binary(max_size=100),
    order=st.permutations(SEALED.headers),
    changed=st.none() | st.sampled_from([name for name, _ in SEALED.headers]),
    held=st.binary(min_size=8, max_size=64),
)
def test_only_what_was_signed_is_proven(
    key: bytes, value: bytes, order: list[tuple[str, bytes]], changed: str | None, held: bytes
) -> None:
    """A signed command's own headers in any order, one of them with another value: proven where all is as it was."""
    headers = [(name, held if name == changed else own) for name, own in order]
    submission = open_record(0, 0, key, value, headers)
    same = (key, value, sorted(headers)) == (b"m", SEALED.value, sorted(SEALED.headers))
    assert is_proven(submission, bytes(32)) == same


@given(data=st.binary(max_size=300))
def test_any_file_is_a_credential_or_a_credential_error(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """And the error quotes nothing of the file: it may hold a secret."""
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(CredentialError) as caught:
        credentials.load(path)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"version": 1, "partitions": Infinity}', "\ud800", '{"version": 1, "role": {}}', "9" * 9000],
)
def test_files_that_broke_a_reader_once(text: str, tmp_path: Path) -> None:
    """Deep nesting, infinity, a surrogate, an object where a word is due, a number too long to convert."""
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    path.chmod(0o600)
    with pytest.raises(CredentialError):
        credentials.load(path)
