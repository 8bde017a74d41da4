"""Whose the data directory is: what others could read or replace is refused, or closed to them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from contractnet.cli.directory import DataDirectory
from contractnet.errors import DataDirectoryError
from tests.cli.command import contractnet

SECRETS = ("keys", "access", "agents")


def mode_of(path: Path) -> int:
    """Its permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Whatever the user's umask leaves open."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_new_directory_is_its_owners(tmp_path: Path) -> None:
    """Under any umask nobody else writes in it or reads its secrets; preparing it again changes nothing."""
    directory = DataDirectory(tmp_path / "new" / "data")
    for _ in range(2):
        directory.prepare()
        assert mode_of(directory.path) & (stat.S_IWGRP | stat.S_IWOTH) == 0
        assert [mode_of(directory.path / name) for name in SECRETS] == [0o700] * 3


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o707, 0o720])
def test_a_directory_that_others_write_is_refused(tmp_path: Path, mode: int) -> None:
    """With nothing made in it; the command that the error names is what it takes."""
    data = tmp_path / "data of all"
    data.mkdir()
    data.chmod(mode)
    with pytest.raises(DataDirectoryError, match="can be written by others") as told:
        DataDirectory(data).prepare()
    assert list(data.iterdir()) == []
    assert str(told.value).endswith(f"chmod go-w '{data}'")
    data.chmod(mode & ~0o022)
    DataDirectory(data).prepare()


@pytest.mark.parametrize("above", ["", "between"])
def test_a_directory_in_one_that_everybody_writes_is_refused(tmp_path: Path, above: str) -> None:
    """However far above: others could put another one in its place. Where that is sticky they can't."""
    data = tmp_path / "open" / above / "data"
    data.mkdir(mode=0o755, parents=True)
    data.parent.chmod(0o755)
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(DataDirectoryError, match="can be written by everybody") as told:
        DataDirectory(data).prepare()
    assert str(told.value).endswith(f"chmod o-w {tmp_path / 'open'}")
    (tmp_path / "open").chmod(0o1777)
    DataDirectory(data).prepare()


def test_the_command_line_refuses_it_in_words(tmp_path: Path) -> None:
    """`up` starts nothing in such a directory."""
    tmp_path.chmod(0o777)
    ended = contractnet("--data", tmp_path, "up")
    assert ended.returncode == 1
    assert "chmod go-w" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_folder_of_secrets_is_closed(tmp_path: Path, name: str, mode: int) -> None:
    """Our own one that is open to others is 0700 from then on, and keeps what it holds."""
    DataDirectory(tmp_path).prepare()
    (tmp_path / name / "held").touch()
    (tmp_path / name).chmod(mode)
    DataDirectory(tmp_path).prepare()
    assert mode_of(tmp_path / name) == 0o700
    assert (tmp_path / name / "held").exists()


@pytest.mark.parametrize("name", SECRETS)
def test_a_link_in_the_place_of_a_secret_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Also one to nothing, where a folder would be made; what it leads to is left as it was."""
    elsewhere, data = tmp_path / "elsewhere", tmp_path / "data"
    elsewhere.mkdir(mode=0o777)
    for target in (elsewhere, tmp_path / "nothing"):
        data.mkdir(exist_ok=True, mode=0o755)
        (data / name).unlink(missing_ok=True)
        (data / name).symlink_to(target)
        with pytest.raises(DataDirectoryError, match=f"{name} is a link.*Move it away"):
            DataDirectory(data).prepare()
    assert mode_of(elsewhere) == 0o777
    assert list(elsewhere.iterdir()) == []
    assert not (tmp_path / "nothing").exists()


def test_a_file_in_the_place_of_a_secret_folder_is_refused(tmp_path: Path) -> None:
    """In words, as a link is."""
    (tmp_path / "keys").touch()
    with pytest.raises(DataDirectoryError, match="keys is a file"):
        DataDirectory(tmp_path).prepare()


def test_the_data_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    """What it leads to has to be as safe as any."""
    (tmp_path / "disk").mkdir(mode=0o755)
    link = tmp_path / "data"
    link.symlink_to(tmp_path / "disk")
    DataDirectory(link).prepare()
    assert mode_of(tmp_path / "disk" / "keys") == 0o700
    (tmp_path / "disk").chmod(0o777)
    with pytest.raises(DataDirectoryError, match="can be written by others"):
        DataDirectory(link).prepare()


def test_what_belongs_to_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory, or a folder of secrets in it; another one is who runs, since not everybody may give files away."""
    DataDirectory(tmp_path).prepare()
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(DataDirectoryError, match=f"belongs to another user.*chown -R {owner + 1}"):
        DataDirectory(tmp_path).prepare()
    monkeypatch.undo()
    DataDirectory(tmp_path).prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_folder_of_another_user_is_refused(tmp_path: Path, name: str) -> None:
    """Also for root, who could use it: whose it is reads what root would put there."""
    DataDirectory(tmp_path).prepare()
    os.chown(tmp_path / name, 12345, -1)
    with pytest.raises(DataDirectoryError, match=f"{name} belongs to another user"):
        DataDirectory(tmp_path).prepare()
