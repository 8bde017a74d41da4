"""The lock of a data directory: it lives as long as the process that inherited it, and its text is only for people."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from broker.lock import InstanceLock, is_locked, read_pid
from contractnet.errors import BrokerInUseError


def test_it_is_held_until_released(tmp_path: Path) -> None:
    """While held, a second try is refused with the pid and what to do; afterwards the next one gets it."""
    path = tmp_path / "broker" / "lock"
    lock = InstanceLock.acquire(path)
    assert is_locked(path)
    with pytest.raises(BrokerInUseError, match=rf"pid {os.getpid()}\b.*--data"):
        InstanceLock.acquire(path)
    lock.release()
    assert not is_locked(path)
    InstanceLock.acquire(path).release()


def test_a_child_keeps_it_after_the_parent_let_go(tmp_path: Path) -> None:
    """The process that inherited the descriptor holds the lock, and with its end, however it ends, it is free."""
    path = tmp_path / "lock"
    lock = InstanceLock.acquire(path)
    child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.fd,))
    lock.write_pid(child.pid)
    lock.release()
    assert is_locked(path)
    assert read_pid(path) == child.pid
    with pytest.raises(BrokerInUseError, match=str(child.pid)):
        InstanceLock.acquire(path)
    child.kill()
    child.wait()
    assert not is_locked(path)
    assert read_pid(path) == child.pid, "the stale pid stays in the file, and means nothing"
    InstanceLock.acquire(path).release()
    assert read_pid(path) == os.getpid()


@pytest.mark.parametrize(("text", "pid"), [("", None), ("garbage\n", None), ("-4\n", None), ("123\n", 123)])
def test_any_text_can_be_read(tmp_path: Path, text: str, pid: int | None) -> None:
    """What is no pid is none, and a file that is not there is none either."""
    (tmp_path / "lock").write_text(text)
    assert read_pid(tmp_path / "lock") == pid
    assert read_pid(tmp_path / "other") is None
    assert not is_locked(tmp_path / "other")
