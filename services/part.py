"""One supervised process: started, watched, started again after a growing pause."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from services.state import PartState

CHECKOUT = Path(__file__).resolve().parent.parent
BACKOFF_S_MIN = 0.5
BACKOFF_S_MAX = 30.0
# A part that lived this long was well: its next crash starts the back-off anew.
WELL_AFTER_S = 30.0
EXIT_FAULT = 70
"""Exit code of a part that met a fault, and has told what in its last line."""
EXIT_TERMINAL = 78
"""Exit code of a part for which another start can't help, such as a ledger that is not the one it knows."""
_LOG_BYTES_MAX = 10_000_000
_HEALTH_TIMEOUT_S = 1.0


class Part:
    """A process of the market. Its output goes to `log`; `web_port` is where its /health answers, if it has one."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        web_port: int | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.web_port = web_port
        self.restarts = 0
        self.given_up = False
        self._arguments = [sys.executable, *arguments]
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._created_s: float | None = None
        self._started_at = 0.0
        self._backoff_s = BACKOFF_S_MIN
        self._start_at: float | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the running process."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process in a session of its own: Ctrl-C is for its supervisor, which stops all in order."""
        if self.log.is_file() and self.log.stat().st_size > _LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments,
                cwd=CHECKOUT,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._created_s = psutil.Process(self._process.pid).create_time()
        self._started_at = time.monotonic()
        self._start_at = None

    def look(self) -> str | None:
        """Notice an end, and start again when it is time. What happened, in words, or None."""
        now = time.monotonic()
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return None
            return self._ended(code, now)
        if self._start_at is not None and now >= self._start_at:
            self.start()
            self.restarts += 1
            return f"{self.name} started again (pid {self.pid})"
        return None

    def _ended(self, code: int, now: float) -> str:
        self._process = None
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        if code == EXIT_TERMINAL:
            self.given_up = True
            return f"{self.name} ended {how} and is not started again: {self.last_words()} (log: {self.log})"
        if now - self._started_at >= WELL_AFTER_S:
            self._backoff_s = BACKOFF_S_MIN
        pause_s, self._backoff_s = self._backoff_s, min(BACKOFF_S_MAX, self._backoff_s * 2)
        self._start_at = now + pause_s
        why = f": {self.last_words()}" if code == EXIT_FAULT else ""
        return f"{self.name} ended {how}{why}; next start in {pause_s:g} s (log: {self.log})"

    def is_healthy(self) -> bool:
        """Whether the process runs, and says that it is ready where it can say so."""
        if self._process is None or self._process.poll() is not None:
            return False
        return self.web_port is None or answers_ready(self.web_port)

    def last_words(self) -> str:
        """The last line of the log."""
        if not self.log.is_file():
            return "it wrote nothing"
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 4096))
            lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it wrote nothing"

    def terminate(self) -> None:
        """Ask the process to end."""
        self._start_at = None
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, timeout_s: float) -> None:
        """Wait for its end, and after `timeout_s` kill it."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def state(self) -> PartState:
        """What the state file says of it."""
        status = "running" if self._process is not None else "given up" if self.given_up else "waiting"
        created_s = self._created_s if self._process is not None else None
        return PartState(self.name, self.pid, created_s, str(self.log), self.web_port, self.restarts, status)


def answers_ready(port: int) -> bool:
    """Whether http://127.0.0.1:<port>/health answers with 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=_HEALTH_TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
