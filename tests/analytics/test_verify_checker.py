"""The independent checker by itself: given a ledger that breaks one rule, with a right chain, it says which."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pytest

from analytics.checker import BrokenRuleError, Checker
from analytics.verify.plain import plain_entry
from contractnet.envelope import is_proven, open_record
from contractnet.messages import Submission
from contractnet.topics import COMMANDS, LEDGER
from tests.analytics.towns import OPERATOR, PARTITIONS, judged, traffic

Event = tuple[str, dict[str, Any]]
PARTITION = 3


@dataclass(frozen=True)
class Ledger:
    """A ledger that is sound: events, the values they were read from, and the commands, by offset."""

    events: list[Event]
    values: list[bytes]
    commands: dict[int, Submission]
    proven: dict[tuple[int, bytes], bool]
    """Whether signatures hold, by command and genesis, as far as anybody has asked."""

    def verifier(self, told: Submission, genesis: bytes) -> bool:
        """Each signature is checked once."""
        asked = (told.offset, genesis)
        if asked not in self.proven:
            self.proven[asked] = is_proven(told, genesis)
        return self.proven[asked]


@pytest.fixture(scope="module")
def sound() -> Ledger:
    """A market with awards, withdrawals, cancels, releases, rejections and budgets."""
    topics = judged({PARTITION: traffic(PARTITION, 2500, seed=114)})
    records = topics[LEDGER.name][PARTITION]
    commands = [open_record(*record) for record in topics[COMMANDS.name][PARTITION]]
    entries = [plain_entry(record.value) for record in records]
    ledger = Ledger(
        [entry for entry in entries if entry is not None],
        [record.value or b"" for record in records],
        {c.offset: c for c in commands},
        {},
    )
    check(ledger, ledger.events)
    return ledger


def asked(sound: Ledger, kind: str, **changes: Any) -> Ledger:
    """The ledger of a market of which something else was asked by all commands of a type. Signatures are not looked at
    again."""
    told = {
        offset: replace(told, command=replace(told.command, **changes)) if type(told.command).__name__ == kind else told  # type: ignore[type-var]  # each command is a dataclass
        for offset, told in sound.commands.items()
    }
    return replace(sound, commands=told)


def copied(events: list[Event]) -> list[Event]:
    """The events, of which each field can be changed."""
    return [(kind, event | {"source": dict(event["source"])}) for kind, event in events]


def check(sound: Ledger, events: list[Event]) -> Checker:
    """Feed events as a ledger whose chain is right. Values stay those of `sound`, and so do chain and ties."""
    checker = Checker(PARTITION, PARTITIONS, OPERATOR.public, sound.verifier)
    values = iter(sound.values + sound.values)
    for offset, group in groupby(events, key=lambda e: e[1]["source"]["offset"]):
        told = sound.commands[offset]
        checker.begin(told, checker.head)
        for index, (kind, event) in enumerate(group):
            value, place = next(values), struct.pack(">iqi", PARTITION, offset, index)
            head = hashlib.sha256(checker.head + place + told.digest + value).digest()
            checker.take(b"default", event["source"]["at_ms"], [("chain", head)], value, kind, event)
        checker.end()
    checker.look_over()
    return checker


def first(events: list[Event], kind: str, which: Callable[[dict[str, Any]], bool] = lambda _: True) -> int:
    """Index of the first event of a kind."""
    return next(i for i, (k, e) in enumerate(events) if k == kind and which(e))


def changed(events: list[Event], kind: str, name: str, by: Callable[[Any], Any]) -> list[Event]:
    """The events with one field of the first event of a kind changed; of outcomes, of the first after the genesis."""
    at = first(events, kind, lambda e: e.get("kind") != "OpenMarket")
    new = copied(events)
    new[at][1][name] = by(new[at][1][name])
    return new


def plus_one(value: int) -> int:
    """One more."""
    return value + 1


def other(value: bytes) -> bytes:
    """Other bytes."""
    return value[::-1]


def other_hash(value: bytes) -> bytes:
    """Another hash."""
    return bytes(byte ^ 1 for byte in value)


@pytest.mark.parametrize(
    ("kind", "name", "by", "rule"),
    [
        ("CreditsTransferred", "debit", other, "exists"),
        ("CreditsTransferred", "amount_ucr", lambda _: 0, "posting moves"),
        ("HoldPlaced", "amount_ucr", plus_one, "hold backs a bid"),
        ("HoldReleased", "amount_ucr", plus_one, "resolved whole"),
        ("HoldCaptured", "captured_ucr", plus_one, "price is captured|bond is lost"),
        ("BidPlaced", "weight_permille", lambda w: w - 1, "weight is that"),
        ("BidPlaced", "bid", other, "command's id"),
        ("AwardMade", "price_ucr", plus_one, "price is captured"),
        ("AwardMade", "slot", plus_one, "awarded once, in order"),
        ("SlotReserved", "ends_at_ms", plus_one, "what its CFP"),
        ("LeaseEnded", "reason", lambda r: "EXPIRED" if r == "RELEASED" else "RELEASED", "lease expires|ends first"),
        ("CfpOpened", "units", lambda _: 99, "owner sells"),
        ("CfpClosed", "bids", plus_one, "number of bids"),
        ("CommandAccepted", "account", lambda _: bytes(16), "names its command, key and account"),
        ("CommandAccepted", "key", other, "names its command, key and account"),
        ("MarketOpened", "operator_key", other, "trusted operator"),
        ("AwardDeferred", "decide_ms", lambda _: 99, "within a day"),
        ("AwardDeferred", "cfp", other, "is open"),
        ("DecisionOpened", "bids", plus_one, "so many bids"),
        ("DecisionOpened", "decides_until_ms", plus_one, "its time from the deadline"),
        ("CfpRefused", "account", other, "exists"),
        ("BidGrouped", "bid", other, "grouped when it is placed"),
        ("BidGrouped", "wins_max", lambda _: 0, "how many may win"),
        ("HoldResized", "hold", other, "open bid is resized"),
        ("HoldResized", "amount_ucr", plus_one, "its price, or nothing|the slots that are left"),
        ("AccountInvited", "account", other, "exists"),
        ("AccountInvited", "account", lambda _: bytes(16), "exists"),
        ("AccountInvited", "cfp", other, "is open"),
        ("NegotiationOpened", "holder", other, "holder of a lease"),
        ("NegotiationOpened", "counterpart", other, "exists"),
        ("NegotiationOpened", "round_ms", lambda _: 49, "a day at most"),
        ("NegotiationOpened", "rounds_max", lambda _: 257, "rounds are in limits"),
        ("NegotiationJoined", "cap_ucr", plus_one, "cap_ucr is that of the command"),
        ("NegotiationJoined", "account", other, "who is asked joins"),
        ("OfferMade", "round", plus_one, "in its round"),
        ("OfferMade", "account", other, "two parties"),
        ("OffersOpened", "round", plus_one, "of the round open"),
        ("NegotiationClosed", "price_ucr", plus_one, "names the deal"),
        ("NegotiationClosed", "rounds", plus_one, "number of rounds"),
        ("PurchaseOpened", "bond_ucr", lambda _: 0, "bond is something"),
        ("PurchaseOpened", "grace_ms", lambda _: 2**40, "a week at most"),
        ("PurchaseOpened", "start_within_ms", lambda _: -1, "delays have limits"),
        ("PurchaseOpened", "cfp", other, "is open"),
        ("UnitsOffered", "pool", lambda _: "gpu", "units of its own"),
        ("UnitsOffered", "bid", other, "placed before"),
        ("WorkReported", "account", other, "of its own parties"),
        ("WorkReported", "award", other, "until it ends"),
        ("WorkReported", "progress", lambda _: "TIMED_OUT", "in time, or as out of time|three ways"),
        ("WorkReported", "delay_ms", lambda ms: (ms or 0) + 1, "the delay is|the payment is"),
        ("WorkReported", "paid_ucr", plus_one, "not paid for that|the payment is"),
        ("BudgetSet", "budget", other, "a scope has one budget"),
        ("BudgetSet", "project", lambda _: "both", "an account or a project"),
        ("BudgetSet", "account", other, "account that exists"),
        ("BudgetSet", "limit_ucr", lambda _: -1, "amounts are in limits"),
        ("BudgetSet", "window_ms", lambda _: 59_999, "a minute to 366 days"),
        ("BudgetSet", "window_ms", plus_one, "as long as it has to be"),
        ("BudgetSet", "offset_ms", lambda _: 60_000, "offset lies in the window"),
        ("BudgetSet", "warn_permille", lambda _: 1001, "decay, warning and cap"),
        ("BudgetToppedUp", "budget", other, "set before"),
        ("BudgetToppedUp", "amount_ucr", lambda _: 0, "by something"),
        ("BudgetCleared", "project", lambda p: p + "x", "ends that there is"),
        ("BudgetWarned", "spent_ucr", plus_one, "what was spent"),
        ("BudgetWindowStarted", "spent_ucr", plus_one, "what was spent"),
        ("BudgetWindowStarted", "starts_at_ms", plus_one, "where the last one ended"),
        ("BudgetWindowStarted", "limit_ucr", lambda _: 7, "the limit of its budget"),
        ("BudgetWindowStarted", "issued_ucr", plus_one, "add up to"),
        ("BudgetWindowStarted", "decayed_ucr", plus_one, "add up to"),
    ],
)
def test_a_changed_field(sound: Ledger, kind: str, name: str, by: Callable[[Any], Any], rule: str) -> None:
    """One field that does not fit the others is named by the rule that it breaks."""
    with pytest.raises(BrokenRuleError, match=rule):
        check(sound, changed(sound.events, kind, name, by))


def test_a_cap_that_is_not_held(sound: Ledger) -> None:
    """A hold of a negotiation is that of its buyer's cap."""
    events = copied(sound.events)
    talks = {e["negotiation"] for kind, e in events if kind == "NegotiationJoined"}
    events[first(events, "HoldPlaced", lambda e: e["hold"] in talks)][1]["amount_ucr"] += 1
    with pytest.raises(BrokenRuleError, match="a hold backs a cap"):
        check(sound, events)


def test_a_bid_beyond_a_budget(sound: Ledger) -> None:
    """Had every limit been 0, no bid under it could have been accepted."""
    events = copied(sound.events)
    for kind, event in events:
        if kind in ("BudgetSet", "BudgetWindowStarted") and event["limit_ucr"] is not None:
            event["limit_ucr"] = 0
    with pytest.raises(BrokenRuleError, match=r"is to be rejected with BUDGET_EXCEEDED"):
        check(asked(sound, "SetBudget", limit_ucr=0), events)


@pytest.mark.parametrize(
    "kind",
    [
        "CommandAccepted",
        "HoldPlaced",
        "HoldReleased",
        "BidRejected",
        "CreditsTransferred",
        "AwardDeferred",
        "DecisionOpened",
        "BidGrouped",
        "HoldResized",
        "NegotiationOpened",
        "NegotiationJoined",
        "OffersOpened",
        "NegotiationClosed",
        "PurchaseOpened",
        "UnitsOffered",
        "WorkReported",
        "BudgetSet",
        "BudgetWarned",
        "BudgetWindowStarted",
    ],
)
def test_a_missing_event(sound: Ledger, kind: str) -> None:
    """An event that is left out is missed, whatever comes after it."""
    events = sound.events
    at = first(events, kind)
    shorter = copied(events[:at] + events[at + 1 :])
    for index, (_, event) in enumerate(shorter):
        same = index and shorter[index - 1][1]["source"]["offset"] == event["source"]["offset"]
        event["source"]["index"] = shorter[index - 1][1]["source"]["index"] + 1 if same else 0
    with pytest.raises(BrokenRuleError):
        check(sound, shorter)


@pytest.mark.parametrize(
    "kind",
    [
        "AwardMade",
        "HoldCaptured",
        "LeaseEnded",
        "CfpClosed",
        "CommandAccepted",
        "BidPlaced",
        "AwardDeferred",
        "DecisionOpened",
        "CfpRefused",
        "BidGrouped",
        "HoldResized",
        "NegotiationOpened",
        "NegotiationJoined",
        "OfferMade",
        "OffersOpened",
        "NegotiationClosed",
        "BudgetWarned",
        "BudgetWindowStarted",
        "BudgetCleared",
    ],
)
def test_a_doubled_event(sound: Ledger, kind: str) -> None:
    """An event that is there twice is once too many."""
    events = copied(sound.events)
    at = first(events, kind)
    events.insert(at + 1, copied([events[at]])[0])
    for index in range(at + 1, len(events)):
        if events[index][1]["source"]["offset"] == events[at][1]["source"]["offset"]:
            events[index][1]["source"]["index"] += 1
    with pytest.raises(BrokenRuleError):
        check(sound, events)


@pytest.mark.parametrize(
    ("reason", "instead", "rule"),
    [
        ("EXPIRED", "NOT_CHOSEN", "lost because EXPIRED"),
        ("NOT_CHOSEN", "EXPIRED", "lost because NOT_CHOSEN"),
        ("REJECTED", "OUTBID", "every bid has an end|lost because|left to choose|RejectBid leads to"),
        ("OUTBID", "GROUP_WON", "a live bid of a group drops|their group has won enough"),
        ("GROUP_WON", "OUTBID", "lost because|best bids win|number of bids|so many bids"),
    ],
)
def test_a_wrong_reason(sound: Ledger, reason: str, instead: str, rule: str) -> None:
    """Why a bid lost follows from how its CFP ended, or from its manager's choice."""
    events = copied(sound.events)
    at = first(events, "BidRejected", lambda e: e["reason"] == reason)
    events[at][1]["reason"] = instead
    with pytest.raises(BrokenRuleError, match=rule):
        check(sound, events)


def test_a_group_that_goes_on_bidding(sound: Ledger) -> None:
    """At the last win of a group its other bids drop in the same record."""
    events = copied(sound.events)
    at = first(events, "BidRejected", lambda e: e["reason"] == "GROUP_WON")
    offset = events[at][1]["source"]["offset"]
    del events[at : at + 2]
    for _, event in events[at:]:
        event["source"]["index"] -= 2 * (event["source"]["offset"] == offset)
    with pytest.raises(BrokenRuleError, match="has won enough drops its bids"):
        check(sound, events)


@pytest.mark.parametrize(("outcome", "instead"), [("EXPIRED", "UNAWARDED"), ("EXPIRED", "CANCELLED")])
def test_a_wrong_outcome(sound: Ledger, outcome: str, instead: str) -> None:
    """How a CFP ended follows from what was awarded, and when."""
    events = copied(sound.events)
    at = first(events, "CfpClosed", lambda e: e["outcome"] == outcome)
    events[at][1]["outcome"] = instead
    with pytest.raises(BrokenRuleError, match=r"outcome follows|its time is over"):
        check(sound, events)


@pytest.mark.parametrize("kind", ["BidPlaced", "CfpRefused"])
def test_an_answer_without_an_invitation(sound: Ledger, kind: str) -> None:
    """Whoever bids or refuses on a CFP by invitation is among the invited."""
    events = copied(sound.events)
    invited = {(e["cfp"], e["account"]) for name, e in events if name == "AccountInvited"}
    at = first(events, kind, lambda e: (e["cfp"], e["account"]) in invited)
    agents = [e["account"] for name, e in events if name == "AccountOpened" and e["name"] != "manager"]
    cfp = events[at][1]["cfp"]
    events[at][1]["account"] = next(account for account in agents if (cfp, account) not in invited)
    with pytest.raises(BrokenRuleError, match="is invited"):
        check(sound, events)


@pytest.mark.parametrize(
    ("kind", "name", "by", "rule"),
    [
        ("HoldCaptured", "captured_ucr", plus_one, "agreed price is captured"),
        ("CreditsTransferred", "amount_ucr", lambda ucr: ucr - 1, "paid by the buyer"),
        ("SlotReserved", "ends_at_ms", lambda at: at - 1, "what was left of the lease"),
        ("SlotReserved", "pass_hash", other_hash, "what was left of the lease"),
        ("LeaseEnded", "reason", lambda _: "RELEASED", "ends first"),
        ("NegotiationClosed", "outcome", lambda _: "LEFT", "outcome of the rounds|one step"),
    ],
)
def test_a_changed_deal(sound: Ledger, kind: str, name: str, by: Callable[[Any], Any], rule: str) -> None:
    """Each part of a deal is that of its negotiation."""
    events = copied(sound.events)
    paid = first(events, "CreditsTransferred", lambda e: e["reason"] == "DEAL")
    where = events[paid][1]["source"]["offset"]
    at = first(events, kind, lambda e: e["source"]["offset"] == where)
    events[at][1][name] = by(events[at][1][name])
    with pytest.raises(BrokenRuleError, match=rule):
        check(sound, events)


def test_a_concession_that_is_taken_back(sound: Ledger) -> None:
    """Had a party first offered more than it offers later, it would have taken something back."""
    events = copied(sound.events)
    opened = [e["negotiation"] for k, e in events if k == "NegotiationOpened" and e["protocol"] == "MONOTONIC"]
    holders = {e["negotiation"]: e["holder"] for k, e in events if k == "NegotiationOpened"}
    asked = [(k, e) for k, e in events if k == "OfferMade" and e["negotiation"] in opened and e["round"] == 2]
    offer = next(e for _, e in asked if e["account"] == holders[e["negotiation"]])
    offer["price_ucr"] = 10**6
    with pytest.raises(BrokenRuleError, match="taken back"):
        check(sound, events)


def test_a_choice_of_the_clock(sound: Ledger) -> None:
    """A manager's award is caused by its command: what follows an outcome is."""
    events = copied(sound.events)
    at = first(events, "AwardMade", lambda e: e["source"]["cause"] == "COMMAND")
    events[at][1]["source"]["cause"] = "DUE"
    with pytest.raises(BrokenRuleError, match="what is due comes before the outcome"):
        check(sound, events)
