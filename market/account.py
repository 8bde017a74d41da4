"""Accounts, the keys that sign for them, and their groups of bids."""

from __future__ import annotations

from dataclasses import dataclass, field

from contractnet.messages import Code


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
class Group:
    """Bids of one account, of which at most `wins_max` win. `bids` are those that are not settled, in order of arrival;
    withdrawn ones count, as long as they would hold their price alone."""

    wins_max: int
    wins: int = 0
    bids: dict[bytes, None] = field(default_factory=dict)

    @property
    def wins_left(self) -> int:
        """How many more of its bids may win."""
        return self.wins_max - self.wins


@dataclass(slots=True)
class Account:
    """One account. `balance_ucr` includes `held_ucr`; what it can spend is the difference, less what it owes."""

    id: bytes
    name: str
    project: str
    budget_root: str
    inbox_key: bytes | None = None
    """What its private notices are sealed with; the bank has none."""
    balance_ucr: int = 0
    held_ucr: int = 0
    owed_ucr: int = 0
    """Decay that was not free to be taken when its window ended."""
    keys: int = 0
    """Keys ever registered."""
    live_keys: int = 0
    open_bids: int = 0
    open_cfps: int = 0
    weights: list[tuple[int, int]] = field(default_factory=lambda: [(0, 1000)])
    """(weight epoch, permille), oldest first; a CFP counts the newest one not later than its own epoch."""
    groups: dict[bytes, Group] = field(default_factory=dict)
    """Groups with unsettled bids."""
    won_groups: dict[bytes, Group] = field(default_factory=dict)
    """Groups without one that have won something, oldest first, bounded."""
    system: bool = False
    """Whether it is a System agent, which may draw tokens."""

    @property
    def free_ucr(self) -> int:
        """What nothing holds. Decay comes out of it."""
        return self.balance_ucr - self.held_ucr

    @property
    def available_ucr(self) -> int:
        """What the account can spend; below 0 where it owes more than is free."""
        return self.free_ucr - self.owed_ucr

    def weight_at(self, epoch: int) -> int:
        """Weight in permille for a CFP of this weight epoch."""
        return next((w for e, w in reversed(self.weights) if e <= epoch), self.weights[0][1])
