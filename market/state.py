"""What a market is at one offset. Changed by `evolve` only; everything in it follows from the ledger."""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass, field

from contractnet.messages import Code, Direction, Pricing
from market.capacity import Timeline

DECOY_DOMAIN = b"contractnet/decoy/1"


@dataclass(slots=True)
class Key:
    """A signing key and the commands it has signed. `account` is None for the operator's key."""

    account: bytes | None
    revoked: bool = False
    seen: dict[int, tuple[bytes, Code]] = field(default_factory=dict)
    """Tag and outcome of the command that used each remembered sequence, oldest arrival first. The tag is the head of
    its id, enough to tell a repeat from another command that its own sender gave the same sequence."""
    floor: int = -(2**63)
    """At or below it every sequence is stale, for ever."""
    expires_at_ms: int | None = None
    """From then on it signs nothing any more."""


@dataclass(slots=True)
class Account:
    """One account. `balance_ucr` includes `held_ucr`; what it can spend is the difference."""

    id: bytes
    name: str
    project: str
    budget_root: str
    inbox_key: bytes | None = None
    """What its private notices are sealed with; the bank has none."""
    balance_ucr: int = 0
    held_ucr: int = 0
    keys: int = 0
    """Keys ever registered."""
    live_keys: int = 0
    open_bids: int = 0
    open_cfps: int = 0
    weights: list[tuple[int, int]] = field(default_factory=lambda: [(0, 1000)])
    """(weight epoch, permille), oldest first; a CFP counts the newest one not later than its own epoch."""

    @property
    def available_ucr(self) -> int:
        """What the account can spend."""
        return self.balance_ucr - self.held_ucr

    def weight_at(self, epoch: int) -> int:
        """Weight in permille for a CFP of this weight epoch."""
        return next((w for e, w in reversed(self.weights) if e <= epoch), self.weights[0][1])


@dataclass(slots=True)
class Pool:
    """Interchangeable units with one owner."""

    name: str
    owner: bytes
    units: int
    leases: int = 0
    timeline: Timeline = field(default_factory=Timeline)


@dataclass(slots=True)
class Bid:
    """A bid that was placed and not yet settled."""

    id: bytes
    cfp: bytes
    account: bytes
    price_ucr: int
    weight_permille: int
    start_delay_ms: int
    task: str
    pass_hash: bytes
    withdrawn: bool = False


@dataclass(slots=True)
class Cfp:
    """An open CFP. `bids` is in order of arrival, withdrawn ones included: their holds stand until the end."""

    id: bytes
    manager: bytes
    direction: Direction
    pool: str
    units: int
    duration_ms: int
    slots: int
    reserve_price_ucr: int
    pricing: Pricing
    closes_at_ms: int
    weight_epoch: int
    bids: dict[bytes, Bid] = field(default_factory=dict)
    bidders: dict[bytes, bytes] = field(default_factory=dict)
    """Live bid of each account."""
    tries: dict[bytes, int] = field(default_factory=dict)
    """How many of the bids are of each account, withdrawn ones included."""


@dataclass(slots=True)
class Lease:
    """Units locked for an award in [starts_at_ms, ends_at_ms)."""

    award: bytes
    pool: str
    units: int
    account: bytes
    starts_at_ms: int
    ends_at_ms: int


@dataclass(slots=True)
class State:
    """One market."""

    name: str
    genesis_hash: bytes
    bank: bytes
    partitions: int
    signed: bool
    rules_version: int
    now_ms: int = 0
    weight_epoch: int = 0
    keys: dict[bytes, Key] = field(default_factory=dict)
    accounts: dict[bytes, Account] = field(default_factory=dict)
    account_names: dict[str, bytes] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    cfps: dict[bytes, Cfp] = field(default_factory=dict)
    bids: dict[bytes, Bid] = field(default_factory=dict)
    holds: dict[bytes, int] = field(default_factory=dict)
    """Amount of each unresolved hold, micro-credits. A hold's id is that of the bid it backs."""
    leases: dict[bytes, Lease] = field(default_factory=dict)
    closed: dict[bytes, None] = field(default_factory=dict)
    """CFPs that ended, oldest first, bounded."""
    decoy_key: bytes = bytes(32)
    """SHA-256 over all inbox keys: a secret to whoever lacks one of them. Derived."""
    agenda: list[tuple[int, bytes]] = field(default_factory=list)
    """Heap of (due, CFP or award id). Derived; entries of things that ended early are dropped when they surface."""

    def add_account(self, account: Account) -> None:
        """Take in a new account."""
        assert account.id not in self.accounts
        assert account.name not in self.account_names
        self.accounts[account.id] = account
        self.account_names[account.name] = account.id
        if account.inbox_key is not None:
            self.decoy_key = hashlib.sha256(DECOY_DOMAIN + self.decoy_key + account.inbox_key).digest()

    def is_pending(self, item: tuple[int, bytes]) -> bool:
        """Whether an entry of the agenda still stands."""
        due_ms, ident = item
        cfp = self.cfps.get(ident)
        if cfp is not None:
            return cfp.closes_at_ms == due_ms
        lease = self.leases.get(ident)
        return lease is not None and lease.ends_at_ms == due_ms

    def trim_agenda(self) -> None:
        """Let the head of the agenda be something that stands."""
        while self.agenda and not self.is_pending(self.agenda[0]):
            heapq.heappop(self.agenda)

    @property
    def due_at_ms(self) -> int | None:
        """When the next thing falls due, market time."""
        return self.agenda[0][0] if self.agenda else None
