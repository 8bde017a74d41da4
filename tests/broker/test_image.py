"""The Dockerfile without an engine: its pip lines in a clean environment, and then the compose file's commands there.

The base image, the user, the volume, and everything that an engine does: tests/services/test_compose_engine.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import venv
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

from broker.interface import Broker

pytestmark = [pytest.mark.slow, pytest.mark.broker]

ROOT = Path(__file__).parents[2]
# The lines install some 300 MB from a registry; alone they take half a minute.
INSTALL_TIMEOUT_S = 600
STARTED_AFTER_S = 5.0
STOP_GRACE_S = 20.0


@dataclass(frozen=True)
class Image:
    """What `docker build` would have made: the work directory and the environment of its commands."""

    app: Path
    environment: dict[str, str]


def instructions(keyword: str) -> list[str]:
    """The arguments of all Dockerfile instructions of one kind, in order."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [line.removeprefix(keyword).strip() for line in lines if line.startswith(keyword + " ")]


def copied_files() -> list[str]:
    """What `COPY . .` copies: git's files, as far as .dockerignore lets them through."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    return [name for name in names if (ROOT / name).is_file() and not any(fnmatch(name, rule) for rule in ignored)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> Image:
    """A clean virtual environment in which the Dockerfile's pip lines have run, in its order."""
    home = tmp_path_factory.mktemp("image")
    app, data = home / "app", home / "data"
    data.mkdir()
    for name in copied_files():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, app / name)
    venv.create(home / "venv", with_pip=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))},
        "PATH": f"{home / 'venv' / 'bin'}:/usr/bin:/bin",
        "PYTHONUNBUFFERED": "1",
        "CONTRACTNET_DATA": str(data),
        "CONTRACTNET_BOOTSTRAP": broker.bootstrap,
    }
    for line in instructions("RUN"):
        if line.startswith("pip "):
            ran = subprocess.run(
                ["sh", "-c", line],
                cwd=app,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALL_TIMEOUT_S,
            )
            assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
    return Image(app, environment)


def compose_commands() -> dict[str, list[str]]:
    """The command of each of our services in the compose file."""
    services = cast("dict[str, dict[str, Any]]", YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"])
    return {name: service["command"] for name, service in services.items() if "command" in service}


def test_every_instruction_is_one_that_this_test_knows() -> None:
    """The pip lines are the only way anything gets installed, and the last user is not root."""
    runs = instructions("RUN")
    assert [line.split()[0] for line in runs] == ["useradd", "pip", "pip"]
    assert "--require-hashes" in runs[1]
    assert instructions("USER") == ["contractnet"]
    assert instructions("FROM") == ["python:3.12-slim"]
    assert all((ROOT / source).exists() for line in instructions("COPY") for source in line.split()[:-1])


def test_the_build_does_not_send_what_is_local() -> None:
    """Neither git's data nor environments nor a market's own data are copied into the image."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".git", ".venv", ".contractnet"} <= set(ignored)
    lines = (ROOT / ".gitignore").read_text().splitlines()
    git_ignored = {line.rstrip("/") for line in lines if line and not line.startswith("#")}
    assert git_ignored <= {line.removeprefix("**/") for line in ignored}


def test_its_default_command_runs(image: Image) -> None:
    """CMD runs in the clean environment and shows the help."""
    command = json.loads(instructions("CMD")[0])
    ran = subprocess.run(
        command, cwd=image.app, env=image.environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert re.search("usage", ran.stdout, re.IGNORECASE)


@pytest.fixture(scope="module")
def topics(image: Image) -> Image:
    """The image after the compose file's `topics` service has done its work."""
    command = compose_commands()["topics"]
    ran = subprocess.run(
        command, cwd=image.app, env=image.environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return image


@pytest.mark.parametrize("service", ["referee", "snapshotter", "projector"])
def test_a_service_runs_and_ends_when_told(topics: Image, service: str) -> None:
    """The compose file's command starts, stays, and ends on SIGTERM within the file's grace period."""
    process = subprocess.Popen(
        compose_commands()[service],
        cwd=topics.app,
        env=topics.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        time.sleep(STARTED_AFTER_S)
        assert process.poll() is None, process.communicate()[0]
        process.terminate()
        output, _ = process.communicate(timeout=STOP_GRACE_S)
    finally:
        process.kill()
    assert process.returncode in (0, -15, 143), output


def test_the_market_opens_once_a_referee_runs(topics: Image) -> None:
    """The compose file's `genesis` command opens the market beside a running referee, and finds it open afterwards."""
    commands = compose_commands()
    referee = subprocess.Popen(
        commands["referee"], cwd=topics.app, env=topics.environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    try:
        for said in ("opened", "was open"):
            ran = subprocess.run(
                commands["genesis"],
                cwd=topics.app,
                env=topics.environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert ran.returncode == 0, ran.stderr
            assert f"market 'default' {said}" in ran.stderr
    finally:
        referee.terminate()
        referee.wait(STOP_GRACE_S)
