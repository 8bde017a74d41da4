"""Writing files that hold secrets."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step. Raises OSError."""
    # mkstemp creates with 0600 from the first byte on, whatever the umask.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
