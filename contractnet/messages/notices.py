"""What agents may see. Fields and units: schemas/notices/."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.types import (
    CfpOutcome,
    Code,
    Direction,
    Issue,
    NegotiationOutcome,
    NegotiationProtocol,
    Offer,
    Pricing,
    Progress,
    Winner,
)


class Notice:
    """Base of the notices records."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Receipt(Notice):
    """The outcome of a command. Public, and names nobody."""

    command: bytes
    code: Code


@dataclass(frozen=True, slots=True)
class MarketAnnounced(Notice):
    """A market began."""

    genesis_hash: bytes
    operator_key: bytes


@dataclass(frozen=True, slots=True)
class PoolAnnounced(Notice):
    """A pool began or changed its size."""

    pool: str
    units: int


@dataclass(frozen=True, slots=True)
class CfpAnnounced(Notice):
    """A CFP takes bids."""

    cfp: bytes
    direction: Direction
    pool: str
    units: int
    duration_ms: int
    slots: int
    reserve_price_ucr: int
    pricing: Pricing
    opened_at_ms: int
    closes_at_ms: int


@dataclass(frozen=True, slots=True)
class ManagerAwards(Notice):
    """The CFP announced next has no award at its deadline: its manager chooses among the bids, which bind until
    then."""

    cfp: bytes
    decide_ms: int


@dataclass(frozen=True, slots=True)
class InvitationOnly(Notice):
    """The CFP announced next takes answers of invited accounts only. The `invitations` sealed notices right after the
    announcement are for them, decoys among them."""

    cfp: bytes
    invitations: int


@dataclass(frozen=True, slots=True)
class PurchaseAnnounced(Notice):
    """The CFP announced next buys: its other terms."""

    cfp: bytes
    delay_cost_per_s_ucr: int
    bond_ucr: int
    start_within_ms: int
    grace_ms: int


@dataclass(frozen=True, slots=True)
class BiddingEnded(Notice):
    """The deadline of a CFP has passed, and its manager may choose."""

    cfp: bytes
    decides_until_ms: int


@dataclass(frozen=True, slots=True)
class BidAwarded(Notice):
    """A manager gave a slot to a bid (FIPA accept-proposal). Its CFP may go on."""

    cfp: bytes
    bid: bytes
    price_ucr: int


@dataclass(frozen=True, slots=True)
class CfpSettled(Notice):
    """A CFP ended. Bids that are not named did not win."""

    cfp: bytes
    outcome: CfpOutcome
    winners: tuple[Winner, ...]


@dataclass(frozen=True, slots=True)
class LeaseGranted(Notice):
    """Units of a pool are locked for an award; a gate admits who knows the secret."""

    award: bytes
    pool: str
    units: int
    starts_at_ms: int
    ends_at_ms: int
    token_offset: int
    token_index: int
    pass_hash: bytes


@dataclass(frozen=True, slots=True)
class LeaseRevoked(Notice):
    """A lease is over before or at its end: its token is no longer current."""

    award: bytes
    pool: str
    ended_at_ms: int


@dataclass(frozen=True, slots=True)
class SealedNotice(Notice):
    """A notice that only one account can read: contractnet/sealing.py."""

    tag: bytes
    nonce: bytes
    box: bytes


@dataclass(frozen=True, slots=True)
class BalanceChanged(Notice):
    """An account's credits changed by something else than a hold of its own bid. Only ever inside a SealedNotice."""

    account: bytes
    available_ucr: int
    held_ucr: int
    offset: int


@dataclass(frozen=True, slots=True)
class BudgetChanged(Notice):
    """A budget that an account falls under, as it is after a command. Only ever inside a SealedNotice."""

    account: bytes
    of_project: bool
    limit_ucr: int | None
    spent_ucr: int
    ends_at_ms: int
    warned: bool
    offset: int


@dataclass(frozen=True, slots=True)
class BudgetEnded(Notice):
    """An account falls under no such budget any more. Only ever inside a SealedNotice."""

    account: bytes
    of_project: bool
    offset: int


@dataclass(frozen=True, slots=True)
class OwedChanged(Notice):
    """The decay that an account owes, as it is after a command. Only ever inside a SealedNotice."""

    account: bytes
    owed_ucr: int
    offset: int


@dataclass(frozen=True, slots=True)
class Invitation(Notice):
    """The account may answer a CFP by invitation (FIPA cfp). Only ever inside a SealedNotice."""

    account: bytes
    cfp: bytes


@dataclass(frozen=True, slots=True)
class BidShown(Notice):
    """A bid that stood at the deadline, for the manager who may choose it. Only ever inside a SealedNotice."""

    account: bytes
    cfp: bytes
    bid: bytes
    bidder: bytes
    agent: str
    price_ucr: int
    weight_permille: int
    start_delay_ms: int
    task: str
    bids: int


@dataclass(frozen=True, slots=True)
class BidDropped(Notice):
    """A bid that its CFP's manager may choose dropped: its group has won elsewhere as often as it may. Only ever inside
    a SealedNotice."""

    account: bytes
    cfp: bytes
    bid: bytes


@dataclass(frozen=True, slots=True)
class BidDeclined(Notice):
    """The manager declined a bid (FIPA reject-proposal). Only ever inside a SealedNotice."""

    account: bytes
    cfp: bytes
    bid: bytes


@dataclass(frozen=True, slots=True)
class NegotiationProposed(Notice):
    """A holder asks an account to bargain over its lease. For both parties; only ever inside a SealedNotice."""

    account: bytes
    negotiation: bytes
    award: bytes
    holder: bytes
    holder_name: str
    counterpart: bytes
    pool: str
    units: int
    starts_at_ms: int
    ends_at_ms: int
    protocol: NegotiationProtocol
    issues: tuple[Issue, ...]
    rounds_max: int
    round_ms: int
    still_rounds_max: int
    joins_until_ms: int


@dataclass(frozen=True, slots=True)
class LeaseWanted(Notice):
    """An account asks the holder of a lease to bargain over it. For both parties; only ever inside a SealedNotice."""

    account: bytes
    negotiation: bytes
    award: bytes
    holder: bytes
    counterpart: bytes
    counterpart_name: str
    pool: str
    units: int
    starts_at_ms: int
    ends_at_ms: int
    protocol: NegotiationProtocol
    issues: tuple[Issue, ...]
    rounds_max: int
    round_ms: int
    still_rounds_max: int
    joins_until_ms: int


@dataclass(frozen=True, slots=True)
class RoundBegan(Notice):
    """A round of a negotiation takes offers, and these stand: of monotonic concession both parties', the holder's
    first; of alternating ones the last. For both parties; only ever inside a SealedNotice."""

    account: bytes
    negotiation: bytes
    round: int
    until_ms: int
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class NegotiationEnded(Notice):
    """A negotiation is over; without a deal options are none and the price is 0. For both parties; only ever inside a
    SealedNotice."""

    account: bytes
    negotiation: bytes
    outcome: NegotiationOutcome
    options: tuple[int, ...]
    price_ucr: int


@dataclass(frozen=True, slots=True)
class WorkShown(Notice):
    """Work has started or ended, for its manager and its contractor. Only ever inside a SealedNotice."""

    account: bytes
    cfp: bytes
    award: bytes
    progress: Progress
    delay_ms: int | None
    paid_ucr: int
    text: str


@dataclass(frozen=True, slots=True)
class TokenPoolAnnounced(Notice):
    """A token pool began or has other terms."""

    pool: str
    tokens_per_minute: int
    burst_tokens: int
    reserve_permille: int
    interval_ms: int
    reserve_per_1000_ucr: int
    grant_ms: int


@dataclass(frozen=True, slots=True)
class GrantShown(Notice):
    """Tokens are the account's to spend. Only ever inside a SealedNotice."""

    account: bytes
    grant: bytes
    pool: str
    order: bytes | None
    tokens: int
    paid_ucr: int
    expires_at_ms: int
    system: bool
