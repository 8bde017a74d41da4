"""What a CFP that buys asks for beside its price, and the work that it bought."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

ESCROW_DOMAIN = b"contractnet/escrow/1"
DEPOSIT_DOMAIN = b"contractnet/deposit/1"


def escrow_of(award: bytes) -> bytes:
    """Id of the hold that pays for work. The award's own id is that of the bond."""
    return hashlib.sha256(ESCROW_DOMAIN + award).digest()[:16]


def deposit_of(cfp: bytes) -> bytes:
    """Id of the hold that is the deposit of a CFP that buys. The CFP's own id is that of its ceiling."""
    return hashlib.sha256(DEPOSIT_DOMAIN + cfp).digest()[:16]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a manager that buys has said beside its ceiling, which is the CFP's reserve."""

    delay_cost_per_s_ucr: int
    bond_ucr: int
    start_within_ms: int
    grace_ms: int


@dataclass(slots=True)
class Work:
    """Work that was bought, until it is done, has failed or has timed out; that is as long as its lease.

    The manager's hold of `price_ucr` is its escrow, the contractor's of `bond_ucr` has the award's id.
    """

    award: bytes
    cfp: bytes
    manager: bytes
    account: bytes
    price_ucr: int
    bond_ucr: int
    delay_cost_per_s_ucr: int
    promised_ms: int
    awarded_at_ms: int
    task: str
    delay_ms: int | None = None
    """From the award to the start, not less than promised; None before it has started."""

    @property
    def escrow(self) -> bytes:
        """Id of the manager's hold."""
        return escrow_of(self.award)
