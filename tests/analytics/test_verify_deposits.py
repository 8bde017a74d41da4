"""The independent checker and deposits: what does not fit what a call has locked is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from analytics.checker import BrokenRuleError
from tests.analytics.test_verify_checker import Event, Ledger, asked, check, copied, first, sound

__all__ = ["sound"]


def is_deposit(e: dict[str, Any]) -> bool:
    """Whether a hold is one, in a market whose purchases have other holds first."""
    return bool(e["hold"] == e["cfp"])


def is_paid(e: dict[str, Any]) -> bool:
    """Whether a posting comes out of one."""
    return bool(e["reason"] == "DEPOSIT")


def of_a_deposit(events: list[Event]) -> int:
    """Index of the first hold of a deposit."""
    sells = {e["cfp"] for kind, e in events if kind == "CfpOpened" and e["direction"] == "SELL"}
    sells -= {e["negotiation"] for kind, e in events if kind == "NegotiationOpened"}
    return first(events, "HoldPlaced", lambda e: is_deposit(e) and e["cfp"] in sells)


def without(events: list[Event], at: int) -> list[Event]:
    """The events without one, the others of its record numbered anew."""
    left = copied(events[:at] + events[at + 1 :])
    for _, event in left[at:]:
        if event["source"]["offset"] != events[at][1]["source"]["offset"]:
            break
        event["source"]["index"] -= 1
    return left


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda e: e.update(amount_ucr=e["amount_ucr"] + 1), "whom a CFP did not serve"),
        (lambda e: e.update(amount_ucr=e["amount_ucr"] - 1 or 7), "whom a CFP did not serve"),
        (lambda e: e.update(pool="other"), "a deposit is its manager's"),
        (lambda e: e.update(award=bytes(16)), "pays when it is free"),
    ],
)
def test_a_changed_payment(sound: Ledger, change: Callable[[dict[str, Any]], None], rule: str) -> None:
    """A deposit pays so much, and to those whom the call could have served."""
    events = copied(sound.events)
    change(events[first(events, "CreditsTransferred", is_paid)][1])
    with pytest.raises(BrokenRuleError, match=rule):
        check(sound, events)


def test_a_missing_payment(sound: Ledger) -> None:
    """Whoever was not served is paid."""
    with pytest.raises(BrokenRuleError, match="whom a CFP did not serve"):
        check(sound, without(sound.events, first(sound.events, "CreditsTransferred", is_paid)))


def test_a_deposit_is_what_is_due(sound: Ledger) -> None:
    """It is there, at the rate that holds, and nobody deposits where there is none."""
    at = of_a_deposit(sound.events)
    with pytest.raises(BrokenRuleError, match="a manager holds its deposit"):
        check(sound, without(sound.events, at))
    events = copied(sound.events)
    events[at][1]["amount_ucr"] += 1
    with pytest.raises(BrokenRuleError, match="a manager deposits what is due"):
        check(sound, events)
    for rate, rule in ((0, "hold backs a bid or a purchase"), (1_000_001, "is to be rejected with BAD_AMOUNT")):
        events = copied(sound.events)
        for kind, event in events:
            if kind == "DepositSet":
                event["hourly_permille"] = rate
        with pytest.raises(BrokenRuleError, match=rule):
            check(asked(sound, "SetDeposit", hourly_permille=rate), events)
