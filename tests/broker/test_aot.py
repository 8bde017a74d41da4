"""The AOT cache is an optimisation: it is made and used where it can be, and its failure stops nothing."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from broker.aot import _prune, aot_flags
from broker.jars import ensure_jars
from broker.java import find_java
from broker.jvm import JvmBroker


@pytest.fixture
def jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The user's jars with, from here on, an empty cache for all else."""
    paths = ensure_jars()
    monkeypatch.setenv("CONTRACTNET_JARS", str(paths[0].parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return paths


@pytest.mark.broker
@pytest.mark.slow
def test_the_cache_is_made_once_and_used(jars: list[Path], tmp_path: Path) -> None:
    """The first start prepares it and says so, the second finds it, and the JVM accepts it."""
    told: list[str] = []
    flags = aot_flags(find_java(), jars, told.append)
    assert len(told) == 1
    cache = Path(flags[0].removeprefix("-XX:AOTCache="))
    assert cache.stat().st_size > 10_000_000
    assert aot_flags(find_java(), jars, told.append) == flags
    assert len(told) == 1
    assert [path for path in cache.parent.iterdir() if path != cache] == []
    with JvmBroker(tmp_path / "data", port=0) as broker:
        command_line = Path(f"/proc/{broker.pid}/cmdline").read_text()
        mapped = Path(f"/proc/{broker.pid}/maps").read_text()
    assert str(cache) in command_line
    assert str(cache) in mapped, "the JVM was given the cache and did not map it"


def test_only_the_caches_used_last_are_kept(tmp_path: Path) -> None:
    """Each virtual environment has a cache of its own, of 70 MB: those of environments that are gone go, too."""
    for number in range(5):
        cache = tmp_path / f"{number}.aot"
        cache.touch()
        os.utime(cache, (1_000 - number, 1_000 - number))
    _prune(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.aot", "1.aot", "2.aot"]


@pytest.mark.broker
def test_a_failure_to_make_it_stops_nothing(jars: list[Path], tmp_path: Path) -> None:
    """With a cache directory that can't be written, the broker starts all the same, and the reason is told."""
    (tmp_path / "cache").write_text("a file where a directory has to be")
    told: list[str] = []
    with JvmBroker(tmp_path / "data", port=0, notify=told.append) as broker:
        assert broker.pid
    assert "without" in told[-1]


def test_a_failure_is_not_repeated_at_every_start(jars: list[Path], tmp_path: Path) -> None:
    """After a failed try, the next start does without at once."""
    broken = dataclasses.replace(find_java(), launcher=tmp_path / "no-java")
    told: list[str] = []
    assert aot_flags(broken, jars, told.append) == []
    assert len(told) == 2
    assert aot_flags(broken, jars, told.append) == []
    assert len(told) == 2


def test_an_older_java_does_without(jars: list[Path]) -> None:
    """A Java that does not know the option is never given it."""
    older = dataclasses.replace(find_java(), version="21.0.1")
    assert aot_flags(older, jars, print) == []
