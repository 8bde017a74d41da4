"""`award`: why an agent won, and what it paid."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from contractnet.cli.lazy import service
from contractnet.cli.root import Where, app, out, where
from contractnet.errors import AccessRefusedError, BrokerUnreachableError, SettingsError
from contractnet.files import write_secret
from contractnet.terminal import printable


@app.command(epilog="Examples:  contractnet award 3f2a91   |   contractnet award 3f2a91 --html award.html")
def award(
    ctx: typer.Context,
    award_id: Annotated[str, typer.Argument(help="The award's id in hex, or its first six digits or more.")],
    html: Annotated[
        Path | None, typer.Option(help="Write the report to this file, as a page that needs nothing else.")
    ] = None,
) -> None:
    """Show why an agent won and what it paid: the call, all bids in their order, where the price is from, the lock, the
    postings, what came later, and, while the market is up, the signatures of the commands that led there.

    It shows what bids were, as the published ledger does: the report is for whoever may read that.
    """
    here = where(ctx)
    here.directory.check()
    here.act_as("auditor")
    report = _report(here, award_id)
    if html is None:
        print(printable(report.text()))
        return
    try:
        write_secret(html, report.html())
    except OSError as error:
        raise SettingsError(
            f"--html {html} cannot be written: {error.strerror}. Name a file in a folder that is there."
        ) from error
    out.print(f"written to {html}", soft_wrap=True)


def _report(here: Where, award_id: str) -> Any:
    """The report, with signatures where the market's broker answers."""
    from confluent_kafka import KafkaException

    report = service("analytics.award_report").report
    try:
        source = service("analytics.verify.kafka").KafkaSource(here.bootstrap())
        return report(here.directory.path, here.market, award_id, source)
    except BrokerUnreachableError:
        pass
    except (AccessRefusedError, KafkaException) as error:
        # Somebody else's broker may have the address of a market that is down.
        print(
            printable(f"contractnet: without signatures, as the commands could not be read: {error}"), file=sys.stderr
        )
    return report(here.directory.path, here.market, award_id, None)
