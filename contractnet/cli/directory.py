"""The data directory: what lies where, whose it is, and which version wrote it.

VERSION            one line, the version of this layout
keys/              operator.json, operator.pub, bank-<market>.json: the secrets of a market, mode 0600;
                   operator-<market>.json where the operator's key was rotated in that market
access/            what each role shows the broker, mode 0600; agents have theirs in their credential files
agents/            credential files that `enroll`, `demo` and `simulate` write
logs/              one file for each part that `up` runs
run/               up.lock (who runs here) and up.json (what it runs)
broker/            the embedded broker's own files
ledger.duckdb      what the projector publishes
"""

from __future__ import annotations

import json
import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from contractnet.access import FOLDER
from contractnet.errors import DataDirectoryError

VERSION = "1"
SECRET_MODE = 0o700


class DataDirectory:
    """Paths below one data directory; `path` is absolute."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.keys = self.path / "keys"
        self.access = self.path / FOLDER
        self.agents = self.path / "agents"
        self.logs = self.path / "logs"
        self.run = self.path / "run"
        self.operator = self.keys / "operator.json"
        self.operator_public = self.keys / "operator.pub"
        self.lock = self.run / "up.lock"
        self.state = self.run / "up.json"
        self.ledger = self.path / "ledger.duckdb"

    def bank(self, market: str) -> Path:
        """The bank's credential file of a market, whose name may hold any character."""
        return self.keys / f"bank-{quote(market, safe='')}.json"

    def operator_of(self, market: str) -> Path:
        """The operator's credential file of a market in which its key was rotated."""
        return self.keys / f"operator-{quote(market, safe='')}.json"

    def newest_operator(self, market: str) -> Path:
        """The one that signs in a market now: that of its rotated key, where there is one, else the first."""
        rotated = self.operator_of(market)
        return rotated if rotated.is_file() else self.operator

    def agent(self, name: str) -> Path:
        """The default place of an agent's credential file."""
        return self.agents / f"{quote(name, safe='')}.json"

    def log(self, part: str) -> Path:
        """The log of one part."""
        return self.logs / f"{part}.log"

    def bootstrap(self) -> str | None:
        """The broker's address that a running `up` has noted, else None."""
        try:
            noted = json.loads(self.state.read_text("utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        address = noted.get("bootstrap") if isinstance(noted, dict) else None
        return address if isinstance(address, str) else None

    def check(self) -> None:
        """Raise DataDirectoryError where another version wrote the directory, or it is no directory."""
        if self.path.exists() and not self.path.is_dir():
            raise DataDirectoryError(f"{self.path} is a file. Give a directory (--data or CONTRACTNET_DATA).")
        file = self.path / "VERSION"
        found = file.read_text("utf-8", errors="replace").strip() if file.is_file() else VERSION
        if found != VERSION:
            raise DataDirectoryError(
                f"{self.path} was written by another version of contractnet (layout {found[:20]!r}, this one reads "
                f"{VERSION!r}). Use that version, or another directory (--data)."
            )

    def prepare(self) -> None:
        """Check the directory and whose it is, and create what is missing of it. Raises DataDirectoryError."""
        self.check()
        try:
            # Not mkdir's `parents`: it would leave those open to whomever the umask does.
            for folder in (*reversed(self.path.parents), self.path):
                folder.mkdir(mode=0o755, exist_ok=True)
            self._check_owner()
            for folder in (self.logs, self.run):
                folder.mkdir(exist_ok=True)
            for secret in (self.keys, self.access, self.agents):
                _keep_secret(secret)
            (self.path / "VERSION").write_text(VERSION + "\n", "utf-8")
        except OSError as error:
            raise DataDirectoryError(
                f"{self.path} cannot be written: {os.strerror(error.errno or 0)}. Choose another one (--data)."
            ) from error

    def _check_owner(self) -> None:
        """Raise DataDirectoryError where somebody else may put other folders and keys into the directory."""
        # The directory may be a link that its user made: what it leads to counts.
        found = self.path.stat()
        if found.st_uid != os.geteuid():
            raise DataDirectoryError(
                f"{self.path} belongs to another user (uid {found.st_uid}), who could replace every key in it. Use a "
                f"directory of your own (--data), run as that user, or make it yours: chown -R {os.geteuid()} "
                f"{shlex.quote(str(self.path))}"
            )
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            mode = stat.S_IMODE(found.st_mode)
            raise DataDirectoryError(
                f"{self.path} can be written by others (mode {mode:04o}), who could replace every key in it. Look "
                f"whether its files are yours, then: chmod go-w {shlex.quote(str(self.path))}"
            )
        for parent in self.path.resolve().parents:
            above = parent.stat().st_mode
            # Where it is sticky, as /tmp is, everybody may add to it, and remove only what is their own.
            if above & stat.S_IWOTH and not above & stat.S_ISVTX:
                raise DataDirectoryError(
                    f"{parent}, in which {self.path} lies, can be written by everybody (mode "
                    f"{stat.S_IMODE(above):04o}), who could put one of their own in its place. Use another one "
                    f"(--data), or: chmod o-w {shlex.quote(str(parent))}"
                )


def _keep_secret(folder: Path) -> None:
    """Make a folder of secrets, or close to others the one that is there. Raises DataDirectoryError, OSError."""
    with suppress(FileExistsError):
        folder.mkdir(mode=SECRET_MODE)
    # The folder itself: where it is a link, what it leads to is guarded by nobody.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        what = "a link" if stat.S_ISLNK(found.st_mode) else "a file"
        raise DataDirectoryError(
            f"{folder} is {what}, and has to be a folder with the secrets themselves. Move it away, and what it leads "
            f"to into its place; the data directory as a whole may be a link."
        )
    if found.st_uid != os.geteuid():
        raise DataDirectoryError(
            f"{folder} belongs to another user (uid {found.st_uid}), who can read and replace the secrets in it. Use a "
            f"directory of your own (--data), or make it yours: chown -R {os.geteuid()} {shlex.quote(str(folder))}"
        )
    if stat.S_IMODE(found.st_mode) != SECRET_MODE:
        folder.chmod(SECRET_MODE)
