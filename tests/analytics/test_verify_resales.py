"""The independent checker, resales and claims: what does not fit a deal's call, or a claim, is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from analytics.checker import BrokenRuleError
from tests.analytics.test_verify_checker import Event, Ledger, check, copied, first, other, other_hash, plus_one, sound
from tests.analytics.test_verify_deposits import without

__all__ = ["sound"]


def calls(events: list[Event]) -> dict[bytes, int]:
    """The calls for leases that were awarded, each with the offset of the record that opened it."""
    talks = {e["negotiation"] for kind, e in events if kind == "NegotiationOpened"}
    opened = {e["cfp"]: e["source"]["offset"] for kind, e in events if kind == "CfpOpened" and e["cfp"] in talks}
    won = {e["cfp"] for kind, e in events if kind == "AwardMade"}
    return {cfp: offset for cfp, offset in opened.items() if cfp in won}


def in_deal(events: list[Event], kind: str) -> int:
    """Index of an event of this kind in the record of a deal that is called for."""
    offset = next(iter(calls(events).values()))
    return first(events, kind, lambda e: e["source"]["offset"] == offset)


def in_sale(events: list[Event], kind: str) -> int:
    """Index of the first event of this kind from the award of such a call on."""
    cfp = next(iter(calls(events)))
    start = first(events, "AwardMade", lambda e: e["cfp"] == cfp)
    return start + first(events[start:], kind)


def claimed(events: list[Event], kind: str) -> int:
    """Index of an event of this kind of a claim."""
    claims = {e["negotiation"] for name, e in events if name == "LeaseClaimed"}
    return first(events, kind, lambda e: e.get("negotiation", e.get("hold")) in claims)


Where = Callable[[list[Event], str], int]


@pytest.mark.parametrize(
    ("where", "kind", "name", "by", "rule"),
    [
        (in_deal, "CfpOpened", "manager", other, "a holder sells its lease on"),
        (in_deal, "CfpOpened", "pricing", lambda _: "FIRST", "a holder sells its lease on"),
        (in_deal, "CfpOpened", "slots", plus_one, "a holder sells its lease on"),
        (in_deal, "CfpOpened", "reserve_price_ucr", lambda ucr: ucr - 1, "the agreed price or more"),
        (in_deal, "CfpOpened", "closes_at_ms", plus_one, "the agreed price or more"),
        (in_deal, "CfpOpened", "duration_ms", plus_one, "what is left then"),
        (in_deal, "BidPlaced", "price_ucr", plus_one, "what it has agreed on"),
        (in_deal, "BidPlaced", "pass_hash", other_hash, "what it has agreed on"),
        (in_deal, "BidPlaced", "weight_permille", lambda weight: 1_500 - weight, "the weight is that"),
        (in_deal, "HoldResized", "amount_ucr", plus_one, "what was agreed on is held"),
        (in_deal, "NegotiationClosed", "outcome", lambda _: "LEFT", "outcome of the rounds|one step|follows from"),
        (in_sale, "LeaseEnded", "reason", lambda _: "RELEASED", "sold on is not given back"),
        (in_sale, "SlotReserved", "ends_at_ms", lambda at: at - 1, "what was left of the lease"),
        (in_sale, "SlotReserved", "pass_hash", other_hash, "what was left of the lease"),
        (in_sale, "CreditsTransferred", "amount_ucr", lambda ucr: ucr - 1, "an award is paid"),
        (claimed, "LeaseClaimed", "account", other, "the buyer claims|account"),
        (claimed, "LeaseClaimed", "cap_ucr", plus_one, "a hold backs a cap|cap_ucr is that"),
        (claimed, "HoldPlaced", "amount_ucr", plus_one, "a hold backs a cap"),
        (claimed, "NegotiationJoined", "cap_ucr", lambda _: 5, "a buyer's|cap_ucr is that"),
    ],
)
def test_a_changed_field(
    sound: Ledger, where: Where, kind: str, name: str, by: Callable[[Any], Any], rule: str
) -> None:
    """Each part of a deal that is called for, of the sale, and of a claim is what it has to be."""
    events = copied(sound.events)
    at = where(events, kind)
    events[at][1][name] = by(events[at][1][name])
    with pytest.raises(BrokenRuleError, match=rule):
        check(sound, events)


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        *[(in_deal, kind) for kind in ("CfpOpened", "BidPlaced", "HoldResized", "NegotiationClosed")],
        *[(in_sale, kind) for kind in ("LeaseEnded", "SlotReserved", "HoldCaptured", "CreditsTransferred")],
        *[(claimed, kind) for kind in ("NegotiationOpened", "LeaseClaimed", "HoldPlaced", "NegotiationJoined")],
    ],
)
def test_a_missing_part(sound: Ledger, where: Where, kind: str) -> None:
    """None of them may be left out."""
    with pytest.raises(BrokenRuleError):
        check(sound, without(sound.events, where(sound.events, kind)))


@pytest.mark.parametrize(("call_ms", "rule"), [(0, "is called for where|a deal is called for"), (49, "in its limits")])
def test_another_word_of_the_operator(sound: Ledger, call_ms: int, rule: str) -> None:
    """Had the operator set no calls, there would be none; and it sets what is in its limits."""
    events = copied(sound.events)
    for kind, event in events:
        if kind == "ResaleCallSet":
            event["call_ms"] = call_ms
    with pytest.raises(BrokenRuleError, match=f"{rule}|call_ms is that of the command"):
        check(sound, events)
