"""`query`: SQL on the published ledger."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from contractnet.cli.lazy import service
from contractnet.cli.root import app, out, where
from contractnet.errors import SettingsError
from contractnet.terminal import printable

EXAMPLE = 'contractnet query "SELECT project, pool, sum(credits)::BIGINT FROM attribution GROUP BY ALL"'


@app.command(epilog=f'Examples:  {EXAMPLE}   |   contractnet query --csv "FROM awards LIMIT 100" > awards.csv')
def query(
    ctx: typer.Context,
    sql: Annotated[str, typer.Argument(help='SQL of DuckDB, in quotes. "SHOW TABLES" lists what there is.')],
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV with a header line.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write an array of JSON objects.")] = False,
) -> None:
    """Run one SQL statement on the ledger's newest publication. Works while the market runs, and after.

    It runs in a DuckDB of its own, which reads the ledger and nothing else (no other file, no network, no extension)
    and writes nothing. For more, open the file with DuckDB yourself, or use analytics.open() in Python.
    """
    if csv and json:
        raise SettingsError("--csv and --json exclude each other: choose one.")
    here = where(ctx)
    here.directory.check()
    analytics = service("analytics.query")
    answer = analytics.run(sql, here.directory.path)
    form = "csv" if csv else "json" if json else "table"
    width = out.width if out.is_terminal else None
    text = analytics.render(answer, form, width)
    # CSV in a file has every value as it is; on a terminal, names of others must not steer it.
    print(printable(text) if sys.stdout.isatty() else text, end="")
