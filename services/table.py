"""What `up` and `status` print about a market's parts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contractnet.cli.directory import DataDirectory
from contractnet.cli.program import program
from contractnet.settings import MARKET_DEFAULT
from contractnet.terminal import printable

if TYPE_CHECKING:
    from services.supervisor import Supervisor

_QUERY = "SELECT project, pool, sum(credits)::BIGINT AS ucr FROM attribution GROUP BY ALL"


def command(directory: DataDirectory, market: str = MARKET_DEFAULT) -> str:
    """How a command on this data directory, and on this market, begins, so that it can be copied."""
    more = "" if market == MARKET_DEFAULT else f" --market {shlex.quote(market)}"
    return f"{program()} --data {shlex.quote(str(directory.path))}{more}"


def query_example(directory: DataDirectory) -> str:
    """A query of the directory's ledger, to be copied."""
    return f'{command(directory)} query "{_QUERY}"'


def console() -> Console:
    """A console that neither colours numbers nor cuts lines where there is no terminal."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=160)


def parts_table() -> Table:
    """An empty table of parts."""
    table = Table(box=None, pad_edge=False)
    for name, right in (("part", False), ("pid", True), ("health", False), ("lag", True), ("restarts", True)):
        table.add_column(name, justify="right" if right else "left")
    table.add_column("where", overflow="fold")
    return table


def where(web_port: int | None, log: Path | str) -> str:
    """Where a part can be looked at: its metrics, or its log where it has none."""
    return f"http://127.0.0.1:{web_port}/metrics" if web_port else str(log)


def show_ready(supervisor: Supervisor) -> None:
    """The table that `up` prints when the market takes commands."""
    directory = supervisor.directory
    table = Table(box=None, pad_edge=False)
    for name in ("part", "pid", "where"):
        table.add_column(name, overflow="fold")
    table.add_row("Kafka", "", Text(printable(supervisor.bootstrap)))
    for part in supervisor.parts:
        table.add_row(part.name, str(part.pid), Text(printable(where(part.web_port, part.log))))
    screen = console()
    screen.print(table)
    begin = command(directory)
    screen.print(f"logs   {directory.logs}", markup=False, soft_wrap=True)
    screen.print(
        f"join   {command(directory, supervisor.options.market)} enroll NAME --project PROJECT --credits 100",
        markup=False,
        soft_wrap=True,
    )
    screen.print(f"query  {query_example(directory)}", markup=False, soft_wrap=True)
    screen.print(f"end    Ctrl-C here, or from another shell: {begin} down", markup=False, soft_wrap=True)
    screen.file.flush()
