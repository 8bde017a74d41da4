"""What happened in a market. Fields and units: schemas/events/, where each record starts with its Source."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.event import Event as Event  # noqa: PLC0414, part of this module
from contractnet.messages.events_budgets import BudgetCleared as BudgetCleared  # noqa: PLC0414, part of this module
from contractnet.messages.events_budgets import BudgetSet as BudgetSet  # noqa: PLC0414, part of this module
from contractnet.messages.events_budgets import BudgetToppedUp as BudgetToppedUp  # noqa: PLC0414, part of this module
from contractnet.messages.events_budgets import BudgetWarned as BudgetWarned  # noqa: PLC0414, part of this module
from contractnet.messages.events_budgets import BudgetWindowStarted as BudgetWindowStarted  # noqa: PLC0414, part of this module
from contractnet.messages.events_budgets import DecayOwed as DecayOwed  # noqa: PLC0414, part of this module
from contractnet.messages.events_groups import BidGrouped as BidGrouped  # noqa: PLC0414, part of this module
from contractnet.messages.events_groups import HoldResized as HoldResized  # noqa: PLC0414, part of this module
from contractnet.messages.events_invitations import AccountInvited as AccountInvited  # noqa: PLC0414, part of this module
from contractnet.messages.events_negotiations import NegotiationClosed as NegotiationClosed  # noqa: PLC0414, part of this module
from contractnet.messages.events_negotiations import NegotiationJoined as NegotiationJoined  # noqa: PLC0414, part of this module
from contractnet.messages.events_negotiations import NegotiationOpened as NegotiationOpened  # noqa: PLC0414, part of this module
from contractnet.messages.events_negotiations import OfferMade as OfferMade  # noqa: PLC0414, part of this module
from contractnet.messages.events_negotiations import OffersOpened as OffersOpened  # noqa: PLC0414, part of this module
from contractnet.messages.events_policy import DepositSet as DepositSet  # noqa: PLC0414, part of this module
from contractnet.messages.events_policy import PolicySet as PolicySet  # noqa: PLC0414, part of this module
from contractnet.messages.events_resales import LeaseClaimed as LeaseClaimed  # noqa: PLC0414, part of this module
from contractnet.messages.events_resales import ResaleCallSet as ResaleCallSet  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import PriorityChanged as PriorityChanged  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import StandingOrderEnded as StandingOrderEnded  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import StandingOrderPlaced as StandingOrderPlaced  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import TokenPoolCleared as TokenPoolCleared  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import TokenPoolCreated as TokenPoolCreated  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import TokenPoolResized as TokenPoolResized  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import TokenRateChanged as TokenRateChanged  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import TokensGranted as TokensGranted  # noqa: PLC0414, part of this module
from contractnet.messages.events_tokens import UsageReported as UsageReported  # noqa: PLC0414, part of this module
from contractnet.messages.purchases import PurchaseOpened as PurchaseOpened  # noqa: PLC0414, part of this module
from contractnet.messages.purchases import UnitsOffered as UnitsOffered  # noqa: PLC0414, part of this module
from contractnet.messages.purchases import WorkReported as WorkReported  # noqa: PLC0414, part of this module
from contractnet.messages.types import (
    CfpOutcome,
    Claim,
    Code,
    Direction,
    LeaseEnd,
    PostingReason,
    Pricing,
    ReleaseReason,
    Unreadable,
)


@dataclass(frozen=True, slots=True)
class MarketOpened(Event):
    """A market began."""

    operator_key: bytes
    bank_key: bytes
    bank: bytes
    genesis_hash: bytes
    partitions: int
    rules_version: int
    signed: bool


@dataclass(frozen=True, slots=True)
class RulesActivated(Event):
    """Another version of the rules holds from the next command on."""

    version: int


@dataclass(frozen=True, slots=True)
class ClockAdvanced(Event):
    """Market time moved although nothing else happened."""


@dataclass(frozen=True, slots=True)
class ClockJumped(Event):
    """The broker's stamp was more than 60 s ahead of market time, which advanced by 60 s only."""

    stamped_at_ms: int


@dataclass(frozen=True, slots=True)
class CommandAccepted(Event):
    """The command was authentic, new and within the rules; what it caused follows at the same offset."""

    account: bytes | None
    key: bytes
    sequence: int
    kind: str


@dataclass(frozen=True, slots=True)
class CommandRejected(Event):
    """The command has no effect."""

    code: Code
    detail: str
    account: bytes | None
    key: bytes | None
    sequence: int | None
    kind: str


@dataclass(frozen=True, slots=True)
class CommandRepeated(Event):
    """The command was seen before; its first outcome stands."""

    code: Code
    account: bytes
    key: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class CommandUnreadable(Event):
    """The record is no command."""

    reason: Unreadable
    size_bytes: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class AccountOpened(Event):
    """An account began, with balance 0."""

    account: bytes
    name: str
    project: str
    budget_root: str
    signing_key: bytes
    inbox_key: bytes


@dataclass(frozen=True, slots=True)
class KeyRegistered(Event):
    """A key may sign for an account from the next command on."""

    account: bytes
    signing_key: bytes


@dataclass(frozen=True, slots=True)
class KeyRevoked(Event):
    """A key may not sign any more, for ever."""

    account: bytes
    signing_key: bytes


@dataclass(frozen=True, slots=True)
class KeyExpires(Event):
    """A key that was just registered signs nothing any more from some instant on."""

    account: bytes
    signing_key: bytes
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class OperatorKeyRotated(Event):
    """The operator of the market signs with another key from the next command on."""

    revoked_key: bytes
    signing_key: bytes


@dataclass(frozen=True, slots=True)
class WeightChanged(Event):
    """The weight of an account in rankings changed; it counts for CFPs opened later."""

    account: bytes
    weight_permille: int


@dataclass(frozen=True, slots=True)
class CreditsTransferred(Event):
    """One posting of the double-entry ledger: credits moved from one account to another."""

    debit: bytes
    credit: bytes
    amount_ucr: int
    reason: PostingReason
    agent: str
    project: str
    task: str
    pool: str
    cfp: bytes | None
    award: bytes | None
    memo: str


@dataclass(frozen=True, slots=True)
class HoldPlaced(Event):
    """Credits were set aside. A hold resolves exactly once, at the end of its CFP at the latest."""

    hold: bytes
    account: bytes
    amount_ucr: int
    cfp: bytes


@dataclass(frozen=True, slots=True)
class HoldCaptured(Event):
    """A hold paid for an award; the rest of it is free again."""

    hold: bytes
    account: bytes
    captured_ucr: int
    released_ucr: int


@dataclass(frozen=True, slots=True)
class HoldReleased(Event):
    """A hold ended without a payment."""

    hold: bytes
    account: bytes
    amount_ucr: int


@dataclass(frozen=True, slots=True)
class PoolCreated(Event):
    """A pool began."""

    pool: str
    owner: bytes
    units: int


@dataclass(frozen=True, slots=True)
class PoolResized(Event):
    """A pool's capacity changed."""

    pool: str
    units: int


@dataclass(frozen=True, slots=True)
class CfpOpened(Event):
    """A CFP began."""

    cfp: bytes
    manager: bytes
    direction: Direction
    pool: str
    units: int
    duration_ms: int
    slots: int
    reserve_price_ucr: int
    pricing: Pricing
    closes_at_ms: int


@dataclass(frozen=True, slots=True)
class AwardDeferred(Event):
    """The market does not award the CFP that was just opened: its manager chooses after the deadline."""

    cfp: bytes
    decide_ms: int


@dataclass(frozen=True, slots=True)
class CfpRefused(Event):
    """An account does not bid on a CFP (FIPA refuse)."""

    cfp: bytes
    account: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class DecisionOpened(Event):
    """The deadline of a CFP has passed, and its manager may choose among the bids that stand."""

    cfp: bytes
    bids: int
    decides_until_ms: int


@dataclass(frozen=True, slots=True)
class CfpClosed(Event):
    """A CFP ended."""

    cfp: bytes
    outcome: CfpOutcome
    bids: int
    awards: int


@dataclass(frozen=True, slots=True)
class BidPlaced(Event):
    """A bid stands."""

    bid: bytes
    cfp: bytes
    account: bytes
    price_ucr: int
    weight_permille: int
    start_delay_ms: int
    task: str
    pass_hash: bytes
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class BidWithdrawn(Event):
    """A bid was taken back; its hold stays until the CFP ends."""

    bid: bytes
    cfp: bytes
    account: bytes


@dataclass(frozen=True, slots=True)
class BidRejected(Event):
    """A bid did not win (FIPA reject-proposal)."""

    bid: bytes
    cfp: bytes
    account: bytes
    reason: ReleaseReason


@dataclass(frozen=True, slots=True)
class AwardMade(Event):
    """A bid won a slot (FIPA accept-proposal). The source of this event is the fencing token."""

    award: bytes
    cfp: bytes
    slot: int
    account: bytes
    price_ucr: int
    bid_price_ucr: int


@dataclass(frozen=True, slots=True)
class SlotReserved(Event):
    """Units of a pool are locked for an award: from starts_at_ms up to, not including, ends_at_ms."""

    award: bytes
    pool: str
    units: int
    account: bytes
    starts_at_ms: int
    ends_at_ms: int
    pass_hash: bytes


@dataclass(frozen=True, slots=True)
class LeaseEnded(Event):
    """A lock is off; the units are free."""

    award: bytes
    pool: str
    reason: LeaseEnd
