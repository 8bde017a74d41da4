"""The requirements files: complete, hashed, free of addresses, and in step with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]

RUNTIME, DEVELOPMENT, AUDIT = "requirements.lock", "requirements-dev.lock", "requirements-audit.lock"

PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """Return name -> version of every package that the requirements file pins."""
    return {m["name"]: m["version"] for m in PIN.finditer((ROOT / lock).read_text(encoding="utf-8"))}


def declared(lock: str) -> list[Requirement]:
    """Return the requirements of pyproject.toml that `lock` has to satisfy."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    if lock == AUDIT:
        return [Requirement(text) for text in groups["audit"]]
    texts = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["services"]
    texts += groups["build"]
    if lock == DEVELOPMENT:
        texts += [text for text in groups["dev"] if isinstance(text, str)]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT, AUDIT])
def test_lock_satisfies_pyproject(lock: str) -> None:
    """Each declared package is pinned at a version that its declaration allows."""
    locked = pins(lock)
    for requirement in declared(lock):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{lock} lacks {requirement.name}: run `make lock`"
        assert version in requirement.specifier, f"{lock} pins {requirement.name} {version}: run `make lock`"


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*")))
def test_every_pin_has_hashes_and_no_address(lock: str) -> None:
    """Every line is a pin, a SHA-256 or a comment, and every pin has a SHA-256."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    strange = [line for line in lines if not PIN.match(line) and not line.startswith("    --hash=sha256:")]
    assert not strange, f"{lock} holds lines that are neither pin nor hash: {strange}"
    unhashed = [
        line for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if PIN.match(line) and not following.startswith("    --hash=sha256:")
    ]  # fmt: skip
    assert not unhashed, f"{lock} pins without a hash: {unhashed}"


def test_the_development_lock_extends_the_runtime_lock() -> None:
    """What is tested is what is shipped: both files pin the same version of a package."""
    development = pins(DEVELOPMENT)
    different = {name: version for name, version in pins(RUNTIME).items() if development.get(name) != version}
    assert not different, f"{DEVELOPMENT} differs from {RUNTIME} in {different}: run `make lock`"


def test_every_jar_is_pinned_by_its_hash() -> None:
    """The broker's jars: name, size and SHA-256 each, none twice (tests/broker/test_jars.py: others do not run)."""
    lines = (ROOT / "broker/jars.lock").read_text("utf-8").splitlines()
    jars = [line.split() for line in lines if line and not line.startswith("#")]
    assert len(jars) > 40
    assert len({name for _, _, name in map(_ordered, jars)}) == len(jars)


def _ordered(fields: list[str]) -> tuple[str, int, str]:
    """Hash, size and name of a line, in whatever order it has them."""
    (digest,) = [field for field in fields if re.fullmatch(r"[0-9a-f]{64}", field)]
    (size,) = [field for field in fields if field.isdecimal()]
    (name,) = [field for field in fields if field.endswith(".jar")]
    return digest, int(size), name
