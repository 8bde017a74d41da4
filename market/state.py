"""What a market is at one offset. Changed by `evolve` only; everything in it follows from the ledger."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from contractnet.messages import Direction, Pricing, Winner
from market import limits
from market.account import Account, Group, Key
from market.bargaining import BUYER, Negotiation
from market.budget import Budget
from market.capacity import Timeline
from market.deposit import base_of, deposit_ucr
from market.policy import Policy
from market.tokens import TokenPool
from market.weights import RootWeights
from market.works import Terms, Work, deposit_of

DECOY_DOMAIN = b"contractnet/decoy/1"


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
    """It cannot win any more: its bidder has taken it back, or its group has won enough."""
    group: bytes | None = None
    """Its group, until it is settled. Derived."""
    pool: str = ""
    """Of an ask: the contractor's pool."""
    placed_at_ms: int = 0
    freed_at_ms: int = 0
    """When its manager rejected it; else 0."""


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
    decide_ms: int = 0
    """How long its manager may choose after the deadline; 0: the market awards at the deadline."""
    decides_until_ms: int = 0
    """When it is too late to choose; 0 before the deadline is settled."""
    awards: list[Winner] = field(default_factory=list)
    """What its manager has awarded, by slot."""
    refused: dict[bytes, None] = field(default_factory=dict)
    """Accounts that said that they do not bid."""
    invited: dict[bytes, None] = field(default_factory=dict)
    """Accounts that alone may answer; empty: all may."""
    terms: Terms | None = None
    """Of a CFP that buys. Its bids are asks, and back a bond instead of their price."""
    opened_at_ms: int = 0
    deposit_hourly_permille: int = 0
    """The rate of its manager's deposit; 0: there is none."""
    deposit_floor_ucr: int = 0
    """What a unit of it counts for in an hour at least, for the deposit."""
    resale: bytes | None = None
    """The lease that it sells on, by its award; its manager holds that."""

    def takes(self, account: bytes) -> bool:
        """Whether an account may answer it."""
        return not self.invited or account in self.invited

    @property
    def due_at_ms(self) -> int:
        """When the next thing happens to it: its deadline, or the end of its manager's time."""
        return self.decides_until_ms or self.closes_at_ms

    @property
    def bound_ms(self) -> int:
        """How long a bid on it may bind its bidder."""
        return self.closes_at_ms - self.opened_at_ms + self.decide_ms

    @property
    def deposit_ucr(self) -> int:
        """What its manager deposits until its end: where it buys, for the bonds that it asks for."""
        rate = self.deposit_hourly_permille
        if not rate:
            return 0
        if self.terms is not None:
            return deposit_ucr(self.terms.bond_ucr, self.slots, self.bound_ms, rate)
        base_ucr = base_of(self.reserve_price_ucr, self.deposit_floor_ucr, self.units, self.duration_ms)
        return deposit_ucr(base_ucr, self.slots, self.bound_ms, rate)

    @property
    def deposit_hold(self) -> bytes:
        """Id of the hold that is its deposit. Where it buys, its own id is that of its ceiling."""
        return self.id if self.terms is None else deposit_of(self.id)

    def admits(self, price_ucr: int) -> bool:
        """Whether a price can win: at least the reserve, or where it buys at most the ceiling."""
        return price_ucr >= self.reserve_price_ucr if self.terms is None else price_ucr <= self.reserve_price_ucr

    def ceiling_of(self, slots: int) -> int:
        """The most that so many slots of a CFP that buys may cost."""
        return self.reserve_price_ucr * slots

    @property
    def ceiling_ucr(self) -> int:
        """What the manager of a CFP that buys holds: the ceiling of all slots that it has not awarded itself."""
        return self.ceiling_of(self.slots - len(self.awards))


@dataclass(slots=True)
class Lease:
    """Units locked for an award in [starts_at_ms, ends_at_ms)."""

    award: bytes
    pool: str
    units: int
    account: bytes
    starts_at_ms: int
    ends_at_ms: int
    vain: dict[str, int] = field(default_factory=dict)
    """Budget roots whose claim on it the holder did not join, oldest first, bounded: when each may claim it again."""


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
    root_cfps: Counter[str] = field(default_factory=Counter)
    """How many open CFPs the accounts of each budget root have. Derived."""
    root_weights: dict[str, RootWeights] = field(default_factory=dict)
    """The weights of each budget root that has an account whose weight was ever changed. Derived."""
    holds: dict[bytes, int] = field(default_factory=dict)
    """Amount of each unresolved hold, micro-credits. A hold's id is that of the bid, of the CFP that buys or has a
    deposit, or of the negotiation that it backs, as the bid of a deal still does (works.py has the others); it is 0
    where better bids of the bid's group hold theirs."""
    leases: dict[bytes, Lease] = field(default_factory=dict)
    works: dict[bytes, Work] = field(default_factory=dict)
    """By award. Each has its lease."""
    closed: dict[bytes, tuple[Winner, ...]] = field(default_factory=dict)
    """CFPs that ended, oldest first, bounded, each with what its manager had awarded."""
    negotiations: dict[bytes, Negotiation] = field(default_factory=dict)
    bargained: dict[bytes, bytes] = field(default_factory=dict)
    """The negotiation about each lease, by its award. Derived."""
    negotiated: dict[bytes, None] = field(default_factory=dict)
    """Negotiations that ended, oldest first, bounded."""
    decoy_key: bytes = bytes(32)
    """SHA-256 over all inbox keys: a secret to whoever lacks one of them. Derived."""
    budgets: dict[bytes, Budget] = field(default_factory=dict)
    scopes: dict[bytes | str, Budget] = field(default_factory=dict)
    """The budget of each account id and each project name that has one. Derived."""
    projects: dict[str, list[bytes]] = field(default_factory=dict)
    """The accounts of each project in order of opening, without the bank. Derived."""
    token_pools: dict[str, TokenPool] = field(default_factory=dict)
    token_ids: dict[bytes, TokenPool] = field(default_factory=dict)
    """The same by id. Derived."""
    token_orders: dict[bytes, str] = field(default_factory=dict)
    """The token pool of each standing order. Derived."""
    token_grants: dict[bytes, str] = field(default_factory=dict)
    """The token pool of each grant that is not forgotten. Derived."""
    policy: Policy | None = None
    """The operator's; None: it has set none."""
    deposit_hourly_permille: int = 0
    """What managers deposit, as the operator has set it."""
    deposit_floor_ucr: int = 0
    """What a unit counts for in an hour at least, for that."""
    resale_call_ms: int = 0
    """How long a deal over a lease is open to others, as the operator has set it; 0: not at all."""
    resales: dict[bytes, bytes] = field(default_factory=dict)
    """The CFP that sells each lease on, by its award. Derived."""
    agenda: list[tuple[int, bytes]] = field(default_factory=list)
    """Heap of (due, id of a CFP, award, budget, negotiation or token pool). Derived; entries of things that ended early
    are dropped when they surface."""

    def add_account(self, account: Account) -> None:
        """Take in a new account."""
        assert account.id not in self.accounts
        assert account.name not in self.account_names
        self.accounts[account.id] = account
        self.account_names[account.name] = account.id
        if account.id != self.bank:
            self.projects.setdefault(account.project, []).append(account.id)
        if account.inbox_key is not None:
            self.decoy_key = hashlib.sha256(DECOY_DOMAIN + self.decoy_key + account.inbox_key).digest()

    def weights_of(self, account: Account) -> RootWeights:
        """Those of its budget root."""
        return self.root_weights.setdefault(account.budget_root, RootWeights())

    def weight_at(self, account: Account, epoch: int) -> int:
        """What an account counts by in a CFP of this weight epoch, permille: its own weight; from version 10 on the
        least of its budget root."""
        if self.rules_version < limits.ROOT_WEIGHTS_RULES_VERSION:
            return account.weight_at(epoch)
        weights = self.root_weights.get(account.budget_root)
        return limits.WEIGHT_PERMILLE_MAX if weights is None else weights.least_at(epoch)

    def count_cfp(self, manager: bytes, number: int) -> None:
        """A manager has so many open CFPs more."""
        account = self.accounts[manager]
        account.open_cfps += number
        self.root_cfps[account.budget_root] += number
        if not self.root_cfps[account.budget_root]:
            del self.root_cfps[account.budget_root]

    def add_budget(self, budget: Budget) -> None:
        """Take in a new budget, or one with new terms, with what the open bids of its accounts hold."""
        self.budgets[budget.id] = self.scopes[budget.account or budget.project] = budget
        budget.held_ucr = sum(self.accounts[ident].held_ucr for ident in self.accounts_under(budget))

    def add_negotiation(self, negotiation: Negotiation) -> None:
        """Take in a negotiation."""
        self.negotiations[negotiation.id] = negotiation
        self.bargained[negotiation.award] = negotiation.id

    def add_cfp(self, cfp: Cfp) -> None:
        """Take in a CFP."""
        self.cfps[cfp.id] = cfp
        self.count_cfp(cfp.manager, 1)
        if cfp.resale is not None:
            self.resales[cfp.resale] = cfp.id

    def add_token_pool(self, pool: TokenPool) -> None:
        """Take in a token pool."""
        self.token_pools[pool.name] = self.token_ids[pool.id] = pool
        self.token_orders.update((order.id, pool.name) for order in pool.orders.values())
        self.token_grants.update((grant, pool.name) for grant in pool.grants)

    def accounts_under(self, budget: Budget) -> list[bytes]:
        """The accounts that fall under a budget, in order of opening."""
        return self.projects.get(budget.project, []) if budget.account is None else [budget.account]

    def budgets_of(self, account: Account) -> list[Budget]:
        """The budgets that an account falls under: its own, its project's."""
        if not self.scopes:
            return []
        return [b for b in (self.scopes.get(account.id), self.scopes.get(account.project)) if b is not None]

    def deposit_rate_of(self, direction: Direction, manager: bytes) -> int:
        """What a manager deposits for a new CFP: the bank nothing, nor, before version 11, who buys."""
        buys = direction is Direction.BUY and self.rules_version < limits.BUYER_DEPOSITS_RULES_VERSION
        return 0 if buys or manager == self.bank else self.deposit_hourly_permille

    def backed(self) -> Iterator[tuple[bytes, bytes, int]]:
        """Hold, account and amount of everything that a hold may back."""
        for cfp in self.cfps.values():
            if cfp.terms is not None:
                yield cfp.id, cfp.manager, cfp.ceiling_ucr
            if cfp.deposit_ucr:
                yield cfp.deposit_hold, cfp.manager, cfp.deposit_ucr
            for bid in cfp.bids.values():
                # An ask that has won is still there until its CFP's last entry.
                if bid.id not in self.works:
                    yield bid.id, bid.account, bid.price_ucr if cfp.terms is None else cfp.terms.bond_ucr
        for work in self.works.values():
            yield work.escrow, work.manager, work.price_ucr
            yield work.award, work.account, work.bond_ucr
        for negotiation in self.negotiations.values():
            # In the record of a deal the bid is there before the negotiation ends.
            if negotiation.cap_ucr and negotiation.id not in self.bids:
                yield negotiation.id, negotiation.parties[BUYER].account, negotiation.cap_ucr

    def standing(self, cfp: Cfp) -> list[Bid]:
        """The bids of a CFP that may still win, in order of arrival."""
        return [
            bid
            for bid in cfp.bids.values()
            if not bid.withdrawn and self.is_undecided(bid) and cfp.admits(bid.price_ucr)
        ]

    def is_undecided(self, bid: Bid) -> bool:
        """Whether a bid is neither settled nor awarded: an ask that has won holds its bond until its work ends."""
        return bid.id in self.holds and bid.id not in self.works

    def group_of(self, bid: Bid) -> Group | None:
        """The group of a bid that is not settled."""
        return None if bid.group is None else self.accounts[bid.account].groups[bid.group]

    def entries_due(self) -> int:
        """How many entries what falls due next counts for, beside those that it has: those that it might have had.

        They bound what a record sets off, and must not tell what the open bids hold.
        """
        cfp = self.cfps.get(self.agenda[0][1])
        if cfp is not None and cfp.decide_ms and not cfp.decides_until_ms:
            # Each bid may be a notice.
            return len(cfp.bids)
        pool = self.token_ids.get(self.agenda[0][1])
        if pool is not None:
            return 3 * len(pool.orders)
        budget = self.budgets.get(self.agenda[0][1])
        if budget is None or not budget.posts:
            return 0
        # Decay, allowance, and what is owed.
        entries = 3 if self.rules_version >= limits.DECAY_RULES_VERSION else 2
        return entries * len(self.accounts_under(budget))

    def is_pending(self, item: tuple[int, bytes]) -> bool:
        """Whether an entry of the agenda still stands."""
        due_ms, ident = item
        cfp = self.cfps.get(ident)
        if cfp is not None and cfp.due_at_ms == due_ms:
            return True
        negotiation = self.negotiations.get(ident)
        if negotiation is not None and negotiation.until_ms == due_ms:
            return True
        # A lease that was bargained for has the id of its negotiation, and so has a call for it.
        lease = self.leases.get(ident)
        if lease is not None:
            return lease.ends_at_ms == due_ms
        pool = self.token_ids.get(ident)
        if pool is not None:
            return pool.clears_at_ms == due_ms
        budget = self.budgets.get(ident)
        return budget is not None and budget.ends_at_ms == due_ms

    def trim_agenda(self) -> None:
        """Let the head of the agenda be something that stands."""
        while self.agenda and not self.is_pending(self.agenda[0]):
            heapq.heappop(self.agenda)

    @property
    def due_at_ms(self) -> int | None:
        """When the next thing falls due, market time."""
        return self.agenda[0][0] if self.agenda else None
