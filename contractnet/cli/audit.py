"""`verify`: an audit of everything that the topics and the DuckDB file say."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from contractnet.cli.lazy import service
from contractnet.cli.root import app, public_key, where
from contractnet.errors import SettingsError
from contractnet.terminal import printable

EXIT_DIVERGENCE = 1


def _operator(text: str | None, data: Path) -> bytes:
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


def _need_both(write_checkpoint: Path | None, sign_with: Path | None) -> None:
    if (write_checkpoint is None) != (sign_with is None):
        raise typer.BadParameter("--write-checkpoint and --sign-with belong together")


@app.command(
    epilog="Examples:  contractnet verify   |   contractnet verify --write-checkpoint day1.json --sign-with "
    ".contractnet/keys/operator.json   |   contractnet verify --against-checkpoint day1.json"
)
def verify(
    ctx: typer.Context,
    operator_key: Annotated[
        str | None,
        typer.Option(help="Public key of the trusted operator, hex. Without it: that of the data directory."),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes that check signatures and tables; 0: all in this one.")
    ] = os.cpu_count() or 1,
    duckdb: Annotated[bool, typer.Option("--duckdb/--no-duckdb", help="Compare the published DuckDB file.")] = True,
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
        typer.Option(help="A key whose checkpoints are trusted beside the operator's, hex; repeatable."),
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
    here.act_as("auditor")
    report = service("analytics.verify").run(
        here.bootstrap(),
        _operator(operator_key, here.directory.path),
        jobs=jobs,
        data_dir=here.directory.path if duckdb else None,
        from_checkpoint=from_checkpoint,
        against_checkpoint=against_checkpoint,
        write_checkpoint=write_checkpoint,
        sign_with=sign_with,
        trust=frozenset(public_key(text, "--trust-key") for text in trust_key or []),
        out=None if quiet else sys.stderr,
    )
    # A divergence may quote what a stranger wrote into a topic.
    print(printable("\n".join(report.lines())))
    if not report.sound:
        raise typer.Exit(EXIT_DIVERGENCE)
