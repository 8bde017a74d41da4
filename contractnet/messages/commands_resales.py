"""What is asked about resales of leases and claims on them. Part of contractnet.messages.commands."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.command import Command
from contractnet.messages.types import Issue, NegotiationProtocol


@dataclass(frozen=True, slots=True)
class SetResaleCall(Command):
    """The operator sets for how long a lease that was bargained for is open to others at the agreed price."""

    call_ms: int


@dataclass(frozen=True, slots=True)
class ClaimLease(Command):
    """An account asks the holder of a lease to bargain over what is left of it, and would buy. It is backed by a hold
    of `cap_ucr`, the most that it can pay. The negotiation's id is this command's id."""

    award: bytes
    protocol: NegotiationProtocol
    issues: tuple[Issue, ...]
    rounds_max: int
    round_ms: int
    still_rounds_max: int
    cap_ucr: int
    task: str
    pass_hash: bytes
