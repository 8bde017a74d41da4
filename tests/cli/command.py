"""Running the command line as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
PROGRAM = "from contractnet.cli import main; main()"


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would point the command elsewhere."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("CONTRACTNET_")}
    return ours | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "120"} | dict(more or {})


def contractnet(
    *arguments: str | Path, env: Mapping[str, str] | None = None, before: str = "", timeout_s: float = 90
) -> subprocess.CompletedProcess[str]:
    """The finished command. `before` is Python that runs ahead of it, to take something away."""
    command = [sys.executable, "-c", f"{before}\n{PROGRAM}", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, env=environment(env), capture_output=True, text=True, timeout=timeout_s, check=False
    )


def done(data: Path, *arguments: str | Path) -> str:
    """What a command that succeeds prints."""
    ended = contractnet("--data", data, *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def refused(data: Path, *arguments: str | Path) -> str:
    """What a command says that does not work."""
    ended = contractnet("--data", data, *arguments)
    assert ended.returncode == 1, ended.stdout
    assert "Traceback" not in ended.stderr
    return ended.stderr


def shown(lines: Callable[[], Sequence[str]], *wanted: str) -> str:
    """What the lines of a `show` come to once all of `wanted` is in them: the projector publishes every second."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not all(words in (text := "\n".join(lines())) for words in wanted):
        assert time.monotonic() < give_up_at, f"{wanted} not in {text}"
        time.sleep(0.1)
    return text


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """The command, running; its standard output and errors come as one stream of lines."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
