"""The independent checker, token pools, keys and terms of a market: one field that does not fit is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from analytics.checker import BrokenRuleError
from tests.analytics.test_verify_checker import Ledger, changed, check, other, other_hash, plus_one, sound

__all__ = ["sound"]


@pytest.mark.parametrize(
    ("kind", "name", "by", "rule"),
    [
        ("TokenPoolCreated", "burst_tokens", plus_one, "is that of the command"),
        ("TokenPoolResized", "pool", lambda _: "other", "exists"),
        ("PriorityChanged", "account", other, "is an account"),
        ("StandingOrderPlaced", "order", other, "its command's id"),
        ("StandingOrderPlaced", "tokens", lambda _: 0, "it can buy"),
        ("StandingOrderPlaced", "expires_at_ms", plus_one, "follows from the command"),
        ("StandingOrderEnded", "order", other, "ends once"),
        ("StandingOrderEnded", "reason", lambda r: "EXPIRED" if r != "EXPIRED" else "CANCELLED", "expires by itself"),
        ("TokenPoolCleared", "supply_tokens", plus_one, "above the reserve"),
        ("TokenPoolCleared", "sold_tokens", plus_one, "sells what it says"),
        ("TokenPoolCleared", "roots", plus_one, "pricing follows"),
        ("TokenPoolCleared", "price_per_1000_ucr", plus_one, "the price is"),
        ("TokensGranted", "tokens", plus_one, "a sale is as computed|is that of the command"),
        ("TokensGranted", "grant", other, "as computed|a draw is free"),
        ("TokensGranted", "expires_at_ms", plus_one, "lives as long"),
        ("UsageReported", "account", other, "grant of one's own"),
        ("UsageReported", "tokens", lambda _: 10**6, "used once"),
        ("TokenRateChanged", "tokens_per_minute", plus_one, "halved, or rises"),
        ("KeyRegistered", "account", other, "exists"),
        ("KeyRegistered", "signing_key", other_hash, "is that of the command"),
        ("KeyExpires", "expires_at_ms", plus_one, "is that of the command"),
        ("KeyRevoked", "signing_key", other, "registered before"),
        ("OperatorKeyRotated", "revoked_key", other, "registered before"),
        ("RulesActivated", "version", plus_one, "rules are known"),
        ("PolicySet", "round_fee_ucr", lambda _: -1, "fee is in its limits"),
        ("AccountOpened", "budget_root", lambda root: root + "x", "is that of the command"),
        ("PoolCreated", "units", plus_one, "is that of the command"),
        ("PoolResized", "units", plus_one, "is that of the command"),
        ("WeightChanged", "weight_permille", lambda w: w - 1, "is that of the command"),
        ("ClockJumped", "stamped_at_ms", plus_one, "the clock jumps"),
    ],
)
def test_a_changed_field(sound: Ledger, kind: str, name: str, by: Callable[[Any], Any], rule: str) -> None:
    """As in test_verify_checker.py."""
    with pytest.raises(BrokenRuleError, match=rule):
        check(sound, changed(sound.events, kind, name, by))
