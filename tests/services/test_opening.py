"""Whose market a data directory's is: the operator's key, as a whole, by its public half, or replaced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contractnet import KeyPair
from contractnet.cli.directory import DataDirectory
from contractnet.credentials import PendingRotation, load, save
from contractnet.errors import CredentialError
from services.opening import operator_keys, trusted_operator


def prepared(path: Path) -> DataDirectory:
    """A data directory in which `up` has made the operator's key."""
    directory = DataDirectory(path)
    assert trusted_operator(directory) is None
    directory.prepare()
    assert operator_keys(directory, "default") == load(directory.operator)
    return directory


def test_a_lost_operator_key_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    """With the public half alone the market goes on: nothing is made, and the same key is trusted."""
    directory = prepared(tmp_path)
    trusted = trusted_operator(directory)
    assert trusted == load(directory.operator).keys.public
    directory.operator.unlink()
    assert operator_keys(directory, "default") is None
    assert trusted_operator(directory) == trusted
    assert not directory.operator.exists()


def test_a_rotated_operator_key_is_not_taken_for_the_first(tmp_path: Path) -> None:
    """Its file is refused, and what workers trust stays as it was."""
    directory = prepared(tmp_path)
    trusted = directory.operator_public.read_text("ascii")
    pending = PendingRotation(KeyPair.generate().seed, bytes(16), 1)
    save(replace(load(directory.operator), pending=pending).promoted(), directory.operator)
    with pytest.raises(CredentialError, match="Put the file back that opened the market"):
        operator_keys(directory, "default")
    assert directory.operator_public.read_text("ascii") == trusted
