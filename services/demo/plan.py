"""What the processes of a run are told: a JSON file, mode 0600, that each of them reads; and how they answer."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contractnet.messages import Priority
from services.demo.calls import Call
from services.demo.demand import Task


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `members`, `managers` (by pool) and `contractors` are names and credential files, `oncall` that of the
    System agent, "" for none; `gates` the loopback port of each pool's gate; `budgets` what the market lets an agent
    spend, where that is less than `budget_ucr`.

    `starts_at_s` is wall clock; `eagerness` the chance that an agent looks at a CFP at all, `patience` the chance that
    it looks whether to buy work.
    """

    bootstrap: str
    market: str
    genesis: str
    seed: int
    duration_s: float
    starts_at_s: float
    eagerness: float
    patience: float
    budget_ucr: int
    budgets: dict[str, int]
    members: dict[str, str]
    managers: dict[str, str]
    contractors: dict[str, str]
    oncall: str
    gates: dict[str, int]
    tasks: dict[str, list[Task]]
    calls: dict[str, list[Call]]

    def members_of(self, index: int, processes: int) -> list[str]:
        """The credential files of the agents of one process; it shows the broker the first one's."""
        return [file for _, file in sorted(self.members.items())[index::processes]]

    @property
    def managers_files(self) -> list[str]:
        """The credential files of all managers, contractors and the System agent, who are one process; it shows the
        broker the first one's."""
        return sorted({*self.managers.values(), *self.contractors.values(), *filter(None, [self.oncall])})

    def write(self, path: Path) -> None:
        """Write the plan for the processes to read."""
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self), file)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan in a file."""
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        tasks = {
            name: [Task(**{**entry, "priority": Priority(entry["priority"])}) for entry in entries]
            for name, entries in data.pop("tasks").items()
        }
        calls = {name: [Call(**entry) for entry in entries] for name, entries in data.pop("calls").items()}
        return cls(**data, tasks=tasks, calls=calls)


def report(kind: str, **facts: object) -> None:
    """Tell the parent something, as one line of JSON."""
    sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
    sys.stdout.flush()


def on_parent_end(action: Any) -> None:
    """Call `action` once the parent has closed our standard input: it is done, or it is dead."""

    def wait() -> None:
        # Not sys.stdin: at shutdown the interpreter would want the lock that a reading thread holds, and abort.
        while os.read(descriptor, 4096):
            pass
        action()

    descriptor = sys.stdin.fileno()
    threading.Thread(target=wait, name="parent", daemon=True).start()
