"""A market as `contractnet up` runs it: joined, queried, crashed, ended; on a real broker."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from contractnet.cli.directory import DataDirectory
from services import state
from tests.cli.command import contractnet, start

pytestmark = [pytest.mark.broker, pytest.mark.slow]
READY_S = 60.0


def wait_for(what: str, holds: Callable[[], bool], timeout_s: float = READY_S) -> None:
    """Return when it holds; fail, naming it, when it does not in time."""
    give_up_at = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.1)


def is_ready(data: Path) -> bool:
    """Whether the `up` of a directory says that it is ready."""
    noted = state.read(DataDirectory(data))
    return noted is not None and noted.ready


def processes(data: Path) -> list[psutil.Process]:
    """The processes that `up` has noted, the broker's included, and that live."""
    noted = state.read(DataDirectory(data))
    assert noted is not None
    pids = [part.pid for part in noted.parts] + [noted.broker_pid, noted.pid]
    return [psutil.Process(pid) for pid in pids if pid is not None and psutil.pid_exists(pid)]


def pid_of(data: Path, name: str) -> int | None:
    """The pid of a part."""
    noted = state.read(DataDirectory(data))
    return None if noted is None else next((part.pid for part in noted.parts if part.name == name), None)


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended; one that its parent has not collected yet has."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of all tests here: they are one story, in order."""
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def up(data: Path) -> Iterator[subprocess.Popen[str]]:
    """A running `contractnet up` with two workers."""
    running = start("--data", data, "up", "--workers", "2")
    try:
        wait_for("the market is ready", lambda: is_ready(data) or running.poll() is not None)
        assert running.poll() is None, running.communicate()[0]
        yield running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
            running.wait(60)


def test_status_shows_every_part(up: subprocess.Popen[str], data: Path) -> None:
    """`status` lists the parts as healthy, with the age of the newest event, and exits with 0."""
    give_up_at_s = time.monotonic() + 20
    # The market is ready when its opening is judged; the projector publishes that a moment later.
    while "newest" not in (done := contractnet("--data", data, "status")).stdout and time.monotonic() < give_up_at_s:
        time.sleep(0.2)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("Kafka", "worker-0", "worker-1", "snapshotter", "projector", "newest"):
        assert name in done.stdout
    assert "not ready" not in done.stdout


def test_a_second_up_is_refused(up: subprocess.Popen[str], data: Path) -> None:
    """A second `up` in the directory names the first one's pid, and does not disturb it."""
    for more in ([], ["--detach"]):
        done = contractnet("--data", data, "up", *more)
        assert done.returncode == 1
        assert f"pid {up.pid}" in done.stderr
        assert "contractnet down" in done.stderr
    assert is_ready(data)


def test_an_up_elsewhere_on_the_same_cluster_is_refused(up: subprocess.Popen[str], data: Path, tmp_path: Path) -> None:
    """It says to use the market's directory, and makes no operator key for a market that is another's. Without its
    credentials it does not even get there."""
    noted = state.read(DataDirectory(data))
    assert noted is not None
    elsewhere = ("--data", tmp_path / "other", "--bootstrap", noted.bootstrap, "up")
    done = contractnet(*elsewhere)
    assert done.returncode == 1
    assert "CONTRACTNET_ACCESS" in done.stderr
    done = contractnet(*elsewhere, env={"CONTRACTNET_ACCESS": str(data / "access" / "operator.properties")})
    assert done.returncode == 1
    assert "was opened from another data directory" in done.stderr
    assert not DataDirectory(tmp_path / "other").operator.exists()


def test_enroll_writes_a_secret_file_and_the_ledger_shows_the_account(up: subprocess.Popen[str], data: Path) -> None:
    """An enrolled account has its credits, nobody else can read its credential, and a query sees it soon."""
    done = contractnet("--data", data, "enroll", "ada", "--project", "vision", "--credits", "12.5")
    assert done.returncode == 0, done.stderr
    enrolled_at = time.monotonic()
    file = data / "agents" / "ada.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    seen: list[dict[str, object]] = []
    while not seen:
        found = contractnet("--data", data, "query", "--json", "SELECT balance_ucr FROM accounts WHERE name = 'ada'")
        assert found.returncode == 0, found.stderr
        seen = [row for row in json.loads(found.stdout) if row["balance_ucr"]]
        assert time.monotonic() - enrolled_at < 10
    assert seen == [{"balance_ucr": 12_500_000}]


def test_a_name_that_is_taken(up: subprocess.Popen[str], data: Path, tmp_path: Path) -> None:
    """A second account of a name is rejected in words, and leaves no file."""
    out = tmp_path / "other.json"
    done = contractnet("--data", data, "enroll", "ada", "--project", "vision", "--out", out)
    assert done.returncode == 1
    assert "NAME_TAKEN" in done.stderr
    assert not out.exists()


def test_a_credential_is_not_overwritten(up: subprocess.Popen[str], data: Path) -> None:
    """`enroll` does not replace a credential file."""
    done = contractnet("--data", data, "enroll", "ada", "--project", "vision")
    assert done.returncode == 1
    assert "exists already" in done.stderr


def test_a_pool_is_created(up: subprocess.Popen[str], data: Path) -> None:
    """`pool create` takes an enrolled name as the owner; an unknown one is refused."""
    done = contractnet("--data", data, "pool", "create", "h100", "--owner", "ada", "--units", "8")
    assert done.returncode == 0, done.stderr
    done = contractnet("--data", data, "pool", "create", "a100", "--owner", "nobody", "--units", "8")
    assert done.returncode == 1
    assert "contractnet enroll nobody" in done.stderr


def test_a_killed_worker_starts_again(up: subprocess.Popen[str], data: Path) -> None:
    """`up` starts a killed worker again, and the market goes on taking commands."""
    before = pid_of(data, "worker-0")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    wait_for("worker-0 has another pid", lambda: pid_of(data, "worker-0") not in (None, before), 20)
    wait_for("status is healthy", lambda: contractnet("--data", data, "status").returncode == 0, 30)
    done = contractnet("--data", data, "enroll", "bob", "--project", "vision")
    assert done.returncode == 0, done.stderr


def test_ctrl_c_leaves_nothing(up: subprocess.Popen[str], data: Path) -> None:
    """Ctrl-C ends every process, exits with 130, and the ledger can still be queried."""
    running = processes(data)
    assert len(running) == 6
    up.send_signal(signal.SIGINT)
    told, _ = up.communicate(timeout=60)
    assert up.returncode == 130, told
    assert [process for process in running if not is_gone(process)] == []
    assert "Traceback" not in told
    assert contractnet("--data", data, "status").returncode == 1
    found = contractnet("--data", data, "query", "--csv", "SELECT name FROM accounts WHERE NOT is_bank ORDER BY 1")
    assert found.stdout == "name\nada\nbob\n"


def test_down_ends_what_a_killed_up_left_behind(up: subprocess.Popen[str], data: Path) -> None:
    """`up --detach` goes on with the old market; when it is killed, `down` ends its orphans."""
    done = contractnet("--data", data, "up", "--detach", "--resale-call", "0s")
    assert done.returncode == 0, done.stderr
    assert "was open already" in done.stdout
    assert "--resale-call has no effect" in done.stdout
    assert "guards that are off: the limit of what is issued (policy set --issue-limit)" in done.stdout
    assert "(policy resale)" not in done.stdout, "it was opened with a call"
    running = processes(data)
    supervisor = state.running_pid(DataDirectory(data))
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    wait_for(
        "the supervisor is gone", lambda: is_gone(psutil.Process(supervisor)) if psutil.pid_exists(supervisor) else True
    )
    assert [process.pid for process in running if not is_gone(process)], "the parts outlive their supervisor"
    done = contractnet("--data", data, "down")
    assert done.returncode == 0, done.stderr
    assert "left behind" in done.stdout
    assert [process for process in running if not is_gone(process)] == []
    assert "nothing runs" in contractnet("--data", data, "down").stdout
