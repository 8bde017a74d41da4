"""Who may answer a CFP by invitation. Fields and units: schemas/events/."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event


@dataclass(frozen=True, slots=True)
class AccountInvited(Event):
    """An account may answer the CFP that was just opened; accounts without such an event may not."""

    cfp: bytes
    account: bytes
