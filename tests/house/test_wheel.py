"""The wheel as an agent's author gets it: one package, its schemas, and few dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    """Return the standard output of `command`; fail the test with all its output when it exits non-zero."""
    # PYTHONPATH would let the checkout in by the back door.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the checkout with the locked hatchling."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", out, cwd=ROOT)
    (built,) = out.glob("contractnet-*.whl")
    return built


@pytest.fixture(scope="module")
def agent_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a new environment that holds the wheel and its dependencies, and nothing else."""
    home = tmp_path_factory.mktemp("agent") / "venv"
    python = home / "bin" / "python"
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, home, cwd=home.parent)
    locked = ("--constraint", ROOT / "requirements.lock")
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *locked, wheel, cwd=home.parent)
    return python


def test_wheel_ships_one_top_level_name(wheel: Path) -> None:
    """An agent's environment gets `contractnet` and no generic names such as `market` or `broker`."""
    with zipfile.ZipFile(wheel) as archive:
        top = {name.partition("/")[0] for name in archive.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"contractnet"}


def test_wheel_holds_every_schema_and_the_type_marker(wheel: Path) -> None:
    """Each .avsc of the checkout is in the wheel under contractnet/_schemas, byte for byte."""
    schemas = {path.relative_to(ROOT / "schemas").as_posix(): path for path in (ROOT / "schemas").rglob("*.avsc")}
    assert schemas, "schemas/ holds no .avsc"
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.endswith(".avsc")}
        assert shipped == {f"contractnet/_schemas/{name}" for name in schemas}
        for name, path in schemas.items():
            assert archive.read(f"contractnet/_schemas/{name}") == path.read_bytes()
        assert "contractnet/py.typed" in archive.namelist(), "agents' type checkers need contractnet/py.typed"


@pytest.mark.slow
def test_wheel_imports_without_the_services(agent_python: Path, tmp_path: Path) -> None:
    """In a new environment the package imports, its schemas load, and none of the services' packages are there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    services = [Requirement(text).name for text in project["optional-dependencies"]["services"]]
    program = (
        "import contractnet, importlib.metadata, importlib.resources\n"
        "schemas = importlib.resources.files(contractnet) / '_schemas'\n"
        "assert schemas.is_dir(), schemas\n"
        "print(*(d.metadata['Name'] for d in importlib.metadata.distributions()))\n"
    )
    installed = {canonicalize_name(name) for name in run(agent_python, "-c", program, cwd=tmp_path).split()}
    assert "contractnet" in installed
    assert not installed & {canonicalize_name(name) for name in services}


@pytest.mark.slow
def test_wheel_command_answers_without_the_services(agent_python: Path, tmp_path: Path) -> None:
    """The `contractnet` command of an agent's environment starts and prints its help."""
    assert "contractnet" in run(agent_python.parent / "contractnet", "--help", cwd=tmp_path)
