"""What agents, managers, the bank, the operator and the clock ask of a market. Fields and units: schemas/commands/."""

from __future__ import annotations

from dataclasses import dataclass

from contractnet.messages.command import Command as Command  # noqa: PLC0414, part of this module
from contractnet.messages.commands_policy import SetDeposit as SetDeposit  # noqa: PLC0414, part of this module
from contractnet.messages.commands_policy import SetPolicy as SetPolicy  # noqa: PLC0414, part of this module
from contractnet.messages.commands_resales import ClaimLease as ClaimLease  # noqa: PLC0414, part of this module
from contractnet.messages.commands_resales import SetResaleCall as SetResaleCall  # noqa: PLC0414, part of this module
from contractnet.messages.commands_tokens import CancelStandingOrder as CancelStandingOrder  # noqa: PLC0414, part of this module
from contractnet.messages.commands_tokens import CreateTokenPool as CreateTokenPool  # noqa: PLC0414, part of this module
from contractnet.messages.commands_tokens import DrawTokens as DrawTokens  # noqa: PLC0414, part of this module
from contractnet.messages.commands_tokens import PlaceStandingOrder as PlaceStandingOrder  # noqa: PLC0414, part of this module
from contractnet.messages.commands_tokens import ReportUsage as ReportUsage  # noqa: PLC0414, part of this module
from contractnet.messages.commands_tokens import ResizeTokenPool as ResizeTokenPool  # noqa: PLC0414, part of this module
from contractnet.messages.commands_tokens import SetPriority as SetPriority  # noqa: PLC0414, part of this module
from contractnet.messages.types import Awarder, Claim, Direction, Issue, NegotiationProtocol, Pricing, Progress


@dataclass(frozen=True, slots=True)
class OpenMarket(Command):
    """Genesis of a market, signed by the operator's key. The bank's account is born with it."""

    bank_key: bytes
    partitions: int
    rules_version: int
    signed: bool


@dataclass(frozen=True, slots=True)
class ActivateRules(Command):
    """The operator switches the market to another version of the rules."""

    version: int


@dataclass(frozen=True, slots=True)
class OpenAccount(Command):
    """The bank opens an account. Its id is this command's id."""

    name: str
    project: str
    budget_root: str
    signing_key: bytes
    inbox_key: bytes


@dataclass(frozen=True, slots=True)
class RegisterKey(Command):
    """Adds a signing key to an account. The holder adds to its own account; the bank to any; the operator to the
    bank's."""

    account: bytes
    signing_key: bytes
    expires_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RotateKey(Command):
    """Replaces the key that signs this command by another, in one step."""

    signing_key: bytes
    expires_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RevokeKey(Command):
    """Ends a key from this offset on. The holder revokes its own; the bank any."""

    account: bytes
    signing_key: bytes


@dataclass(frozen=True, slots=True)
class SetWeight(Command):
    """The bank sets the weight of an account in rankings; it counts for CFPs opened later."""

    account: bytes
    weight_permille: int


@dataclass(frozen=True, slots=True)
class IssueCredits(Command):
    """The bank issues new credits to an account."""

    account: bytes
    amount_ucr: int
    memo: str


@dataclass(frozen=True, slots=True)
class TransferCredits(Command):
    """The bank moves credits between two accounts."""

    debit: bytes
    credit: bytes
    amount_ucr: int
    memo: str


@dataclass(frozen=True, slots=True)
class SetBudget(Command):
    """The bank gives an account or a project a budget, or other terms for the one it has."""

    account: bytes | None
    project: str
    limit_ucr: int | None
    allowance_ucr: int
    window_ms: int
    offset_ms: int | None
    decay_permille: int
    cap_allowances: int
    warn_permille: int


@dataclass(frozen=True, slots=True)
class ClearBudget(Command):
    """The bank ends the budget of an account or a project."""

    account: bytes | None
    project: str


@dataclass(frozen=True, slots=True)
class TopUpBudget(Command):
    """The bank raises the limit of a budget for the window that runs now."""

    account: bytes | None
    project: str
    amount_ucr: int


@dataclass(frozen=True, slots=True)
class CreatePool(Command):
    """The bank creates a pool of interchangeable units and names its owner."""

    name: str
    owner: bytes
    units: int


@dataclass(frozen=True, slots=True)
class ResizePool(Command):
    """The owner (or the bank) changes a pool's capacity from now on."""

    pool: str
    units: int


@dataclass(frozen=True, slots=True)
class CallForProposals(Command):
    """A manager calls for proposals (FIPA cfp). The CFP's id is this command's id."""

    direction: Direction
    pool: str
    units: int
    duration_ms: int
    slots: int
    open_ms: int
    reserve_price_ucr: int
    pricing: Pricing
    award: Awarder = Awarder.AUTO
    decide_ms: int = 0
    invited: tuple[bytes, ...] = ()
    delay_cost_per_s_ucr: int = 0
    bond_ucr: int = 0
    start_within_ms: int = 0
    grace_ms: int = 0


@dataclass(frozen=True, slots=True)
class CancelCfp(Command):
    """The manager takes a CFP back before its deadline (FIPA cancel)."""

    cfp: bytes


@dataclass(frozen=True, slots=True)
class RefuseCfp(Command):
    """An account says that it does not bid on a CFP (FIPA refuse)."""

    cfp: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class AwardBid(Command):
    """The manager gives a slot to a bid (FIPA accept-proposal), after the deadline of its CFP with award MANAGER."""

    bid: bytes


@dataclass(frozen=True, slots=True)
class RejectBid(Command):
    """The manager declines a bid (FIPA reject-proposal), after the deadline of its CFP with award MANAGER. Its hold is
    freed at once."""

    bid: bytes


@dataclass(frozen=True, slots=True)
class PlaceBid(Command):
    """A bid on a CFP (FIPA propose). The bid's id is this command's id; it is backed by a hold of the price, or by its
    group's: of the bids of a group, chosen by the bidder, at most `wins_max` win."""

    cfp: bytes
    price_ucr: int
    start_delay_ms: int
    task: str
    pass_hash: bytes
    claim: Claim | None = None
    group: bytes | None = None
    wins_max: int = 0


@dataclass(frozen=True, slots=True)
class PlaceAsk(Command):
    """An ask on a CFP that buys (FIPA propose). The ask's id is this command's id; it is backed by a hold of the
    bond."""

    cfp: bytes
    pool: str
    price_ucr: int
    start_delay_ms: int
    task: str
    pass_hash: bytes


@dataclass(frozen=True, slots=True)
class ReportWork(Command):
    """A contractor tells how far its work is: STARTED, DONE (FIPA inform-done, inform-result) or FAILED (failure)."""

    award: bytes
    progress: Progress
    text: str


@dataclass(frozen=True, slots=True)
class WithdrawBid(Command):
    """Takes a bid out of a CFP. Its hold is freed when the CFP ends."""

    bid: bytes


@dataclass(frozen=True, slots=True)
class ReleaseLease(Command):
    """The holder of a lease gives it back early (FIPA inform-done)."""

    award: bytes


@dataclass(frozen=True, slots=True)
class OpenNegotiation(Command):
    """The holder of a lease asks an account to bargain over what is left of it. The negotiation's id is this command's
    id."""

    award: bytes
    counterpart: bytes
    protocol: NegotiationProtocol
    issues: tuple[Issue, ...]
    rounds_max: int
    round_ms: int
    still_rounds_max: int


@dataclass(frozen=True, slots=True)
class JoinNegotiation(Command):
    """The counterpart begins to bargain. It is backed by a hold of `cap_ucr`, the most that it can pay. The holder of a
    lease that is claimed joins with a cap of 0."""

    negotiation: bytes
    cap_ucr: int
    task: str
    pass_hash: bytes


@dataclass(frozen=True, slots=True)
class MakeOffer(Command):
    """A party's offer of a round."""

    negotiation: bytes
    round: int
    options: tuple[int, ...]
    price_ucr: int


@dataclass(frozen=True, slots=True)
class AcceptOffer(Command):
    """A party takes the other's offer of a round (alternating offers)."""

    negotiation: bytes
    round: int


@dataclass(frozen=True, slots=True)
class LeaveNegotiation(Command):
    """A party ends a negotiation without a deal; before it has joined, the counterpart declines by this."""

    negotiation: bytes


@dataclass(frozen=True, slots=True)
class Tick(Command):
    """The clock. Anyone may send it, unsigned: it only lets what is due happen."""
