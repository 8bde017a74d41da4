"""`verify`: an audit of everything that the topics, or an export of them, and the DuckDB file say."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from contractnet.cli.lazy import service
from contractnet.cli.root import app, is_given, need_path, public_key, where
from contractnet.errors import SettingsError
from contractnet.terminal import printable

EXIT_DIVERGENCE = 1


def trusted_operator(text: str | None, data: Path) -> bytes:
    """The trusted operator's public key: the option, the environment, or the file that `up` leaves."""
    found = text or os.environ.get("CONTRACTNET_OPERATOR_KEY")
    file = data / "keys" / "operator.pub"
    if not found and file.is_file():
        found = file.read_text("ascii").strip()
    if not found:
        raise SettingsError(
            f"No operator is trusted: give --operator-key, or --data of the market ({file} is missing)."
        )
    return public_key(found, "--operator-key")


def _compares(data: Path, wanted: bool | None) -> bool:
    """Whether the published file is compared: as it was wanted, else where there is one, as an auditor has none."""
    published = (data / "ledger.duckdb").exists()
    if wanted is None and not published:
        print(f"No DuckDB file is published in {data}: none is compared (--duckdb demands one).", file=sys.stderr)
    return published if wanted is None else wanted


def _need_both(write_checkpoint: Path | None, sign_with: Path | None) -> None:
    if (write_checkpoint is None) != (sign_with is None):
        raise typer.BadParameter("--write-checkpoint and --sign-with belong together")


@app.command(
    epilog="Examples:  contractnet verify   |   contractnet verify --write-checkpoint day1.json --sign-with "
    ".contractnet/keys/operator.json   |   contractnet verify --against-checkpoint day1.json   |   "
    "contractnet verify --from DIR --operator-key HEX"
)
def verify(
    ctx: typer.Context,
    export: Annotated[
        Path | None, typer.Option("--from", help="Verify the export in this directory, without Kafka (docs/export.md).")
    ] = None,
    operator_key: Annotated[
        str | None,
        typer.Option(help="Public key of the trusted operator, hex. Without it: that of the data directory."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes that check signatures and tables; 0: all in this one.")
    ] = os.cpu_count() or 1,
    duckdb: Annotated[
        bool | None,
        typer.Option(
            "--duckdb/--no-duckdb",
            help="Compare the published DuckDB file; with --from, only where its data directory is given (--data).",
            show_default="where --data has one",
        ),
    ] = None,
    from_checkpoint: Annotated[
        Path | None, typer.Option(help="Go on from this checkpoint instead of from nothing.")
    ] = None,
    against_checkpoint: Annotated[
        Path | None, typer.Option(help="Verify from nothing, and compare with this checkpoint on the way.")
    ] = None,
    write_checkpoint: Annotated[
        Path | None, typer.Option(help="Write a signed checkpoint of where it ended, if all is sound.")
    ] = None,
    sign_with: Annotated[Path | None, typer.Option(help="Credential file whose key signs the checkpoint.")] = None,
    trust_key: Annotated[
        list[str] | None,
        typer.Option(help="A key whose checkpoints and exports are trusted beside the operator's, hex; repeatable."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Judge every command again and compare all topics and the DuckDB file with the result, byte for byte.

    Exit code 0: sound; 1: something diverged (or the check could not be made); 2: the command line makes no sense.
    """
    if from_checkpoint is not None and against_checkpoint is not None:
        raise typer.BadParameter("--from-checkpoint and --against-checkpoint exclude each other")
    _need_both(write_checkpoint, sign_with)
    here = where(ctx)
    here.directory.check()
    if export is None:
        here.act_as("auditor")
    else:
        need_path(export, "--from")
        duckdb = duckdb if is_given(ctx, "data") else False
    try:
        report = service("analytics.verify").run(
            here.bootstrap() if export is None else export,
            trusted_operator(operator_key, here.directory.path),
            jobs=jobs,
            data_dir=here.directory.path if _compares(here.directory.path, duckdb) else None,
            from_checkpoint=from_checkpoint,
            against_checkpoint=against_checkpoint,
            write_checkpoint=write_checkpoint,
            sign_with=sign_with,
            trust=frozenset(public_key(text, "--trust-key") for text in trust_key or []),
            out=None if quiet else sys.stderr,
        )
    except KeyboardInterrupt:
        print("contractnet: interrupted; nothing was concluded", file=sys.stderr)
        raise
    # A divergence may quote what a stranger wrote into a topic.
    print(printable("\n".join(report.lines())))
    if not report.sound:
        raise typer.Exit(EXIT_DIVERGENCE)
