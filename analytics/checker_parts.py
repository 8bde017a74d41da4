"""What one market's books are made of, for the independent checker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analytics.checker_prices import Lease, peak

Fields = dict[str, Any]
SEQUENCES_PER_KEY = 128
"""How many sequences of a key are remembered (docs/decisions/0003)."""


class BrokenRuleError(Exception):
    """A record of the ledger breaks a rule."""


def need(condition: bool, rule: str) -> None:
    """Raise BrokenRuleError unless `condition` holds; `rule` is what should be."""
    if not condition:
        raise BrokenRuleError(rule)


@dataclass(slots=True)
class Account:
    """Credits in micro-credits. `weights` are (number of weight changes before, permille), oldest first."""

    balance_ucr: int = 0
    held_ucr: int = 0
    weights: list[tuple[int, int]] = field(default_factory=lambda: [(0, 1000)])
    name: str = "bank"
    project: str = "bank"
    root: str = "bank"


@dataclass(slots=True)
class Key:
    """A signing key: its account (None: the operator's), and the sequences it used last."""

    account: bytes | None
    revoked: bool = False
    used: set[int] = field(default_factory=set)
    floor: int | None = None
    expires_at_ms: int | None = None

    def use(self, sequence: int, at_ms: int) -> None:
        """A sequence is used once, and never one below the window."""
        need(not self.revoked, "a revoked key signs nothing")
        need(self.expires_at_ms is None or at_ms < self.expires_at_ms, "an expired key signs nothing")
        need(sequence not in self.used, f"sequence {sequence} of a key has one outcome")
        need(self.floor is None or sequence > self.floor, f"sequence {sequence} lies below the window")
        self.used.add(sequence)
        if len(self.used) > SEQUENCES_PER_KEY:
            self.floor = min(self.used)
            self.used.remove(self.floor)


@dataclass(slots=True)
class Bid:
    """A bid on an open CFP."""

    account: bytes
    price_ucr: int
    weight_permille: int
    delay_ms: int
    task: str
    pass_hash: bytes
    withdrawn: bool = False
    pool: str = ""
    """Of an ask: the contractor's."""
    placed_ms: int = 0
    freed_ms: int = 0
    """When its manager rejected it; else 0."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Of a CFP that buys."""

    cost_per_s_ucr: int
    bond_ucr: int
    within_ms: int
    grace_ms: int


@dataclass(slots=True)
class Cfp:
    """An open CFP. `wins` and `losses` are what the record at hand says of its end."""

    manager: bytes
    pool: str
    units: int
    duration_ms: int
    slots: int
    reserve_ucr: int
    pricing: str
    closes_at_ms: int
    epoch: int
    bids: dict[bytes, Bid] = field(default_factory=dict)
    wins: dict[bytes, Fields] = field(default_factory=dict)
    losses: dict[bytes, str] = field(default_factory=dict)
    bidders: set[bytes] = field(default_factory=set)
    """Accounts with a live bid."""
    decide_ms: int = 0
    """How long the manager may choose; 0: the market awards."""
    until_ms: int = 0
    """End of that time, once the deadline is over."""
    given: dict[bytes, int] = field(default_factory=dict)
    """What the manager awarded in earlier records, with the prices."""
    declined: set[bytes] = field(default_factory=set)
    refused: set[bytes] = field(default_factory=set)
    """Accounts that said that they do not bid."""
    invited: set[bytes] = field(default_factory=set)
    """Accounts that alone may answer; empty: all may."""
    buys: bool = False
    terms: Terms | None = None
    opened_ms: int = 0
    deposit_permille: int = 0
    """Of the reserve, for each slot and hour; 0: there is no deposit."""

    def need_taken(self, account: bytes) -> None:
        """On a CFP by invitation the invited alone answer."""
        need(not self.invited or account in self.invited, f"account {account.hex()} is invited")


@dataclass(slots=True)
class Held:
    """A lease and who holds it."""

    account: bytes
    lease: Lease


@dataclass(slots=True)
class Pool:
    """Units, and the leases of them by award."""

    owner: bytes
    units: int
    leases: dict[bytes, Held] = field(default_factory=dict)
    leased_units: int = 0
    """Units of all leases together, whenever they are."""

    def lock(self, award: bytes, held: Held) -> None:
        """Add a lease."""
        self.leases[award] = held
        self.leased_units += held.lease.units

    def unlock(self, award: bytes) -> Held:
        """Take a lease away; there has to be one."""
        need(award in self.leases, "a lease ends once")
        held = self.leases.pop(award)
        self.leased_units -= held.lease.units
        return held

    def is_respected(self, start_ms: int, end_ms: int) -> bool:
        """Whether [start_ms, end_ms) never has too many units in use; looks at instants only where it could."""
        if self.leased_units <= self.units:
            return True
        return peak((h.lease for h in self.leases.values()), start_ms, end_ms) <= self.units
