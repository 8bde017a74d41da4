"""What a measurement is worth later: its rows, with what was measured, when, and on what."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

OUT = Path(__file__).parent / "out"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """`commit` ends in `+` where files differ from it. `load` is the average of the last minute, before the section."""

    commit: str
    date: str
    cores: int
    load: float
    short: bool

    @classmethod
    def now(cls, *, short: bool) -> Circumstances:
        """Those of a section that is about to begin."""
        date = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(_commit(), date, os.cpu_count() or 0, round(os.getloadavg()[0], 2), short)

    def line(self) -> str:
        """For above a table."""
        size = ", --short" if self.short else ""
        return f"commit {self.commit}, {self.date}, {self.cores} cores, load average {self.load} at the start{size}"


def write(name: str, circumstances: Circumstances, rows: list[dict[str, object]], out: Path = OUT) -> Path:
    """Store a section's rows. A short run never replaces a full one."""
    out.mkdir(exist_ok=True)
    path = out / f"{name}{'.short' if circumstances.short else ''}.json"
    path.write_text(json.dumps(asdict(circumstances) | {"rows": rows}, indent=2) + "\n")
    return path


def _commit() -> str:
    """Of this checkout; `unknown` in a copy without its history."""
    try:
        commit, changes = (_git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changes else "")


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()
