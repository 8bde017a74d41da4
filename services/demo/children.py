"""The processes of a run: started together, listened to, and ended by closing their standard input."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contractnet.errors import ServiceError
from services.part import CHECKOUT

_KILL_S = 10.0


@dataclass(frozen=True, slots=True)
class Message:
    """What a process told: its name, the kind of message, and the facts."""

    child: str
    kind: str
    facts: dict[str, Any]


class Children:
    """Processes that each tell lines of JSON. As a context manager it leaves none of them running."""

    def __init__(self, log: Path) -> None:
        self._log_path = log
        self._log = log.open("ab")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._inbox: queue.Queue[Message] = queue.Queue()
        self._asked: set[str] = set()

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start a process in a session of its own: Ctrl-C is for its parent."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        self._processes[name] = process
        threading.Thread(target=self._listen, args=(name, process), name=name, daemon=True).start()

    def take(self, timeout_s: float) -> list[Message]:
        """What has been told since the last call; waits up to `timeout_s` for something. Raises ServiceError."""
        found: list[Message] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._inbox.get(timeout=timeout_s))
            while True:
                found.append(self._inbox.get_nowait())
        for name, process in self._processes.items():
            if name not in self._asked and process.poll() is not None:
                raise ServiceError(f"{name} ended with exit code {process.returncode} (log: {self._log_path})")
        return found

    def wait_ready(self, timeout_s: float, look: Callable[[], None]) -> None:
        """Return when every process has told that it is ready. Raises ServiceError."""
        missing = set(self._processes)
        give_up_at = time.monotonic() + timeout_s
        while missing:
            missing -= {message.child for message in self.take(0.1) if message.kind == "ready"}
            look()
            if time.monotonic() > give_up_at:
                raise ServiceError(f"{', '.join(sorted(missing))} did not get ready (log: {self._log_path})")

    def end(self, prefix: str) -> None:
        """Ask the processes whose names start so to see their work through and end."""
        for name, process in self._processes.items():
            if name.startswith(prefix) and process.stdin is not None:
                self._asked.add(name)
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()

    def ended(self, prefix: str) -> bool:
        """Whether those have ended. Raises ServiceError where one of them failed."""
        codes = {name: process.poll() for name, process in self._processes.items() if name.startswith(prefix)}
        failed = [f"{name} (exit code {code})" for name, code in codes.items() if code]
        if failed:
            raise ServiceError(f"{', '.join(failed)} failed (log: {self._log_path})")
        return all(code is not None for code in codes.values())

    def kill(self, prefix: str) -> None:
        """End the processes whose names start so at once: what they wait for will not come."""
        for name, process in self._processes.items():
            if name.startswith(prefix):
                self._asked.add(name)
                process.kill()

    def close(self) -> None:
        """End all that still run, kindly at first."""
        self.end("")
        give_up_at = time.monotonic() + _KILL_S
        for process in self._processes.values():
            try:
                process.wait(max(0.0, give_up_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()

    def _listen(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            facts = json.loads(line)
            self._inbox.put(Message(name, facts.pop("kind"), facts))
