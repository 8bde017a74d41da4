"""Every command explains itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from contractnet.cli.commands import app
from tests.cli.command import contractnet

WANTED = {
    "up",
    "status",
    "down",
    "query",
    "attribution",
    "reserve",
    "screens",
    "verify",
    "award",
    "export",
    "replay",
    "enroll",
    "demo",
    "simulate",
    "broker start",
    "broker stop",
    "pool create",
    "access show",
    "access grant",
    "access quota",
    "access renew",
    "access revoke",
    "budget set",
    "budget show",
    "budget clear",
    "budget top-up",
    "credits issue",
    "credits show",
    "credits transfer",
    "dashboard",
    "tokens create",
    "tokens resize",
    "tokens show",
    "tokens priority",
    "policy deposit",
    "weight set",
    "policy resale",
    "policy set",
    "policy show",
    "key list",
    "key new",
    "key rotate",
    "key register",
    "key revoke",
}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command below a group, with its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


ALL = dict(commands(typer.main.get_command(app)))


def test_the_commands_are_there() -> None:
    """The command line has these commands and no other: a new one belongs into this list and into the docs."""
    assert set(ALL) == WANTED


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_is_documented(name: str) -> None:
    """A command says what it does, gives an example of itself, and explains each argument and option."""
    command = ALL[name]
    assert len(command.help or "") > 30, f"{name} has no help text"
    assert f"contractnet {name}" in (command.epilog or ""), f"{name} has no example"
    for parameter in command.params:
        assert parameter.help or parameter.name == "help", f"{name}: {parameter.name} is not explained"


def test_help_is_printed() -> None:
    """`--help` prints the commands and exits with 0."""
    done = contractnet("--help")
    assert done.returncode == 0, done.stderr
    assert all(name.split()[0] in done.stdout for name in WANTED)


@pytest.mark.parametrize("arguments", [["unknown"], ["query"], ["up", "--workers", "none"], ["enroll", "ada"]])
def test_a_wrong_command_line_exits_with_2(arguments: list[str]) -> None:
    """A command line that makes no sense says what is wrong with it, and exits with 2."""
    done = contractnet(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
