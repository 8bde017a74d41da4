"""A supervised process: how its end is noticed, and when it is started again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from services.part import Part


def watched(part: Part, until: int, timeout_s: float = 15.0) -> list[str]:
    """What happens to a part until it was started again `until` times or is given up."""
    told: list[str] = []
    give_up_at = time.monotonic() + timeout_s
    while part.restarts < until and not part.given_up:
        assert time.monotonic() < give_up_at, told
        if (happened := part.look()) is not None:
            told.append(happened)
        time.sleep(0.01)
    return told


def test_a_crash_is_followed_by_a_start_after_a_growing_pause(tmp_path: Path) -> None:
    """Exit code 70, a fault, leads to another start: after 0.5 s, then 1 s."""
    part = Part("worker-0", ["-c", "raise SystemExit(70)"], {}, tmp_path / "log")
    part.start()
    told = watched(part, until=2)
    pauses = [text for text in told if "exit code 70" in text]
    assert ["next start in 0.5 s" in pauses[0], "next start in 1 s" in pauses[1]] == [True, True], told
    part.wait(5)


def test_a_kill_is_named(tmp_path: Path) -> None:
    """A process that was killed is reported with the signal's number."""
    part = Part("worker-0", ["-c", "import os; os.kill(os.getpid(), 9)"], {}, tmp_path / "log")
    part.start()
    assert any("by signal 9" in text for text in watched(part, until=1))
    part.terminate()
    part.wait(5)


def test_a_terminal_error_is_not_repeated(tmp_path: Path) -> None:
    """Exit code 78 means that another start can't help: the part is given up, with its last words."""
    part = Part("projector", ["-c", "print('the ledger is another one'); raise SystemExit(78)"], {}, tmp_path / "log")
    part.start()
    (told,) = watched(part, until=1)
    assert "not started again" in told
    assert "the ledger is another one" in told


@pytest.mark.parametrize("obeys", [True, False])
def test_stopping_ends_the_process_in_any_case(tmp_path: Path, obeys: bool) -> None:
    """A process that ignores SIGTERM is killed after the timeout."""
    ignore = "" if obeys else "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    program = f"import signal,time;{ignore}print('up',flush=True);time.sleep(60)"
    part = Part("worker-0", ["-c", program], {}, tmp_path / "log")
    part.start()
    while "up" not in part.last_words():
        time.sleep(0.01)
    begun = time.monotonic()
    part.terminate()
    part.wait(0.5)
    assert time.monotonic() - begun < 5
    assert part.pid is None
