"""The independent checker and decay by the average: what does not fit what accounts had is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from analytics.checker import BrokenRuleError, decay
from tests.analytics.test_verify_checker import Event, Ledger, check, copied, first, sound
from tests.analytics.test_verify_deposits import without

__all__ = ["sound"]


def of_decay(events: list[Event]) -> int:
    """Index of the first posting of decay in a window at whose end somebody owes something."""
    records = {e["source"]["offset"] for kind, e in events if kind == "DecayOwed"}
    return first(events, "CreditsTransferred", lambda e: e["reason"] == "DECAY" and e["source"]["offset"] in records)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda e: e.update(owed_ucr=e["owed_ucr"] + 1), "says who owes what"),
        (lambda e: e.update(owed_ucr=e["owed_ucr"] - 1), "says who owes what"),
        (lambda e: e.update(owed_ucr=0), "told when it changes"),
        (lambda e: e.update(owed_ucr=-1), "never below 0"),
    ],
)
def test_a_changed_debt(sound: Ledger, change: Callable[[dict[str, Any]], None], rule: str) -> None:
    """An account owes what was not free of its part of the average."""
    events = copied(sound.events)
    change(events[first(events, "DecayOwed")][1])
    with pytest.raises(BrokenRuleError, match=rule):
        check(sound, events)


def test_a_debt_is_told(sound: Ledger) -> None:
    """It is not left out, and not told by itself."""
    at = first(sound.events, "DecayOwed")
    with pytest.raises(BrokenRuleError, match="a window's start"):
        check(sound, without(sound.events, at))


def test_decay_is_of_the_average(sound: Ledger) -> None:
    """Not a micro-credit less or more than the part of what the account had."""
    at = of_decay(sound.events)
    for change in (-1, 1):
        events = copied(sound.events)
        events[at][1]["amount_ucr"] += change
        with pytest.raises(BrokenRuleError, match="posts what its budget says"):
            check(sound, events)


@pytest.mark.parametrize("wrong", ["free", "whole", "twice"])
def test_other_averages_are_noticed(sound: Ledger, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Books by which held credits do not count, time before a budget does, or a window's area stays, do not agree with
    the ledger."""
    begin, take = decay.Decay.begin, decay.Decay.take

    def taken(self: Any, ident: bytes, budget: Any, account: bytes, at_ms: int) -> int:
        areas = self.areas.get((ident, account))
        if areas is None:
            return 0
        if wrong == "free":
            areas.count(self.accounts[account].balance_ucr - self.accounts[account].held_ucr, at_ms, budget.terms)
        number = decay.number_of(budget.starts_at_ms, budget.terms)
        before = dict(areas.by_window)
        found = take(self, ident, budget, account, at_ms)
        if wrong == "twice":
            areas.by_window[number + 1] += before.get(number, 0)
        return found

    def begun(self: Any, ident: bytes, budget: Any, members: Any, at_ms: int, version: int) -> None:
        begin(self, ident, budget, members, budget.starts_at_ms if wrong == "whole" else at_ms, version)

    monkeypatch.setattr(decay.Decay, "begin", begun)
    monkeypatch.setattr(decay.Decay, "take", taken)
    with pytest.raises(BrokenRuleError):
        check(sound, sound.events)
