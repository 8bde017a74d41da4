"""Downloading the jars of the lock with jgo, a resolver for Maven repositories in Python.

Only `broker.jars` imports this module, and only when something is missing: importing jgo takes a quarter of a second.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import jgo
import requests
from jgo.maven import MavenContext, PythonResolver

from broker.jarlock import ENDPOINT, LOCK_FILE, Jar, sha256_of
from broker.progress import Progress, ProgressCallback
from contractnet.errors import JarHashError, JarsOfflineError

_CONNECTIONS = 8
_TIMEOUT_S = 30


def download_all(
    jars: Sequence[Jar],
    directory: Path,
    progress: ProgressCallback | None = None,
    repositories: Mapping[str, str] | None = None,
) -> None:
    """Put the jars into `directory`, each verified and in one step; several processes may do so at once.

    `repositories` are Maven repositories as name and URL, by default jgo's. Errors: `JarsOfflineError`,
    `JarHashError`; the jars that had arrived until then stay.
    """
    meter = _Meter(len(jars), sum(jar.size_bytes for jar in jars), progress)
    meter.report()
    # Inside the directory, because a rename is atomic only within one file system.
    with (
        tempfile.TemporaryDirectory(prefix=".download-", dir=directory) as scratch,
        ThreadPoolExecutor(_CONNECTIONS) as pool,
    ):
        source = MavenContext(
            resolver=PythonResolver(progress_callback=meter.bytes_of),
            repo_cache=Path(scratch),
            remote_repos=dict(repositories) if repositories else None,
            timeout=_TIMEOUT_S,
        )
        tasks = [pool.submit(_download, jar, source, directory, meter) for jar in jars]
        try:
            for task in tasks:
                task.result()
        finally:
            # After an error: nothing new is begun, and the pool's exit waits for what is under way.
            pool.shutdown(wait=False, cancel_futures=True)


def resolve() -> list[Jar]:
    """The jars that the endpoint resolves to now, for writing the lock anew. Downloads them all."""
    jars = []
    for artifact in jgo.resolve(ENDPOINT):
        path = artifact.resolve()
        coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
        jars.append(Jar(coordinate, path.name, path.stat().st_size, sha256_of(path)))
    return jars


def _download(jar: Jar, source: MavenContext, directory: Path, meter: _Meter) -> None:
    group, artifact, version = jar.coordinate.split(":")
    try:
        path = source.project(group, artifact).at_version(version).artifact().resolve()
    except (requests.RequestException, RuntimeError, OSError) as error:
        # RuntimeError is jgo's answer where no repository has the file.
        raise JarsOfflineError(
            f"{jar.coordinate} could not be downloaded: {error}. Check the network and try again (what has arrived is "
            f"kept in {directory}). Without a network: copy that directory's jars, {LOCK_FILE.name} names them, from "
            f"a machine that has them, and set CONTRACTNET_JARS to where they are."
        ) from error
    if not jar.matches(path):
        raise JarHashError(
            f"{jar.difference(path)} It was not installed. Try again; if it stays so, then what the network delivers "
            f"is not what was locked: do not use it, and ask whoever runs your mirror or proxy."
        )
    path.replace(directory / jar.name)
    meter.finished_one()


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
