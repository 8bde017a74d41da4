"""What one market's books are made of, for the independent checker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analytics.checker.prices import Lease, peak

Fields = dict[str, Any]
SEQUENCES_PER_KEY = 128
"""How many sequences of a key are remembered (docs/decisions/0003)."""
RULES = frozenset({1, 3, 4, 5, 6, 7, 8, 9, 10, 11})
"""The versions of the rules that were released."""
DECAY_RULES = 9
"""Since which version decay is a part of what an account had on average."""
KEYS_RULES, DECISIONS_RULES, GROUPS_RULES, MANAGED_PURCHASES_RULES, ROOTS_RULES = 3, 5, 6, 7, 9
"""Since which version keys expire, managers award, bids have groups and accounts buy, managers award what they buy."""
IDENTITIES_RULES = 10
"""Since which version ties are drawn by budget root, and a root's accounts have the least of their weights."""
CLAIMS_RULES = FLOOR_RULES = BONDS_RULES = 10
"""Since which version claims wait for minutes, deposits have a floor, and bonds are not above the ceiling."""
BUYERS_DEPOSIT_RULES = 11
"""Since which version managers that buy deposit as well."""


class BrokenRuleError(Exception):
    """A record of the ledger breaks a rule."""


def need(condition: bool, rule: str) -> None:
    """Raise BrokenRuleError unless `condition` holds; `rule` is what should be."""
    if not condition:
        raise BrokenRuleError(rule)


def remember(ended: dict[bytes, None], ident: bytes, most: int) -> None:
    """Keep an id with the newest that ended, for precise answers."""
    ended[ident] = None
    if len(ended) > most:
        del ended[next(iter(ended))]


@dataclass(slots=True)
class Account:
    """Credits in micro-credits. `weights` are (number of weight changes before, permille), oldest first."""

    balance_ucr: int = 0
    held_ucr: int = 0
    weights: list[tuple[int, int]] = field(default_factory=lambda: [(0, 1000)])
    name: str = "bank"
    project: str = "bank"
    root: str = "bank"
    owed_ucr: int = 0
    """Decay that was not free to be taken."""

    @property
    def available_ucr(self) -> int:
        """What may be spent."""
        return self.balance_ucr - self.held_ucr - self.owed_ucr

    def weight_after(self, changes: int) -> int:
        """Its own weight when so many weights had changed in the market."""
        known = [permille for number, permille in self.weights if number <= changes]
        need(bool(known), "weights that open CFPs count by are remembered")
        return known[-1]


@dataclass(slots=True)
class Key:
    """A signing key: its account (None: the operator's), and the sequences it used last."""

    account: bytes | None
    revoked: bool = False
    used: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    """Tag and outcome of the command of each sequence."""
    floor: int = -(2**63)
    expires_at_ms: int | None = None

    def remember(self, sequence: int, tag: bytes, code: str) -> None:
        """A command of a new sequence has its outcome."""
        self.used[sequence] = (tag, code)
        if len(self.used) > SEQUENCES_PER_KEY:
            self.floor = min(self.used)
            del self.used[self.floor]

    def end(self, version: int) -> None:
        """It is revoked; the first rules forgot what it had signed."""
        self.revoked = True
        if version < KEYS_RULES:
            self.used.clear()


def tag_of(command: bytes) -> bytes:
    """What of a command's id is remembered."""
    return command[:4]


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
    """Of the reserve, or of the bond, for each slot and hour; 0: there is no deposit."""
    deposit_floor_ucr: int = 0
    """For each unit and hour of its slots, where that is more than the reserve."""
    resale: bytes | None = None
    """The lease that it sells on."""

    def need_taken(self, account: bytes) -> None:
        """On a CFP by invitation the invited alone answer."""
        need(not self.invited or account in self.invited, f"account {account.hex()} is invited")


@dataclass(slots=True)
class Held:
    """A lease and who holds it."""

    account: bytes
    lease: Lease
    spurned: dict[str, int] = field(default_factory=dict)
    """Budget roots whose claim was not joined, with when they may claim again."""


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
