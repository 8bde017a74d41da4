"""The codec: whatever is written is read back, and whatever else arrives is answered, never raised."""

from __future__ import annotations

import copy
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contractnet import codec
from contractnet.envelope import open_record, seal, seal_tick
from contractnet.errors import UnreadableValueError
from contractnet.messages import Cause, Code, Entry, Source, Submission, Unreadable
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages import notices as n
from contractnet.signing import KeyPair
from tests.contractnet.golden import load
from tests.contractnet.schemas import BY_NAME, FOLDER, PATHS, raw, read, values

KEYS = KeyPair.from_seed(bytes(range(32)))
SEALED = seal(c.WithdrawBid(bytes(16)), market="m", genesis=bytes(32), keys=KEYS, sequence=7, salt=bytes(16))
GOLDEN = [bytes.fromhex(entry["hex"]) for entry in load()]
HOSTILE = 100_000
SLOWEST_S = 0.5
"""Far more than decoding takes, and far less than a length of 2^31 would cost."""


@pytest.mark.parametrize("path", PATHS, ids=BY_NAME)
def test_every_message_survives_encoding(path: Path) -> None:
    """Any value of a schema decodes to a message that encodes to the same bytes, or to those of an older form."""
    schema, kind = read(path), path.parent.name
    older = sorted((FOLDER / "archive" / kind).glob(f"{path.stem}.*.avsc")) if kind != "commands" else []

    @settings(max_examples=60, deadline=None)
    @given(values(schema))
    def check(plain: Any) -> None:
        value = raw(path, plain)
        message = codec.registry().decode(value, kind)
        forms = [raw(old, plain) for old in older if holds(read(old), schema, plain)]
        assert codec.encode(message) == (forms[0] if forms else value)
        assert codec.registry().decode(codec.encode(message), kind) == message

    check()


def holds(old: Any, schema: Any, plain: Any) -> bool:
    """Whether an older form of a schema has all symbols of a value, and the fields that it lacks say nothing."""
    enums = ((f["name"], f["type"]) for f in old["fields"] if isinstance(f["type"], dict))
    names = {f["name"] for f in old["fields"]}
    unsaid = all(plain[f["name"]] == f["default"] for f in schema["fields"] if f["name"] not in names)
    return unsaid and all(plain[name] in kind["symbols"] for name, kind in enums if kind["type"] == "enum")


def test_what_older_versions_could_say_has_the_bytes_of_then() -> None:
    """A code of the first version is written with the first schema of a receipt, a later one with a later."""
    old, new = (codec.encode(n.Receipt(bytes(16), code)) for code in (Code.CFP_CLOSED, Code.BUDGET_EXCEEDED))
    _, first, second, *_ = codec.registry().headers(n.Receipt)
    assert old.startswith(first)
    assert new.startswith(second)
    assert first == codec.MAGIC + codec.schema_fingerprint(read(FOLDER / "archive/notices/Receipt.1.avsc"))


def test_what_says_nothing_new_has_the_bytes_of_then() -> None:
    """A deposit without a floor is written as it was before there were floors, one with a floor is not; both are read
    as what they say. Commands, which nobody reproduces, are written with the newest form."""
    entries = [Entry(Source(0, 0, bytes(16), 5, Cause.COMMAND), e.DepositSet(7, floor)) for floor in (0, 1, -1)]
    values = [codec.encode(entry) for entry in entries]
    new, old = codec.registry().headers(e.DepositSet)
    assert old == codec.MAGIC + codec.schema_fingerprint(read(FOLDER / "archive/events/DepositSet.1.avsc"))
    assert [value[: codec.HEADER_BYTES] for value in values] == [old, new, new]
    assert [codec.decode_entry(value) for value in values] == entries
    assert codec.registry().headers(c.SetDeposit) == (codec.registry().newest[c.SetDeposit][0],)


def test_a_form_lacks_fields_with_a_default_only() -> None:
    """An older schema is written with where what it lacks has a value without being said, and where nothing else is
    another; one that has more than the newer is not."""
    new = read(BY_NAME["events/DepositSet"])
    old = read(FOLDER / "archive/events/DepositSet.1.avsc")
    form = codec.form_of(old, new)
    assert form is not None
    assert (form.known, form.unsaid) == ((), (("floor_ucr", 0),))
    assert codec.form_of(new, old) is None
    said = copy.deepcopy(new)
    del said["fields"][-1]["default"]
    assert codec.form_of(old, said) is None
    other = copy.deepcopy(new)
    other["fields"][1]["type"] = "int"
    assert codec.form_of(old, other) is None


def test_forms_that_differ_in_more_than_symbols_are_not_one_for_the_other() -> None:
    """Another field, a lost or an exchanged symbol: bytes of one are no bytes of the other."""
    schema = read(BY_NAME["notices/Receipt"])
    assert codec.grown_enums(schema, schema) == {}
    longer = copy.deepcopy(schema)
    longer["fields"].append({"name": "more", "type": "long"})
    assert codec.grown_enums(schema, longer) is None
    other = copy.deepcopy(schema)
    other["fields"][0]["type"] = "string"
    assert codec.grown_enums(schema, other) is None
    turned = copy.deepcopy(schema)
    turned["fields"][1]["type"]["symbols"].reverse()
    assert codec.grown_enums(schema, turned) is None
    fewer = copy.deepcopy(schema)
    del fewer["fields"][1]["type"]["symbols"][-1]
    assert codec.grown_enums(schema, fewer) is None
    assert codec.grown_enums(fewer, schema) == {"code": frozenset(fewer["fields"][1]["type"]["symbols"])}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Unreadable.EMPTY),
        (b"", Unreadable.EMPTY),
        (bytes(codec.VALUE_BYTES_MAX + 1), Unreadable.TOO_LARGE),
        (bytes(1_000_000), Unreadable.TOO_LARGE),
        (b"\xc3", Unreadable.BAD_FRAMING),
        (SEALED.value[:9], Unreadable.BAD_FRAMING),
        (b"\xc3\x02" + SEALED.value[2:], Unreadable.BAD_FRAMING),
        (b"\xc3\x01" + bytes(8) + SEALED.value[10:], Unreadable.UNKNOWN_SCHEMA),
        (GOLDEN[-1], Unreadable.NOT_A_COMMAND),
        (SEALED.value[:-1], Unreadable.BAD_BODY),
        (SEALED.value + b"\0", Unreadable.BAD_BODY),
        # A CFP whose direction is symbol 9 of an enum of two.
        (codec.registry().newest[c.CallForProposals][0] + b"\x12", Unreadable.BAD_BODY),
        # A pool name of length -1, of 2^40 bytes, and of bytes that are no UTF-8.
        (codec.registry().newest[c.ResizePool][0] + b"\x01", Unreadable.BAD_BODY),
        (codec.registry().newest[c.ResizePool][0] + b"\x80\x80\x80\x80\x80\x40", Unreadable.BAD_BODY),
        (codec.registry().newest[c.ResizePool][0] + b"\x04\xff\xff\x02", Unreadable.BAD_BODY),
        # A number that never ends.
        (codec.registry().newest[c.ActivateRules][0] + b"\xff" * 200, Unreadable.BAD_BODY),
    ],
)
def test_bad_values_have_a_precise_reason(value: bytes | None, reason: Unreadable) -> None:
    """Each kind of bad bytes has its own answer."""
    with pytest.raises(UnreadableValueError) as caught:
        codec.decode_command(value)
    assert caught.value.reason is reason
    submission = open_record(0, 0, b"m", value, SEALED.headers)
    assert submission.command is None
    assert submission.unreadable is reason
    assert submission.command_id == SEALED.command_id


def opened(value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]]) -> Submission:
    """Open a record, and check that the answer is complete and came at once."""
    started_s = time.perf_counter()
    submission = open_record(1, 2, key, value, headers)
    assert time.perf_counter() - started_s < SLOWEST_S
    assert (submission.command is None) is (submission.unreadable is not None)
    assert len(submission.digest) == 32
    assert len(submission.command_id) == 16
    return submission


header = st.tuples(
    st.sampled_from(["key", "salt", "seq", "sig"]) | st.text(max_size=5), st.none() | st.binary(max_size=70)
)


@settings(max_examples=2000, deadline=None)
@given(
    st.none() | st.binary(max_size=300) | st.sampled_from(GOLDEN).flatmap(lambda v: st.binary().map(v[:10].__add__)),
    st.none() | st.binary(max_size=80),
    st.lists(header, max_size=6),
)
def test_no_bytes_crash_the_reader(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """Hypothesis looks for values, keys and headers that raise."""
    opened(value, key, headers)


def mutated(rng: random.Random) -> bytes:
    """A real message after a few accidents: flipped bits, cuts, repeats, runs of high bytes, pieces of others."""
    value = bytearray(rng.choice(GOLDEN))
    for _ in range(rng.randint(1, 4)):
        # Behind the fingerprint most of the time: otherwise nearly all would be unknown schemas.
        at = rng.randrange(10 if rng.random() < 0.9 and len(value) > 10 else 0, len(value) + 1)
        match rng.randrange(5):
            case 0 if at < len(value):
                value[at] ^= 1 << rng.randrange(8)
            case 1:
                del value[at:]
            case 2:
                value[at:at] = rng.randbytes(rng.randint(1, 8))
            case 3:
                value[at : at + rng.randint(0, 8)] = b"\xff" * rng.randint(1, 10)
            case _:
                other = rng.choice(GOLDEN)
                value[at:] = other[rng.randrange(len(other)) :]
    return bytes(value)


def test_a_hundred_thousand_broken_messages_crash_nothing() -> None:
    """Seeded, so that a failure repeats. Every kind of answer is reached."""
    rng = random.Random(20_261_124)
    reached: set[Unreadable | None] = set()
    headers = list(SEALED.headers)
    for _ in range(HOSTILE):
        value = mutated(rng) if rng.random() < 0.9 else rng.randbytes(rng.randrange(60))
        reached.add(opened(value, b"m", [*headers]).unreadable)
    assert reached == {None, *Unreadable} - {Unreadable.UNSPECIFIED, Unreadable.TOO_LARGE}


def test_a_tick_needs_no_headers() -> None:
    """The clock's record opens as a Tick without credentials."""
    tick = seal_tick("m")
    submission = open_record(0, 0, b"m", tick.value, tick.headers)
    assert submission.command == c.Tick()
    assert submission.credentials is None
