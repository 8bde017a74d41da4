"""Bytes that were once written stay readable, and stay what they are."""

from __future__ import annotations

from typing import Any

import pytest

from contractnet import codec
from tests.contractnet.golden import fingerprint_of, load
from tests.contractnet.schemas import BY_NAME, as_json, class_of

GOLDEN = load()


@pytest.mark.parametrize("entry", GOLDEN, ids=lambda entry: f"{entry['record']}-{fingerprint_of(entry)[:6]}")
def test_golden_bytes_decode_to_the_same_message_for_ever(entry: dict[str, Any]) -> None:
    """A value decodes to the fields that were recorded with it; of a schema still written, it encodes to the same
    bytes."""
    value, path = bytes.fromhex(entry["hex"]), BY_NAME[entry["record"]]
    message = codec.registry().decode(value, path.parent.name)
    found = as_json(message)
    assert {name: found[name] for name in entry["fields"]} == entry["fields"]
    written = codec.encode(message)
    if written[: codec.HEADER_BYTES] == value[: codec.HEADER_BYTES]:
        assert written == value
    else:  # of a schema of the archive, or of a newer form than the message needs
        assert codec.registry().decode(written, path.parent.name) == message


def test_every_record_has_golden_bytes_of_its_newest_schema() -> None:
    """`python -m tests.contractnet.golden` adds what is missing."""
    newest = {(name, codec.registry().newest[class_of(path)][0][2:].hex()) for name, path in BY_NAME.items()}
    assert newest <= {(entry["record"], fingerprint_of(entry)) for entry in GOLDEN}
