"""Enums and records that several messages share. Their schemas are inlined where a record first uses them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ZERO_ID = bytes(16)
"""The id of nothing: source of a tick, or of a record whose headers name no command."""


class Direction(StrEnum):
    """What the manager trades. SELL: the manager sells a slot of its pool; the highest effective bid wins and pays.
    BUY: it buys work; the lowest effective ask wins and is paid."""

    UNSPECIFIED = "UNSPECIFIED"
    SELL = "SELL"
    BUY = "BUY"


class Pricing(StrEnum):
    """How a winner's price is derived. SECOND: its critical value, the least bid that would still win. FIRST: its own
    bid."""

    UNSPECIFIED = "UNSPECIFIED"
    SECOND = "SECOND"
    FIRST = "FIRST"


class Awarder(StrEnum):
    """Who chooses the winners of a CFP. AUTO: the market, at the deadline. MANAGER: the manager, from the bids that
    stood then."""

    UNSPECIFIED = "UNSPECIFIED"
    AUTO = "AUTO"
    MANAGER = "MANAGER"


class Priority(StrEnum):
    """How urgent the bidder claims its task to be. A claim is scored later; it never enters the ranking."""

    UNSPECIFIED = "UNSPECIFIED"
    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class Cause(StrEnum):
    """Why an event happened. COMMAND: the command itself asked for it. DUE: it fell due at or before the command's
    instant."""

    UNSPECIFIED = "UNSPECIFIED"
    COMMAND = "COMMAND"
    DUE = "DUE"


class PostingReason(StrEnum):
    """Why credits moved. ISSUE: new credits from the bank. TRANSFER: the bank moved them. AWARD: payment for an
    award. ALLOWANCE: a budget's credits for a window. DECAY: what a window's end took back. DEAL: payment for a lease
    that was bargained for. FORFEIT: the bond of work that failed. TOKENS: payment for granted tokens.
    FEE: what an offer in a negotiation costs. DEPOSIT: what a manager pays bidders whom its call did not serve."""

    UNSPECIFIED = "UNSPECIFIED"
    ISSUE = "ISSUE"
    TRANSFER = "TRANSFER"
    AWARD = "AWARD"
    ALLOWANCE = "ALLOWANCE"
    DECAY = "DECAY"
    DEAL = "DEAL"
    FORFEIT = "FORFEIT"
    TOKENS = "TOKENS"
    FEE = "FEE"
    DEPOSIT = "DEPOSIT"


class ReleaseReason(StrEnum):
    """Why a hold ended without a payment. REJECTED: the manager declined the bid. NOT_CHOSEN: it gave all slots to
    others. EXPIRED: it did not decide in time. GROUP_WON: its group has won as often as it may."""

    UNSPECIFIED = "UNSPECIFIED"
    OUTBID = "OUTBID"
    BELOW_RESERVE = "BELOW_RESERVE"
    UNLOCKABLE = "UNLOCKABLE"
    WITHDRAWN = "WITHDRAWN"
    CFP_CANCELLED = "CFP_CANCELLED"
    REJECTED = "REJECTED"
    NOT_CHOSEN = "NOT_CHOSEN"
    EXPIRED = "EXPIRED"
    GROUP_WON = "GROUP_WON"


class CfpOutcome(StrEnum):
    """How a CFP ended. EXPIRED: its manager had bids to choose from, and chose none in time."""

    UNSPECIFIED = "UNSPECIFIED"
    AWARDED = "AWARDED"
    UNAWARDED = "UNAWARDED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class LeaseEnd(StrEnum):
    """Why a lease ended. EXPIRED: its time was over. RELEASED: the holder gave it back (FIPA inform-done). RESOLD: what
    is left of it is another's, by a deal."""

    UNSPECIFIED = "UNSPECIFIED"
    EXPIRED = "EXPIRED"
    RELEASED = "RELEASED"
    RESOLD = "RESOLD"


class NegotiationProtocol(StrEnum):
    """How two parties bargain. MONOTONIC: both offer at the same time and take nothing back (monotonic concession).
    ALTERNATING: one offers, the other accepts or makes the next offer."""

    UNSPECIFIED = "UNSPECIFIED"
    MONOTONIC = "MONOTONIC"
    ALTERNATING = "ALTERNATING"


class NegotiationOutcome(StrEnum):
    """How a negotiation ended; all but DEAL are the conflict deal. STANDSTILL: nobody conceded any more. EXPIRED: time
    or rounds were over. LEFT: a party left. LEASE_ENDED: there was nothing left to bargain over."""

    UNSPECIFIED = "UNSPECIFIED"
    DEAL = "DEAL"
    STANDSTILL = "STANDSTILL"
    EXPIRED = "EXPIRED"
    LEFT = "LEFT"
    LEASE_ENDED = "LEASE_ENDED"


class Progress(StrEnum):
    """How far work is. STARTED, DONE and FAILED: its contractor says so (FIPA inform, inform-done or inform-result,
    failure). TIMED_OUT: it was not done in time."""

    UNSPECIFIED = "UNSPECIFIED"
    STARTED = "STARTED"
    DONE = "DONE"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"


class OrderEnd(StrEnum):
    """Why a standing order ended. REPLACED: its account placed another one in the pool. CANCELLED: its account took it
    back. EXPIRED: its time was over."""

    UNSPECIFIED = "UNSPECIFIED"
    REPLACED = "REPLACED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class TokenPricing(StrEnum):
    """How a clearing priced tokens. UNIFORM: all pay the price of the first token that nobody got. VCG: each budget
    root pays what its tokens would have been worth to the others."""

    UNSPECIFIED = "UNSPECIFIED"
    UNIFORM = "UNIFORM"
    VCG = "VCG"


class Unreadable(StrEnum):
    """Why the bytes are no command."""

    UNSPECIFIED = "UNSPECIFIED"
    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    BAD_FRAMING = "BAD_FRAMING"
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    NOT_A_COMMAND = "NOT_A_COMMAND"
    BAD_BODY = "BAD_BODY"


class Code(StrEnum):
    """The outcome of a command; contractnet.messages.CODE_TEXT says each in words."""

    UNSPECIFIED = "UNSPECIFIED"
    ACCEPTED = "ACCEPTED"
    UNREADABLE = "UNREADABLE"
    MISSING_SIGNATURE = "MISSING_SIGNATURE"
    BAD_SIGNATURE = "BAD_SIGNATURE"
    WRONG_PARTITION = "WRONG_PARTITION"
    BAD_MARKET_NAME = "BAD_MARKET_NAME"
    UNKNOWN_MARKET = "UNKNOWN_MARKET"
    MARKET_EXISTS = "MARKET_EXISTS"
    UNTRUSTED_OPERATOR = "UNTRUSTED_OPERATOR"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    REVOKED_KEY = "REVOKED_KEY"
    STALE_SEQUENCE = "STALE_SEQUENCE"
    NOT_PERMITTED = "NOT_PERMITTED"
    NOT_OWNER = "NOT_OWNER"
    BAD_AMOUNT = "BAD_AMOUNT"
    BAD_NAME = "BAD_NAME"
    BAD_DURATION = "BAD_DURATION"
    BAD_UNITS = "BAD_UNITS"
    BAD_WEIGHT = "BAD_WEIGHT"
    BAD_PARTITIONS = "BAD_PARTITIONS"
    UNKNOWN_VALUE = "UNKNOWN_VALUE"
    UNKNOWN_RULES = "UNKNOWN_RULES"
    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
    UNKNOWN_POOL = "UNKNOWN_POOL"
    UNKNOWN_CFP = "UNKNOWN_CFP"
    UNKNOWN_BID = "UNKNOWN_BID"
    UNKNOWN_LEASE = "UNKNOWN_LEASE"
    NAME_TAKEN = "NAME_TAKEN"
    KEY_TAKEN = "KEY_TAKEN"
    LAST_KEY = "LAST_KEY"
    CFP_CLOSED = "CFP_CLOSED"
    OWN_CFP = "OWN_CFP"
    ALREADY_BID = "ALREADY_BID"
    INSUFFICIENT_CREDIT = "INSUFFICIENT_CREDIT"
    UNITS_EXCEED_POOL = "UNITS_EXCEED_POOL"
    CAPACITY_RESERVED = "CAPACITY_RESERVED"
    LIMIT_REACHED = "LIMIT_REACHED"
    BAD_BUDGET = "BAD_BUDGET"
    UNKNOWN_BUDGET = "UNKNOWN_BUDGET"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    BAD_PRICING = "BAD_PRICING"
    NOT_MANAGED = "NOT_MANAGED"
    CFP_OPEN = "CFP_OPEN"
    BID_BINDING = "BID_BINDING"
    BELOW_RESERVE = "BELOW_RESERVE"
    NO_CAPACITY = "NO_CAPACITY"
    OUT_OF_SEQUENCE = "OUT_OF_SEQUENCE"
    BAD_GROUP = "BAD_GROUP"
    GROUP_DIFFERS = "GROUP_DIFFERS"
    GROUP_WON = "GROUP_WON"
    NOT_INVITED = "NOT_INVITED"
    BAD_INVITATION = "BAD_INVITATION"
    UNKNOWN_NEGOTIATION = "UNKNOWN_NEGOTIATION"
    NEGOTIATION_CLOSED = "NEGOTIATION_CLOSED"
    NOT_A_PARTY = "NOT_A_PARTY"
    BAD_COUNTERPART = "BAD_COUNTERPART"
    LEASE_IN_NEGOTIATION = "LEASE_IN_NEGOTIATION"
    BAD_ISSUES = "BAD_ISSUES"
    BAD_ROUNDS = "BAD_ROUNDS"
    BAD_OFFER = "BAD_OFFER"
    ABOVE_CAP = "ABOVE_CAP"
    NOT_MONOTONIC = "NOT_MONOTONIC"
    OUT_OF_TURN = "OUT_OF_TURN"
    ROUND_OVER = "ROUND_OVER"
    WRONG_PROTOCOL = "WRONG_PROTOCOL"
    BAD_TOKENS = "BAD_TOKENS"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    UNKNOWN_GRANT = "UNKNOWN_GRANT"
    GRANT_SPENT = "GRANT_SPENT"
    NO_TOKENS = "NO_TOKENS"
    NOT_SYSTEM = "NOT_SYSTEM"
    ISSUE_EXCEEDED = "ISSUE_EXCEEDED"


CODE_TEXT: dict[Code, str] = {
    Code.ACCEPTED: "the command took effect",
    Code.UNREADABLE: "the value is no command of a known schema",
    Code.MISSING_SIGNATURE: "a header (sig, key, salt, seq) is absent or has the wrong size",
    Code.BAD_SIGNATURE: "the signature does not match the key, the market, the headers and the value",
    Code.WRONG_PARTITION: "the market does not live on this partition: partition by murmur2 of the market id",
    Code.BAD_MARKET_NAME: "the record key is no market name: 1 to 64 bytes of NFC UTF-8, no control characters",
    Code.UNKNOWN_MARKET: "no market of this name was opened here",
    Code.MARKET_EXISTS: "a market of this name is open already",
    Code.UNTRUSTED_OPERATOR: "the genesis is not signed by the operator key that this worker trusts",
    Code.UNKNOWN_KEY: "no account has registered this key",
    Code.REVOKED_KEY: "the key was revoked, or has expired",
    Code.STALE_SEQUENCE: "used by another command, or below the replay window: use max(last + 1, unix microseconds)",
    Code.NOT_PERMITTED: "only the bank (or the operator) may send this command",
    Code.NOT_OWNER: "the pool, CFP, bid or lease belongs to another account",
    Code.BAD_AMOUNT: "an amount of micro-credits is outside its limits",
    Code.BAD_NAME: "a name or text is too long, empty, not NFC, or holds control or format characters",
    Code.BAD_DURATION: "a duration is outside its limits",
    Code.BAD_UNITS: "a number of units or slots is outside its limits",
    Code.BAD_WEIGHT: "a weight is outside 500 to 1000 permille",
    Code.BAD_PARTITIONS: "the number of partitions in the genesis is not that of the topic",
    Code.UNKNOWN_VALUE: "an enum field is UNSPECIFIED or of a newer schema",
    Code.UNKNOWN_RULES: "unknown here or older than the active rules, or they do not have what the command asks for",
    Code.UNKNOWN_ACCOUNT: "no such account",
    Code.UNKNOWN_POOL: "no such pool",
    Code.UNKNOWN_CFP: "no such CFP, or it ended long ago",
    Code.UNKNOWN_BID: "no such live bid",
    Code.UNKNOWN_LEASE: "no such current lease",
    Code.NAME_TAKEN: "an account or pool has this name already",
    Code.KEY_TAKEN: "the key is or was registered already",
    Code.LAST_KEY: "an account's last key cannot be revoked by itself: rotate it",
    Code.CFP_CLOSED: "the CFP has ended: a bid counts only before its deadline",
    Code.OWN_CFP: "a manager cannot bid on its own CFP",
    Code.ALREADY_BID: "the account has a live bid on this CFP already: withdraw that one first",
    Code.INSUFFICIENT_CREDIT: "the available balance does not cover the amount",
    Code.UNITS_EXCEED_POOL: "the pool has fewer units than asked for",
    Code.CAPACITY_RESERVED: "units that current leases use cannot be taken away",
    Code.LIMIT_REACHED: "the market is full in this respect: see market/limits.py",
    Code.BAD_BUDGET: "a budget names either an account or a project, and terms within their limits",
    Code.UNKNOWN_BUDGET: "the account or project has no budget, or none with a limit",
    Code.BUDGET_EXCEEDED: "the bid is higher than what is left of the account's or its project's budget in this window",
    Code.BAD_PRICING: "a manager that awards itself takes each bid at its own price: pricing FIRST",
    Code.NOT_MANAGED: "the market awards this CFP itself, at its deadline",
    Code.CFP_OPEN: "the CFP still takes bids: its manager decides after the deadline",
    Code.BID_BINDING: "the deadline has passed: a bid binds until its manager has decided, or may no longer",
    Code.BELOW_RESERVE: "the bid is below the reserve of its CFP, and cannot win",
    Code.NO_CAPACITY: "the pool has no room for the lease: others use its units then",
    Code.OUT_OF_SEQUENCE: "not its turn: an account refuses a CFP once or bids, sells or asks, starts work and ends it",
    Code.BAD_GROUP: "a bid names a group and how many of its bids may win, or neither",
    Code.GROUP_DIFFERS: "earlier bids of the group said that another number of them may win",
    Code.GROUP_WON: "the group has won as often as it may: it takes no more bids",
    Code.NOT_INVITED: "the CFP is by invitation, and the account is not invited",
    Code.BAD_INVITATION: "the invited are accounts other than the manager and the bank, each named once",
    Code.UNKNOWN_NEGOTIATION: "no such negotiation, or it ended long ago",
    Code.NEGOTIATION_CLOSED: "the negotiation has ended",
    Code.NOT_A_PARTY: "two accounts bargain here, and this is neither",
    Code.BAD_COUNTERPART: "nobody bargains with itself or with the bank",
    Code.LEASE_IN_NEGOTIATION: "the lease is bargained for already",
    Code.BAD_ISSUES: "issues have different names, and each has two options or more with different names",
    Code.BAD_ROUNDS: "a number of rounds is outside its limits",
    Code.BAD_OFFER: "an offer names one option of each issue, by its number from 0",
    Code.ABOVE_CAP: "the price is above what the buyer set aside when it joined",
    Code.NOT_MONOTONIC: "the party has offered the same options at a better price before: nothing is taken back",
    Code.OUT_OF_TURN: "it is not this party's turn, or the round has not begun",
    Code.ROUND_OVER: "the round is over: what is meant for it comes too late",
    Code.WRONG_PROTOCOL: "in monotonic concession a party accepts by making the other's offer its own",
    Code.BAD_TOKENS: "a number of tokens, calls or permille of a token pool is outside its limits",
    Code.UNKNOWN_ORDER: "no such standing order",
    Code.UNKNOWN_GRANT: "no such grant, or its time and the grace for reports are over",
    Code.GRANT_SPENT: "all reports of a grant together say more than was granted",
    Code.NO_TOKENS: "the token pool has not so many tokens now",
    Code.NOT_SYSTEM: "only System agents draw tokens; others place standing orders",
    Code.ISSUE_EXCEEDED: "the operator's policy leaves less to issue in this window",
}
"""Each outcome in words, for people."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the bidder says the slot is worth to it. Scored by the judge later, never compared with the price."""

    priority: Priority
    deadline_at_ms: int
    expected_value_points: int


@dataclass(frozen=True, slots=True)
class Winner:
    """One winning bid and what it pays, micro-credits."""

    bid: bytes
    price_ucr: int


@dataclass(frozen=True, slots=True)
class Issue:
    """What is bargained over beside the price: one of several options."""

    name: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """One outcome of a negotiation: an option of each issue, by number from 0, and what the buyer pays,
    micro-credits."""

    options: tuple[int, ...]
    price_ucr: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where an event comes from: offset and index in the commands partition, the command's id, market time, cause."""

    offset: int
    index: int
    command: bytes
    at_ms: int
    cause: Cause
