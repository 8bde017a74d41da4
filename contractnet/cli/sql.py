"""`query`: SQL on the published ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from contractnet.cli.lazy import service
from contractnet.cli.root import app, out, where
from contractnet.errors import SettingsError

EXAMPLE = 'contractnet query "SELECT project, pool, sum(credits)::BIGINT FROM attribution GROUP BY ALL"'


@app.command(epilog=f'Examples:  {EXAMPLE}   |   contractnet query --csv "FROM awards LIMIT 100" > awards.csv')
def query(
    ctx: typer.Context,
    sql: Annotated[str, typer.Argument(help='SQL of DuckDB, in quotes. "SHOW TABLES" lists what there is.')],
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV with a header line.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write an array of JSON objects.")] = False,
) -> None:
    """Run one SQL statement on the ledger's newest publication. Works while the market runs, and after.

    It runs in a DuckDB of your own, which opens the ledger read-only, and may read and write any file that you may
    (COPY ... TO, read_csv): run no SQL that you do not trust.
    """
    if csv and json:
        raise SettingsError("--csv and --json exclude each other: choose one.")
    here = where(ctx)
    here.directory.check()
    analytics = service("analytics.query")
    columns, rows = analytics.run(sql, here.directory.path)
    form = "csv" if csv else "json" if json else "table"
    width = out.width if out.is_terminal else None
    print(analytics.render(columns, rows, form, width), end="")
