"""One entry of the ledger: an event and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.events import Event
from contractnet.messages.types import Source


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with its source; one record of the ledger topic."""

    source: Source
    event: Event
