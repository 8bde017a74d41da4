"""The jars: verified against the lock, fetched once, and precise errors where that fails.

The repository is a real HTTP server on loopback with two small files; nothing here needs the internet.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from broker.cache import cache_dir
from broker.jarlock import Jar, lock_hash, read_lock, write_lock
from broker.jars import ensure_jars
from broker.ports import find_free
from broker.progress import Progress
from contractnet.errors import JarHashError, JarMissingError, JarsOfflineError

CONTENTS = {"one": b"1" * 100_000, "two": b"2" * 50_000}
ROOT = Path(__file__).parents[2]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The repository's root directory, laid out as Maven does."""
    for name, content in CONTENTS.items():
        folder = tmp_path / "repository" / "org" / "example" / name / "1.0"
        folder.mkdir(parents=True)
        (folder / f"{name}-1.0.jar").write_bytes(content)
    return tmp_path / "repository"


@pytest.fixture
def repositories(files: Path) -> Iterator[dict[str, str]]:
    """The repository as `ensure_jars` takes it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(files)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"local": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    server.server_close()


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of the two files, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CONTRACTNET_JARS", raising=False)
    path = tmp_path / "jars.lock"
    path.write_text("# a comment\n")
    write_lock([_locked(name, content) for name, content in CONTENTS.items()], path)
    return path


def _locked(name: str, content: bytes) -> Jar:
    digest = hashlib.sha256(content).hexdigest()
    return Jar(f"org.example:{name}:1.0", f"{name}-1.0.jar", len(content), digest)


def test_the_lock_holds_all_of_kafka() -> None:
    """The checked-in lock names 46 jars, each once, with a full hash."""
    jars = read_lock()
    assert len({jar.name for jar in jars}) == len(jars) == 46
    assert all(len(jar.sha256) == 64 and jar.size_bytes > 1000 for jar in jars)
    assert {"kafka_2.13-4.3.1.jar", "kafka-storage-api-4.3.1.jar", "slf4j-simple-1.7.36.jar"} <= {j.name for j in jars}


def test_a_lock_is_read_as_it_was_written(lock: Path) -> None:
    """Writing a lock keeps its comment and all fields."""
    assert read_lock(lock) == tuple(_locked(name, content) for name, content in CONTENTS.items())
    assert lock.read_text().startswith("# a comment\n")


def test_jars_are_fetched_once(lock: Path, repositories: dict[str, str]) -> None:
    """They land in the user's cache in the lock's order, progress is told to the last byte, and then it is quiet."""
    told: list[Progress] = []
    paths = ensure_jars(told.append, lock=lock, repositories=repositories)
    assert [path.read_bytes() for path in paths] == list(CONTENTS.values())
    assert all(path.parent == cache_dir() / "jars" / lock_hash(lock) for path in paths)
    assert told[0] == Progress(0, 2, 0, 150_000)
    assert told[-1] == Progress(2, 2, 150_000, 150_000)
    told.clear()
    unreachable = {"none": f"http://127.0.0.1:{find_free()}"}
    assert ensure_jars(told.append, lock=lock, repositories=unreachable) == paths
    assert told == []
    assert [path.name for path in paths[0].parent.iterdir() if path.name.startswith(".")] == []


def test_a_damaged_jar_of_the_cache_is_fetched_again(lock: Path, repositories: dict[str, str]) -> None:
    """A truncated file in the cache is replaced, and only that one is fetched."""
    first, second = ensure_jars(lock=lock, repositories=repositories)
    first.write_bytes(CONTENTS["one"][:500])
    told: list[Progress] = []
    assert ensure_jars(told.append, lock=lock, repositories=repositories) == [first, second]
    assert first.read_bytes() == CONTENTS["one"]
    assert told[-1] == Progress(1, 1, 100_000, 100_000)


def test_what_differs_from_the_lock_is_not_installed(lock: Path, repositories: dict[str, str], files: Path) -> None:
    """A file with another hash is refused with both hashes; the good one beside it is kept."""
    forged = b"3" * len(CONTENTS["two"])
    (files / "org" / "example" / "two" / "1.0" / "two-1.0.jar").write_bytes(forged)
    with pytest.raises(JarHashError, match=r"two-1\.0\.jar") as raised:
        ensure_jars(lock=lock, repositories=repositories)
    assert hashlib.sha256(forged).hexdigest() in str(raised.value)
    assert hashlib.sha256(CONTENTS["two"]).hexdigest() in str(raised.value)
    assert not raised.value.transient
    directory = cache_dir() / "jars" / lock_hash(lock)
    assert [path.name for path in directory.iterdir()] == ["one-1.0.jar"]


def test_offline_says_what_to_do(lock: Path) -> None:
    """Without a network the error names the jar, tells that a retry may help, and how to do without a network."""
    unreachable = {"none": f"http://127.0.0.1:{find_free()}"}
    with pytest.raises(JarsOfflineError, match=r"org\.example:one:1\.0 .*CONTRACTNET_JARS") as raised:
        ensure_jars(lock=lock, repositories=unreachable)
    assert raised.value.transient


def test_a_jar_that_the_repository_lacks_is_named(lock: Path, repositories: dict[str, str], files: Path) -> None:
    """A repository without the file is the same error, naming the coordinate."""
    (files / "org" / "example" / "two" / "1.0" / "two-1.0.jar").unlink()
    with pytest.raises(JarsOfflineError, match=r"org\.example:two:1\.0"):
        ensure_jars(lock=lock, repositories=repositories)


def test_an_air_gapped_directory_is_used_as_it_is(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With CONTRACTNET_JARS the jars come from there, nothing is downloaded, and the cache stays empty."""
    directory = _air_gap(tmp_path, monkeypatch)
    assert ensure_jars(lock=lock, repositories={}) == [directory / "one-1.0.jar", directory / "two-1.0.jar"]
    assert not cache_dir().exists()


def test_an_air_gapped_directory_that_lacks_a_jar(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the jar, the directory and the variable."""
    directory = _air_gap(tmp_path, monkeypatch)
    (directory / "two-1.0.jar").unlink()
    with pytest.raises(JarMissingError, match=rf"two-1\.0\.jar .*{directory}.*CONTRACTNET_JARS"):
        ensure_jars(lock=lock)


def test_an_air_gapped_jar_that_is_truncated(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A truncated jar is refused with both sizes; the directory is the user's, so nothing is repaired there."""
    directory = _air_gap(tmp_path, monkeypatch)
    (directory / "one-1.0.jar").write_bytes(CONTENTS["one"][:99_999])
    with pytest.raises(JarHashError, match=r"100000 bytes .* got 99999 bytes"):
        ensure_jars(lock=lock)


def test_two_processes_may_fetch_at_once(lock: Path, repositories: dict[str, str]) -> None:
    """Four processes that start together all end with the same verified jars."""
    code = (
        "import sys, pathlib; from broker.jars import ensure_jars; "
        "print(*ensure_jars(lock=pathlib.Path(sys.argv[1]), repositories={'local': sys.argv[2]}))"
    )
    command = [sys.executable, "-c", code, str(lock), repositories["local"]]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0, 0]
    assert len(outputs) == 1
    assert all(jar.matches(cache_dir() / "jars" / lock_hash(lock) / jar.name) for jar in read_lock(lock))


def _air_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "air-gapped"
    directory.mkdir()
    for name, content in CONTENTS.items():
        (directory / f"{name}-1.0.jar").write_bytes(content)
    monkeypatch.setenv("CONTRACTNET_JARS", str(directory))
    return directory
