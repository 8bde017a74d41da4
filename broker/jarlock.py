"""The lock of the jars: which files the embedded broker consists of, byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from broker.settings import KAFKA_VERSION

LOCK_FILE = Path(__file__).with_name("jars.lock")
# slf4j-simple 1.7.36: 2.x does not bind to the slf4j-api that Kafka brings, and then nothing is logged.
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock. `coordinate` is `group:artifact:version`, `sha256` lowercase hex."""

    coordinate: str
    name: str
    size_bytes: int
    sha256: str

    def matches(self, path: Path) -> bool:
        """Whether the file exists and is this jar. All 46 take 30 ms, so they are checked at every start."""
        return path.is_file() and path.stat().st_size == self.size_bytes and sha256_of(path) == self.sha256

    def difference(self, path: Path) -> str:
        """One sentence on how the file differs from this jar."""
        return (
            f"{path.name} is not the jar that {LOCK_FILE.name} names: expected {self.size_bytes} bytes with SHA-256 "
            f"{self.sha256}, got {path.stat().st_size} bytes with {sha256_of(path)}."
        )


def read_lock(path: Path = LOCK_FILE) -> tuple[Jar, ...]:
    """The jars of the lock in class path order."""
    rows = (line.split() for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate, name, int(size), sha256) for coordinate, name, size, sha256 in rows)


def write_lock(jars: list[Jar], path: Path = LOCK_FILE) -> None:
    """Write the lock anew, keeping the comment at its top."""
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]
    rows = [f"{jar.coordinate}  {jar.name}  {jar.size_bytes}  {jar.sha256}" for jar in jars]
    path.write_text("\n".join([*comment, *rows]) + "\n")


def lock_hash(path: Path = LOCK_FILE) -> str:
    """The first 16 hex digits of the lock file's SHA-256: names the cache that belongs to it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in lowercase hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
