"""`export` and `replay`: the topics as files that outlive their broker, and the ledger's tables as of any moment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contractnet.cli.audit import trusted_operator
from contractnet.cli.lazy import service
from contractnet.cli.root import app, need_path, where
from contractnet.terminal import printable


@app.command(
    epilog="Examples:  contractnet export --avro DIR   |   contractnet export --avro DIR --sign-with auditor.json"
)
def export(
    ctx: typer.Context,
    avro: Annotated[Path, typer.Option(help="Directory to make, with Avro container files and a manifest.")],
    sign_with: Annotated[
        Path | None,
        typer.Option(
            help="Credential file whose key signs the manifest.",
            show_default="the operator's, where the data directory has it",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Write all topics, up to their present ends, as files that need no Kafka: every record as it is stored.

    `contractnet verify --from DIR` and `contractnet replay --from DIR` read them. They show open bids, as an auditor
    sees them: they are for their owner alone. The directory appears when it is complete; nothing is overwritten.
    """
    need_path(avro, "--avro")
    here = where(ctx)
    here.directory.check()
    here.act_as("auditor")
    lines = service("analytics.export").run(
        here.bootstrap(),
        avro.absolute(),
        operator=here.directory.newest_operator(here.market),
        sign_with=sign_with,
        market=here.market,
        out=None if quiet else sys.stderr,
    )
    for line in lines:
        print(printable(line))


@app.command(
    epilog="Examples:  contractnet replay --from DIR --into past/ledger.duckdb   |   contractnet replay --from DIR "
    "--into noon.duckdb --until 2026-11-29T12:00:00Z   |   contractnet replay --into early.duckdb --until 1500   |   "
    "contractnet replay --set pricing=FIRST"
)
def replay(
    ctx: typer.Context,
    into: Annotated[Path | None, typer.Option(help="The DuckDB file to make.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Judge the commands again with this changed, and tell what differs: pricing=FIRST or SECOND, "
            "reserve=150%, weights=off, rules=9; repeatable.",
        ),
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--from", help="Directory of an export; without it, the topics on Kafka.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="The moment: a time (2026-11-29T12:00:00Z; UTC where no zone is given), or, with --into, the offset "
            "of the last record of the ledger on the partition of --market.",
            show_default="the end",
        ),
    ] = None,
    operator_key: Annotated[
        str | None,
        typer.Option(help="With --set: public key of the operator, hex. Without it: that of the data directory."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Build the tables of `ledger.duckdb` as they were at a moment, in one file of their own; or tell what would have
    differed under other terms.

    With --into past/ledger.duckdb, `contractnet --data past query` asks it. An existing file is not overwritten. The
    same command goes on with a replay that was interrupted.
    With --set, agents' commands stay as they are: it is no forecast of what they would have done (docs/export.md).
    """
    if (into is None) == (not settings):
        raise typer.BadParameter("give either --into FILE or --set NAME=VALUE")
    here, out = where(ctx), None if quiet else sys.stderr
    if export is None:
        here.directory.check()
        here.act_as("projector" if into is not None else "auditor")
    else:
        need_path(export, "--from")
    if into is None:
        operator = trusted_operator(operator_key, here.directory.path)
        source = here.bootstrap() if export is None else export
        moment = service("projections.replay").moment(until, here.market, 1)
        if moment.offset is not None:
            raise typer.BadParameter("--until is a time with --set: an offset of the ledger says nothing of commands")
        lines = service("analytics.whatif").run(source, settings, operator, until_ms=moment.at_ms, out=out)
    else:
        need_path(into, "--into")
        source = here.bootstrap() if export is None else export
        try:
            lines = service("projections.replay").run(source, into.absolute(), until, market=here.market, out=out)
        except KeyboardInterrupt:
            print("contractnet: interrupted; the same command goes on from there", file=sys.stderr)
            raise
    for line in lines:
        print(printable(line))
