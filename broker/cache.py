"""Where the user's cache is: what can be made again and is shared by all projects of a user."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/contractnet`, by default `~/.cache/contractnet`. Not created here."""
    # A relative value is invalid by the XDG base directory specification and has to be ignored.
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (configured if configured.is_absolute() else Path.home() / ".cache") / "contractnet"
