"""What commands read of the published ledger: to show it, and for terms that a command leaves as they are."""

from __future__ import annotations

import asyncio
import time

from contractnet.cli.lazy import service
from contractnet.cli.root import Where
from contractnet.errors import SettingsError
from contractnet.terminal import printable

PATIENCE_S = 10.0
_PAUSE_S = 0.1


def show_published(here: Where, module: str, *about: object) -> None:
    """Print what a module of analytics tells of the market, line by line."""
    here.directory.check()
    for line in service(module).lines(here.directory.path, here.market, *about):
        print(printable(line))


async def up_to_date(here: Where, partitions: int, otherwise: str) -> None:
    """Wait until the published ledger holds what the market had said when this was called.

    Raises SettingsError where it does not get there, which says what to do `otherwise`.
    """
    try:
        status = service("services.status")
    except SettingsError as error:
        raise SettingsError(f"{error} {otherwise}") from error
    ends = await asyncio.to_thread(status.ledger_ends, here.bootstrap(), partitions)
    give_up_at = time.monotonic() + PATIENCE_S
    # None: the broker does not answer, or nothing is published here, as on a machine without the market's services.
    while (lag := None if ends is None else status.projection_lag(here.directory, ends)) != 0:
        if lag is None or time.monotonic() >= give_up_at:
            raise SettingsError(
                f"What holds now is not known: the ledger published in {here.directory.path} is not there or lags "
                f"behind its market (`contractnet status` shows the projector). {otherwise}"
            )
        await asyncio.sleep(_PAUSE_S)
