"""Results of sections that have ended, kept so that an interrupted campaign can go on, each with what it is of."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from faults.sections.registry import SECTIONS
from faults.tally import Tally


@dataclass(frozen=True, slots=True)
class Run:
    """What has to be the same for a result to belong to a campaign. `rate` is in commands a second, `rules` the version
    that markets are opened with."""

    form: str
    seed: int
    rate: float
    rules: int
    commit: str

    def differences(self, other: dict[str, object]) -> list[str]:
        """What is not so in another run, as it was saved."""
        own = asdict(self)
        return [f"{name} {other.get(name)}, now {value}" for name, value in own.items() if other.get(name) != value]


@dataclass(frozen=True, slots=True)
class Results:
    """The results in a directory. A section that is about to run has none: what is there is of a run that has ended."""

    data: Path
    run: Run

    def clear(self) -> None:
        """Forget the results of all sections."""
        for name in SECTIONS:
            self.forget(name)

    def forget(self, section: str) -> None:
        """Forget a section's result, if there is one."""
        self._path(section).unlink(missing_ok=True)

    def keep(self, section: str, tally: Tally) -> None:
        """Save a section's result."""
        self._path(section).write_text(json.dumps({"run": asdict(self.run), "tally": vars(tally)}), "utf-8")

    def taken(self, section: str) -> Tally | list[str]:
        """A section's result of a run like this one, or why there is none to take: nothing saved, no reason."""
        if not self._path(section).is_file():
            return []
        saved = json.loads(self._path(section).read_text("utf-8"))
        if differences := self.run.differences(saved.get("run", {})):
            return differences
        return Tally.of(saved["tally"])

    def _path(self, section: str) -> Path:
        return self.data / f"{section}.json"


def newest_seed(data: Path) -> int | None:
    """The seed of the newest result in a directory: who goes on need not repeat it."""
    paths = [path for name in SECTIONS if (path := data / f"{name}.json").is_file()]
    if not paths:
        return None
    newest = max(paths, key=lambda path: path.stat().st_mtime_ns)
    seed = json.loads(newest.read_text("utf-8")).get("run", {}).get("seed")
    return seed if isinstance(seed, int) else None


def commit() -> str:
    """Of this checkout, with a digest of what differs from it; `unknown` in a copy without its history."""
    try:
        head, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain") + _git("diff", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head[:12] + (f"+{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else "")


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()
