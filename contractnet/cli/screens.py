"""`screens`: learn from labelled tenders, and say how well it works on tenders that were not learned from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from contractnet.cli.lazy import service
from contractnet.cli.root import app, need_path
from contractnet.terminal import printable

EXAMPLE = "contractnet screens italy.csv --label Collusive_competitor"


@app.command(epilog=f"Examples:  {EXAMPLE}   |   {EXAMPLE} --test brazil.csv")
def screens(
    bids: Annotated[Path, typer.Argument(help="CSV with a header line and one line a bid.")],
    label: Annotated[str, typer.Option(help="Column that says whether a bid was collusive: 0 and 1, or yes and no.")],
    tender: Annotated[
        str | None, typer.Option(help="Column that names the tender.", show_default="found by its name")
    ] = None,
    bid: Annotated[
        str | None, typer.Option(help="Column with the bid's amount.", show_default="found by its name")
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(help="Test on this file instead, with the screens alone: what transfers to another market."),
    ] = None,
    repetitions: Annotated[int, typer.Option(help="Random splits into 80% and 20% of the tenders.")] = 10,
    seed: Annotated[int, typer.Option(help="The splits and trees of a run follow from it.", min=0)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Write one JSON object.")] = False,
) -> None:
    """Screen real tenders for bid rigging: train a calibrated classifier, report balanced accuracy and AUC.

    Columns that tell the label or the sampling (dates, numbers of tenders, names of bidders) are left out, and named.
    A suspicion is no proof, and what is learned in one market rarely holds in another: docs/screens.md.
    """
    for path, name in ((bids, "BIDS"), (test, "--test")):
        if path is not None:
            need_path(path, name)
    report = service("analytics.screens.report")
    asked = report.Asked(bids, label, tender, bid, repetitions, seed, test)
    found = report.run(asked, _progress)
    if json:
        print(report.as_json(found))
        return
    for line in report.lines(asked, found):
        print(printable(line))


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {of} repetitions", end="\n" if done == of else "", file=sys.stderr, flush=True)
