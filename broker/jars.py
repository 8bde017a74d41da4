"""The jars of the embedded broker: downloaded once per user, and never run unless they are those of the lock.

`python -m broker.jars` fills the cache and lists it; `python -m broker.jars --relock` writes the lock anew after a
change of version.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from broker.cache import cache_dir
from broker.jarlock import LOCK_FILE, Jar, lock_hash, read_lock, write_lock
from broker.progress import ProgressCallback
from contractnet.errors import JarHashError, JarMissingError

AIR_GAP_VARIABLE = "CONTRACTNET_JARS"


def ensure_jars(
    progress: ProgressCallback | None = None,
    *,
    lock: Path = LOCK_FILE,
    repositories: Mapping[str, str] | None = None,
) -> list[Path]:
    """The verified jars as paths in class path order; downloads what the user's cache lacks.

    With `CONTRACTNET_JARS` set, that directory is used as it is and nothing is downloaded. `repositories` are Maven
    repositories as name and URL, by default jgo's; what they deliver is checked against the lock all the same.
    Errors: `JarMissingError`, `JarHashError`, `JarsOfflineError`.
    """
    jars = read_lock(lock)
    if air_gapped := os.environ.get(AIR_GAP_VARIABLE):
        return _from_directory(Path(air_gapped), jars)
    directory = cache_dir() / "jars" / lock_hash(lock)
    # A cached jar that differs (a full disk, a bad copy) is simply fetched again.
    absent = [jar for jar in jars if not jar.matches(directory / jar.name)]
    if absent:
        # Here and not above: see the module's docstring.
        from broker.download import download_all

        directory.mkdir(parents=True, exist_ok=True)
        download_all(absent, directory, progress, repositories)
    return [directory / jar.name for jar in jars]


def _from_directory(directory: Path, jars: tuple[Jar, ...]) -> list[Path]:
    where = f"the directory {directory} (from {AIR_GAP_VARIABLE})"
    for jar in jars:
        path = directory / jar.name
        if not path.is_file():
            raise JarMissingError(
                f"{jar.name} is not in {where}. Copy all {len(jars)} jars that {LOCK_FILE.name} names into it, "
                f"or unset {AIR_GAP_VARIABLE} to download them."
            )
        if not jar.matches(path):
            raise JarHashError(f"{jar.difference(path)} Replace it in {where} by a fresh copy.")
    return [directory / jar.name for jar in jars]


def main(arguments: list[str]) -> None:
    """The two commands of the module's docstring."""
    if arguments == ["--relock"]:
        from broker.download import resolve

        write_lock(resolve())
    for path in ensure_jars():
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
