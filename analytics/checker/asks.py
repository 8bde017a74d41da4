"""What an accepted command has to lead to, for the independent checker: which events, and what they repeat of it.

A field of an event that the command has as well, by name, is the same in both: from ASKS on down there are only the
exceptions to that, and what is the same under another name. ASKS has every type of command (a test counts them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from hashlib import sha256
from operator import attrgetter, itemgetter
from typing import Any

from analytics.checker.case import Case
from analytics.checker.parts import BrokenRuleError, Fields, need
from contractnet.messages import commands, events

Count = Callable[[Any, bool], int]
"""How many events of a kind follow a command; the second argument is whether the operator sent it."""
Value = Callable[[Case, int], Any]
"""What a field of the nth event of a kind has to be, from 0."""


def one(_: Any, __: bool) -> int:
    """Exactly one."""
    return 1


def when(name: str) -> Count:
    """One where the command has a value in this field."""
    return lambda command, _: int(getattr(command, name) is not None)


def sender(case: Case, _: int) -> Any:
    """The account that sent the command."""
    return case.sender


def named(name: str) -> Value:
    """The command's field of another name."""
    return lambda case, _: getattr(case.command, name)


def fixed(value: Any) -> Value:
    """Always the same."""
    return lambda *_: value


def open_until(case: Case, _: int) -> Any:
    """The end of the time that the command names."""
    return case.at_ms + case.command.open_ms


def budget_of(case: Case, _: int) -> Any:
    """The budget of a command's scope."""
    return case.book.budgets.ids.get((case.command.account, case.command.project))


def offset_of(case: Case, _: int) -> Any:
    """Where a budget's windows begin; what a command leaves open follows from its scope (docs/budgets.md)."""
    c = case.command
    if c.offset_ms is not None:
        return c.offset_ms
    scope = c.project.encode() if c.account is None else c.account
    return int.from_bytes(sha256(b"contractnet/budget/1" + scope).digest()[:8], "big") % c.window_ms


@dataclass(frozen=True, slots=True)
class Ask:
    """`musts` says how many events of a kind follow, `may` which others may. `same` has fields that follow from the
    command in another way than by their name, by event."""

    musts: Mapping[str, Count]
    may: frozenset[str] = frozenset()
    same: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    postings: frozenset[str] = frozenset()
    """Reasons that credits may move for."""


HOLD, POSTING = "HoldPlaced", "CreditsTransferred"
ENDS = frozenset({"BidRejected", "HoldReleased", "HoldResized", "CfpClosed", POSTING})
"""What the end of a CFP may bring with it, or a choice among its bids."""
DEAL = frozenset({"HoldCaptured", "HoldReleased", POSTING, "LeaseEnded", "SlotReserved", "BudgetWarned"})
CALLED = frozenset({"CfpOpened", "BidPlaced", "HoldResized"})
"""What a deal may bring with it: that of a lease that moves at once, or the call for it."""
BY = {"account": sender}


def accepted(case: Case, _: int) -> Any:
    """How a negotiation ends by an acceptance: with a deal, unless it is too late for a call for the lease."""
    return "DEAL" if case.counts.keys() & {"SlotReserved", "CfpOpened"} else "LEASE_ENDED"


ASKS: dict[str, Ask] = {
    "OpenMarket": Ask(
        {"MarketOpened": one},
        same={"MarketOpened": {"operator_key": lambda case, _: case.public, "bank": lambda case, _: case.ident}},
    ),
    "ActivateRules": Ask({"RulesActivated": one}),
    "OpenAccount": Ask({"AccountOpened": one}),
    "RegisterKey": Ask({"KeyRegistered": one, "KeyExpires": when("expires_at_ms")}),
    "RotateKey": Ask(
        {
            "KeyRegistered": lambda _, operator: int(not operator),
            "KeyRevoked": lambda _, operator: int(not operator),
            "KeyExpires": when("expires_at_ms"),
            "OperatorKeyRotated": lambda _, operator: int(operator),
        },
        same={
            "KeyRegistered": BY,
            "KeyExpires": BY,
            "KeyRevoked": {**BY, "signing_key": lambda case, _: case.public},
            "OperatorKeyRotated": {"revoked_key": lambda case, _: case.public},
        },
    ),
    "RevokeKey": Ask({"KeyRevoked": one}),
    "SetWeight": Ask({"WeightChanged": one}),
    "IssueCredits": Ask(
        {POSTING: one},
        same={POSTING: {"credit": named("account"), "debit": lambda case, _: case.book.bank}},
        postings=frozenset({"ISSUE"}),
    ),
    "TransferCredits": Ask({POSTING: one}, postings=frozenset({"TRANSFER"})),
    "SetBudget": Ask({"BudgetSet": one}, same={"BudgetSet": {"offset_ms": offset_of}}),
    "ClearBudget": Ask({"BudgetCleared": one}),
    "TopUpBudget": Ask({"BudgetToppedUp": one}, same={"BudgetToppedUp": {"budget": budget_of}}),
    "CreatePool": Ask({"PoolCreated": one}, same={"PoolCreated": {"pool": named("name")}}),
    "ResizePool": Ask({"PoolResized": one}),
    "CallForProposals": Ask(
        {
            "CfpOpened": one,
            "AwardDeferred": lambda c, _: int(c.award == "MANAGER"),
            "PurchaseOpened": lambda c, _: int(c.direction == "BUY"),
            "AccountInvited": lambda c, _: len(c.invited),
        },
        may=frozenset({HOLD}),
        same={
            "CfpOpened": {"manager": sender, "closes_at_ms": open_until},
            "AccountInvited": {"account": lambda case, n: case.command.invited[n]},
            HOLD: BY,
        },
    ),
    "CancelCfp": Ask(
        {"CfpClosed": one},
        may=ENDS,
        same={"CfpClosed": {"outcome": lambda case, _: "AWARDED" if case.cfp and case.cfp.given else "CANCELLED"}},
        postings=frozenset({"DEPOSIT"}),
    ),
    "RefuseCfp": Ask({"CfpRefused": one}, same={"CfpRefused": BY}),
    "AwardBid": Ask(
        {"AwardMade": one, "SlotReserved": one},
        may=ENDS | {"HoldCaptured", HOLD, "BudgetWarned"},
        same={"AwardMade": {"award": named("bid")}, "SlotReserved": {"award": named("bid")}},
        postings=frozenset({"AWARD", "DEPOSIT"}),
    ),
    "RejectBid": Ask({"BidRejected/REJECTED": one}, may=ENDS, postings=frozenset({"DEPOSIT"})),
    "PlaceBid": Ask(
        {"BidPlaced": one, "BidGrouped": when("group"), HOLD: one},
        may=frozenset({"HoldResized"}),
        same={"BidPlaced": BY, "BidGrouped": BY, "HoldResized": BY, HOLD: BY},
    ),
    "PlaceAsk": Ask({"BidPlaced": one, "UnitsOffered": one, HOLD: one}, same={"BidPlaced": BY, HOLD: BY}),
    "ReportWork": Ask(
        {"WorkReported": one},
        may=frozenset({"LeaseEnded", "HoldCaptured", "HoldReleased", POSTING, "BudgetWarned"}),
        same={"WorkReported": BY},
        postings=frozenset({"AWARD", "FORFEIT"}),
    ),
    "WithdrawBid": Ask({"BidWithdrawn": one}, same={"BidWithdrawn": BY}),
    "ReleaseLease": Ask(
        {"LeaseEnded": one},
        may=frozenset({"HoldReleased", "NegotiationClosed"}),
        same={"LeaseEnded": {"reason": fixed("RELEASED")}, "NegotiationClosed": {"outcome": fixed("LEASE_ENDED")}},
    ),
    "OpenNegotiation": Ask(
        {"NegotiationOpened": one},
        may=frozenset({"HoldReleased", "NegotiationClosed"}),
        same={"NegotiationOpened": {"holder": sender}, "NegotiationClosed": {"outcome": fixed("LEFT")}},
    ),
    "ClaimLease": Ask(
        {"NegotiationOpened": one, "LeaseClaimed": one, HOLD: one},
        same={"NegotiationOpened": {"counterpart": sender}, "LeaseClaimed": BY, HOLD: BY},
    ),
    "JoinNegotiation": Ask({"NegotiationJoined": one}, may=frozenset({HOLD}), same={"NegotiationJoined": BY, HOLD: BY}),
    "MakeOffer": Ask(
        {"OfferMade": one},
        may=DEAL | CALLED | {"OffersOpened", "NegotiationClosed"},
        same={"OfferMade": BY},
        postings=frozenset({"FEE", "DEAL"}),
    ),
    "AcceptOffer": Ask(
        {"NegotiationClosed": one},
        may=DEAL | CALLED,
        same={"NegotiationClosed": {"outcome": accepted, "rounds": named("round")}},
        postings=frozenset({"DEAL"}),
    ),
    "LeaveNegotiation": Ask(
        {"NegotiationClosed": one},
        may=frozenset({"HoldReleased"}),
        same={"NegotiationClosed": {"outcome": fixed("LEFT")}},
    ),
    "CreateTokenPool": Ask({"TokenPoolCreated": one}, same={"TokenPoolCreated": {"pool": named("name")}}),
    "ResizeTokenPool": Ask({"TokenPoolResized": one}),
    "SetPriority": Ask({"PriorityChanged": one}),
    "PlaceStandingOrder": Ask(
        {"StandingOrderPlaced": one},
        may=frozenset({"StandingOrderEnded"}),
        same={
            "StandingOrderPlaced": {**BY, "expires_at_ms": open_until},
            "StandingOrderEnded": {**BY, "reason": fixed("REPLACED")},
        },
    ),
    "CancelStandingOrder": Ask(
        {"StandingOrderEnded": one}, same={"StandingOrderEnded": {**BY, "reason": fixed("CANCELLED")}}
    ),
    "DrawTokens": Ask({"TokensGranted": one}, same={"TokensGranted": {**BY, "system": fixed(True)}}),
    "ReportUsage": Ask({"UsageReported": one}, may=frozenset({"TokenRateChanged"}), same={"UsageReported": BY}),
    "SetPolicy": Ask({"PolicySet": one}),
    "SetDeposit": Ask({"DepositSet": one}),
    "SetResaleCall": Ask({"ResaleCallSet": one}),
}
"""A Tick asks for nothing: it only lets what is due happen."""

OTHERWISE = {
    ("SetBudget", "BudgetSet"): {"offset_ms"},
    ("AwardBid", "BidRejected"): {"bid"},
    ("RejectBid", "BidRejected"): {"bid"},
    ("MakeOffer", "NegotiationClosed"): {"options", "price_ucr"},
    ("MakeOffer", "BidPlaced"): {"price_ucr"},
    ("OpenNegotiation", "NegotiationClosed"): {"counterpart"},
    ("RotateKey", "KeyRevoked"): {"signing_key"},
}
"""Fields that command and event have both, and that are not the same: an offset that the command may leave to the
market, the bids that lose by a choice, the terms of a deal, whose claim gives way, the key that gives way."""

DUE = frozenset(
    {
        *ENDS,
        *DEAL,
        *CALLED,
        HOLD,
        "AwardMade",
        "BudgetWindowStarted",
        "DecayOwed",
        "ClockAdvanced",
        "ClockJumped",
        "DecisionOpened",
        "NegotiationClosed",
        "OffersOpened",
        "StandingOrderEnded",
        "TokenPoolCleared",
        "TokenRateChanged",
        "TokensGranted",
        "WorkReported",
    }
)
"""What may happen without anybody asking for it."""
BY_COMMAND = frozenset({"ISSUE", "TRANSFER", "FEE"})
"""Reasons that credits move for only where somebody asks for it."""


def plain(value: Any) -> Any:
    """A field of a command as the reader of plain dictionaries has it."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    names = getattr(type(value), "__dataclass_fields__", None)
    return value if names is None else {name: plain(getattr(value, name)) for name in names}


@cache
def _repeated(kind: str, event: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any], tuple[str, ...]] | None:
    """How to get at what an event repeats of a command by name: from the command, from the event, and which."""
    both = {f.name for f in fields(getattr(commands, kind))} & {f.name for f in fields(getattr(events, event))}
    names = tuple(sorted(both - OTHERWISE.get((kind, event), set()) - ASKS[kind].same.get(event, {}).keys()))
    return (attrgetter(*names), itemgetter(*names), names) if names else None


def check_asked(case: Case, event: str, e: Fields) -> None:
    """An event that an accepted command led to is one of those that it asks for, and says what the command said."""
    ask = ASKS[case.kind]
    what = f"{event}/{e['reason']}" if event == "BidRejected" and e["reason"] == "REJECTED" else event
    nth = case.counts.get(what, 0)
    case.counts[what] = nth + 1
    count = ask.musts.get(what)
    if event not in ask.may if count is None else nth >= count(case.command, case.sender is None):
        raise BrokenRuleError(f"{case.kind} leads to no {event}, or not to so many")
    if what == "BidRejected/REJECTED":
        need(e["bid"] == case.command.bid, "bid is that of the command")
    if event == POSTING:
        need(e["reason"] in ask.postings, "credits move for what was asked")
    repeated = _repeated(case.kind, event)
    if repeated is not None:
        asked, got, names = repeated
        if asked(case.command) != got(e):
            for name in names:
                wanted = plain(getattr(case.command, name))
                need(e[name] == wanted, f"{name} is that of the command")
    for name, value in ask.same.get(event, {}).items():
        if e[name] != value(case, nth):
            raise BrokenRuleError(f"{name} follows from the command")


def check_complete(case: Case) -> None:
    """All that an accepted command asks for has followed."""
    operator = case.sender is None
    for what, count in ASKS[case.kind].musts.items():
        wanted = count(case.command, operator)
        if case.counts.get(what, 0) != wanted:
            raise BrokenRuleError(f"{case.kind} leads to {wanted} of {what}")


def check_due(event: str, e: Fields) -> None:
    """What happens before a command's outcome is what falls due by itself."""
    need(event in DUE, "what was not asked for falls due by itself")
    need(event != POSTING or e["reason"] not in BY_COMMAND, "nobody asked for a posting")
