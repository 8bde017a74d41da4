"""The root of the command line: global options, and how they reach every command."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from contractnet import access, settings
from contractnet.cli.directory import DataDirectory
from contractnet.errors import BrokerUnreachableError, SettingsError
from contractnet.messages.names import NAME_BYTES_MAX, name_problem

_WITH_VALUE = ("--data", "--bootstrap", "--market")
_FLAGS = ("--debug",)
KEY_BYTES = 32
_LISTENS_S = 1.0
# Characters of a wrong path or key that an error repeats.
_SHOWN = 80


class Anywhere(TyperGroup):
    """A group whose global options may stand before or after the command: people write them in either place."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Bring the global options to the front, then parse as usual."""
        front: list[str] = []
        rest: list[str] = []
        waiting = iter(args)
        for arg in waiting:
            if arg == "--":
                rest += [arg, *waiting]
            elif arg in _WITH_VALUE:
                front += [arg, *([value] if (value := next(waiting, None)) is not None else [])]
            elif arg in _FLAGS or arg.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
                front.append(arg)
            else:
                # SQL may begin with a comment, which would be an option that nobody knows.
                is_comment = rest[:1] == ["query"] and arg.startswith("--") and len(arg.split()) > 1
                rest.append(f" {arg}" if is_comment else arg)
        return list(super().parse_args(ctx, front + rest))


@dataclass(frozen=True, slots=True)
class Where:
    """What the global options say. `bootstrap_flag` is None where nobody named a broker."""

    directory: DataDirectory
    bootstrap_flag: str | None
    market: str

    def act_as(self, role: str) -> None:
        """Show the broker what the data directory has for a role, unless the environment names something else."""
        access.act_as(role, self.directory.path)

    def bootstrap(self, hint: str | None = None, credential: Path | None = None) -> str:
        """The broker's address: the option, the environment, what the file `credential` lies beside or has as its
        `hint`, what `up` uses here, or the embedded broker's.

        Raises BrokerUnreachableError where nobody named a broker and none listens.
        """
        hint = hint or self.directory.bootstrap()
        found = settings.bootstrap(self.bootstrap_flag, data=self.directory.path, hint=hint, credential=credential)
        if self.bootstrap_flag is None and not _listens(found):
            raise BrokerUnreachableError(
                f"No market runs in {self.directory.path}: nothing listens at {found}. Start it with `contractnet up`, "
                f"or give its data directory (--data) or the address of an existing cluster (--bootstrap)."
            )
        return found


def _listens(bootstrap: str) -> bool:
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), _LISTENS_S):
            return True
    return False


app = typer.Typer(
    name="contractnet",
    cls=Anywhere,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="The options above may stand before or after a command. Examples: contractnet COMMAND --help",
)
out = Console(highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            print(f"contractnet {version('contractnet')}")
        except PackageNotFoundError:
            print("contractnet (a checkout that is not installed)")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(help="Directory of the market's data.", envvar=settings.DATA_ENV, show_default=".contractnet"),
    ] = None,
    bootstrap: Annotated[
        str | None,
        typer.Option(
            help="Kafka of an existing cluster, host:port[,host:port]. Without it: the broker of the data directory.",
            envvar=settings.BOOTSTRAP_ENV,
            show_default=False,
        ),
    ] = None,
    market: Annotated[str, typer.Option(help="Name of the market.")] = settings.MARKET_DEFAULT,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,  # noqa: ARG001, main reads it
    version: Annotated[  # noqa: ARG001, the callback acts on it
        bool, typer.Option("--version", help="Print the version and end.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A market in which agents bargain for GPUs: Kafka carries it, Faust awards exactly once, DuckDB answers.

    [bold]contractnet demo[/bold] shows everything in about a minute. [bold]contractnet up[/bold] starts a market.
    """
    if bootstrap is not None:
        settings.bootstrap(bootstrap)
    if problem := name_problem(market):
        raise SettingsError(f"--market {market[:NAME_BYTES_MAX]!r} can't be used: {problem}.")
    place = settings.data_dir(data)
    need_path(place, "--data")
    ctx.obj = Where(DataDirectory(place), bootstrap or None, market)


def need_path(path: Path, option: str) -> None:
    """Raise SettingsError for a path that no file can have. Whether there is one is asked later."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise SettingsError(f"{option} {str(path)[:_SHOWN]!r} can't be used: {error.strerror}.") from error


def public_key(text: str, option: str) -> bytes:
    """The 32 bytes of a public key in hex. Raises BadParameter, which names the option."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise typer.BadParameter(f"{option} takes a public key of 64 hex digits, not {text[:_SHOWN]!r}")
    return key


def where(ctx: typer.Context) -> Where:
    """The global options of a command's context."""
    found = ctx.find_root().obj
    assert isinstance(found, Where)
    return found


def is_given(ctx: typer.Context, option: str) -> bool:
    """Whether a global option is given, by the command line or the environment."""
    source = ctx.find_root().get_parameter_source(option)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def debugging() -> bool:
    """Whether tracebacks are wanted, also when parsing failed."""
    return "--debug" in sys.argv
