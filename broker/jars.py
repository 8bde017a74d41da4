"""The jars of the embedded broker: downloaded once per user, and never run unless they are those of the lock.

`python -m broker.jars` fills the cache; `python -m broker.jars --relock` writes the lock anew after a version change.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from broker.cache import cache_dir
from broker.settings import KAFKA_VERSION
from contractnet.errors import JarHashError, JarMissingError, JarsOfflineError

LOCK_FILE = Path(__file__).with_name("jars.lock")
# slf4j-simple 1.7.36: 2.x does not bind to the slf4j-api that Kafka brings, and then nothing is logged.
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
AIR_GAP_VARIABLE = "CONTRACTNET_JARS"
_CONNECTIONS = 8
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock. `coordinate` is `group:artifact:version`, `sha256` lowercase hex."""

    coordinate: str
    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is, over all jars of the lock that were not in the cache."""

    jars_done: int
    jars_total: int
    bytes_done: int
    bytes_total: int


ProgressCallback = Callable[[Progress], None]


def read_lock(path: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """The jars of the lock in class path order."""
    rows = (line.split() for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate, name, int(size), sha256) for coordinate, name, size, sha256 in rows)


def lock_hash(path: Path = LOCK_FILE) -> str:
    """The first 16 hex digits of the lock file's SHA-256: names the cache that belongs to it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def ensure_jars(progress: ProgressCallback | None = None, lock: Path = LOCK_FILE) -> list[Path]:
    """The verified jars as paths in class path order; downloads what the user's cache lacks.

    With `CONTRACTNET_JARS` set, that directory is used as it is and nothing is downloaded.
    Errors: `JarMissingError`, `JarHashError`, `JarsOfflineError`.
    """
    jars = read_lock(lock)
    if air_gapped := os.environ.get(AIR_GAP_VARIABLE):
        return _from_directory(Path(air_gapped), jars)
    directory = cache_dir() / "jars" / lock_hash(lock)
    # A cached jar that differs (a full disk, a bad copy) is simply fetched again.
    absent = [jar for jar in jars if not _matches(directory / jar.name, jar)]
    if absent:
        directory.mkdir(parents=True, exist_ok=True)
        _download_all(absent, directory, progress)
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
        if not _matches(path, jar):
            raise JarHashError(_difference(path, jar, f"Replace it in {where} by a fresh copy."))
    return [directory / jar.name for jar in jars]


def _download_all(jars: list[Jar], directory: Path, progress: ProgressCallback | None) -> None:
    meter = _Meter(len(jars), sum(jar.size_bytes for jar in jars), progress)
    meter.report()
    # In the cache's own file system, so that the final rename is atomic however many processes do this at once.
    with (
        tempfile.TemporaryDirectory(prefix=".download-", dir=directory) as scratch,
        ThreadPoolExecutor(_CONNECTIONS) as pool,
    ):
        tasks = [pool.submit(_download, jar, Path(scratch), directory, meter) for jar in jars]
        try:
            for task in tasks:
                task.result()
        finally:
            # After an error: nothing new is begun, and the pool's exit waits for what is under way.
            pool.shutdown(wait=False, cancel_futures=True)


def _download(jar: Jar, scratch: Path, directory: Path, meter: _Meter) -> None:
    import requests
    from jgo.maven import MavenContext, PythonResolver

    group, artifact, version = jar.coordinate.split(":")
    context = MavenContext(PythonResolver(progress_callback=meter.bytes_of), scratch, timeout=_TIMEOUT_S)
    try:
        path = context.project(group, artifact).at_version(version).artifact().resolve()
    except (requests.RequestException, RuntimeError, OSError) as error:
        # jgo answers RuntimeError for "not found" and for its offline mode.
        raise JarsOfflineError(
            f"{jar.coordinate} could not be downloaded: {error}. Check the network and try again (finished jars are "
            f"kept in {directory}), or copy the {jar.name} and the other jars of {LOCK_FILE.name} from a machine "
            f"that has them and set {AIR_GAP_VARIABLE} to their directory."
        ) from error
    if not _matches(path, jar):
        raise JarHashError(
            _difference(path, jar, "It was not installed. Try again; if it stays so, what the network delivers is not "
                        "what the lock names: do not use it, and ask whoever runs your mirror or proxy.")
        )  # fmt: skip
    path.replace(directory / jar.name)
    meter.finished_one()


def _matches(path: Path, jar: Jar) -> bool:
    return path.is_file() and path.stat().st_size == jar.size_bytes and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _difference(path: Path, jar: Jar, advice: str) -> str:
    return (
        f"{jar.name} is not the jar that {LOCK_FILE.name} names: expected {jar.size_bytes} bytes with SHA-256 "
        f"{jar.sha256}, got {path.stat().st_size} bytes with {_sha256(path)}. {advice}"
    )


@dataclass(slots=True)
class _Meter:
    """Counts over all download threads and tells the callback, one call at a time."""

    jars_total: int
    bytes_total: int
    callback: ProgressCallback | None
    jars_done: int = 0
    bytes_done: int = 0
    guard: Lock = field(default_factory=Lock)

    def bytes_of(self, _name: str, _size_bytes: int) -> AbstractContextManager[Callable[[int], None]]:
        """The shape that jgo asks for: a context manager that yields a function to be told of each chunk's bytes."""
        return nullcontext(self._advance)

    def _advance(self, count: int) -> None:
        with self.guard:
            self.bytes_done += count
            self.report()

    def finished_one(self) -> None:
        with self.guard:
            self.jars_done += 1
            self.report()

    def report(self) -> None:
        if self.callback:
            self.callback(Progress(self.jars_done, self.jars_total, self.bytes_done, self.bytes_total))


def _relock() -> None:
    """Resolve the endpoint anew and write the lock, keeping its comment. For maintainers, after a version change."""
    import jgo

    artifacts = jgo.resolve(ENDPOINT)
    comment = [line for line in LOCK_FILE.read_text().splitlines() if line.startswith("#")]
    rows = []
    for artifact in artifacts:
        path = artifact.resolve()
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        rows.append(f"{coordinate}  {path.name}  {path.stat().st_size}  {_sha256(path)}")
    LOCK_FILE.write_text("\n".join([*comment, *rows]) + "\n")


if __name__ == "__main__":
    import sys

    if sys.argv[1:] == ["--relock"]:
        _relock()
    for ready in ensure_jars():
        print(ready)
