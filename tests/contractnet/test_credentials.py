"""Credential files: private, atomic, and refused when they are not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from contractnet.credentials import Credential, PendingRotation, Role, fingerprint, load, save
from contractnet.errors import CredentialError
from contractnet.signing import KeyPair

KEYS = KeyPair.from_seed(bytes(range(32)))
FULL = Credential(
    role=Role.AGENT,
    market="gpu",
    name="Zoë",
    keys=KEYS,
    operator=fingerprint(bytes(32)),
    genesis=bytes(range(100, 132)),
    account=bytes(range(16)),
    inbox_key=bytes(range(7, 39)),
    partitions=4,
    bootstrap="127.0.0.1:9092",
    retired_seeds=(bytes(range(9, 41)),),
    pending=PendingRotation(bytes(range(3, 35)), bytes(16), 12),
)


def test_a_file_holds_everything_and_is_the_owners_alone(tmp_path: Path) -> None:
    """Written with mode 0600 under any umask, read back equal, nothing else left in the folder."""
    path = tmp_path / "deep" / "agent.json"
    before = os.umask(0)
    try:
        save(FULL, path)
        save(FULL, path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load(path) == FULL
    assert os.listdir(path.parent) == ["agent.json"]
    operator = Credential(role=Role.OPERATOR, market="gpu", name="op", keys=KEYS, operator=fingerprint(KEYS.public))
    save(operator, path)
    assert load(path) == operator


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    """The message names the command that helps."""
    path = tmp_path / "agent.json"
    save(FULL, path)
    path.chmod(mode)
    with pytest.raises(CredentialError, match="chmod 600"):
        load(path)


def broken(**changes: object) -> str:
    """The text of a file with some fields changed; `...` takes a field away."""
    data = json.loads(GOOD) | changes
    return json.dumps({name: value for name, value in data.items() if value is not ...})


GOOD = ""


@pytest.fixture(autouse=True)
def good(tmp_path: Path) -> None:
    """The text of a good file."""
    global GOOD  # noqa: PLW0603  # `broken` is called while tests run
    save(FULL, tmp_path / "good.json")
    GOOD = (tmp_path / "good.json").read_text("utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"version": ...},
        {"signing_seed": ...},
        {"signing_seed": "zz"},
        {"signing_seed": None},
        {"signing_seed": "00" * 31},
        {"signing_seed": "00" * 32},
        {"account": "00"},
        {"account": 5},
        {"role": "king"},
        {"market": None},
        {"partitions": "many"},
        {"retired_seeds": 1},
        {"pending": {"seed": "00" * 32}},
    ],
)
def test_a_malformed_file_is_refused_without_telling_its_secrets(tmp_path: Path, changes: dict[str, object]) -> None:
    """Wrong version, missing or misshapen fields, a key that is not the seed's."""
    path = tmp_path / "agent.json"
    path.touch(0o600)
    path.write_text(broken(**changes), "utf-8")
    with pytest.raises(CredentialError) as caught:
        load(path)
    assert KEYS.seed.hex() not in str(caught.value)


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path) -> None:
    """Missing, no JSON, no object, a folder, a folder that cannot be written."""
    with pytest.raises(CredentialError, match="contractnet enroll"):
        load(tmp_path / "none.json")
    path = tmp_path / "agent.json"
    path.touch(0o600)
    for text in ("", "[]", "{", "\0"):
        path.write_text(text, "utf-8")
        with pytest.raises(CredentialError):
            load(path)
    with pytest.raises(CredentialError):
        load(tmp_path)
    with pytest.raises(CredentialError, match="cannot write"):
        save(FULL, path / "below-a-file")


def test_no_seed_is_in_a_repr() -> None:
    """Credentials end up in logs and tracebacks."""
    assert FULL.pending is not None
    text = repr(FULL) + str(FULL)
    for secret in (KEYS.seed, FULL.inbox_key, *FULL.retired_seeds, FULL.pending.seed):
        assert secret is not None
        assert secret.hex() not in text
        assert repr(secret) not in text


def test_a_promoted_credential_remembers_the_former_seed() -> None:
    """After a rotation old passes can still be derived; at most eight former seeds are kept."""
    after = FULL.promoted()
    assert after.pending is None
    assert after.keys.seed == bytes(range(3, 35))
    assert after.seed_of(KEYS.public) == KEYS.seed
    assert after.seed_of(after.keys.public) == after.keys.seed
    assert after.seed_of(bytes(32)) is None
