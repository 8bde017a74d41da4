"""The independent checker and version 11: deposits of managers that buy are decided as the rules say, and a market that
has other rules is found out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from analytics.checker import BrokenRuleError, Checker
from contractnet.messages import commands as c
from market import limits
from market.rules import deposits
from market.works import deposit_of
from tests.analytics.test_verify_checker import Event, Ledger, changed, check, copied, first
from tests.analytics.test_verify_deposits import is_paid, without
from tests.analytics.test_verify_waits import ledger_of
from tests.market.buyers import BUYER, ask, buying, chosen, failed
from tests.market.cases_deposits import RATE
from tests.market.town import BANK, OPERATOR, Town, bid, key_pair, small_town

NAMES = ("ann", "bob", "cyn")


def played() -> Town:
    """Calls of both kinds with asks that end in every way, some of them without room; one opens under version 10."""
    town, ids = small_town("buyer", *NAMES, credits_ucr=5_000, rules=10, strangers=True)
    for name in NAMES:
        town.pool(name, ids[name], 1)
    town.send(c.SetDeposit(RATE, 10**6), OPERATOR)
    old = town.send(buying(open_ms=36_000), BUYER).id
    town.send(c.ActivateRules(11), OPERATOR)
    town.send(ask(old, "ann", 50), key_pair("ann"))
    town.at_ms += 9_000
    town.send(c.CancelCfp(old), BUYER)
    dice = random.Random(11)
    for number in range(24):
        terms = {"slots": dice.randrange(1, 3), "bond_ucr": dice.choice([9, 40]), "open_ms": 9_000}
        terms |= {"duration_ms": dice.choice([1_000, 60_000])}
        made = chosen(**terms | {"decide_ms": 9_000}) if number % 2 else buying(**terms)
        cfp = town.send(made, BUYER).id
        asks = []
        for name in dice.sample(NAMES, dice.randrange(1, 4)):
            town.at_ms += 1_000
            asks.append((name, town.send(ask(cfp, name, dice.randrange(30, 100)), key_pair(name)).id))
        if number % 4 == 2:
            town.send(c.CancelCfp(cfp), BUYER)
        town.at_ms += 9_000
        town.tick()
        for name, ident in dice.sample(asks, dice.randrange(len(asks) + 1)):
            town.send(c.AwardBid(ident) if dice.random() < 0.4 else c.RejectBid(ident), BUYER)
            town.at_ms += 300
            if dice.random() < 0.3:
                town.send(failed(ident), key_pair(name))
        town.at_ms += 9_000
        town.tick()
    town.send(c.IssueCredits(ids["buyer"], 3_000, ""), BANK)
    town.send(c.SetDeposit(RATE), OPERATOR)
    busy = town.send(buying(duration_ms=600_000), BUYER).id
    town.send(ask(busy, "ann", 50), key_pair("ann"))
    town.at_ms += 100
    town.tick()
    cfp = town.send(buying(open_ms=36_000, bond_ucr=40), BUYER).id
    for name in ("ann", "bob"):
        town.send(ask(cfp, name, 50), key_pair(name))
    town.send(bid(cfp, 50), key_pair("cyn"))  # no question of room: it is out of sequence
    town.at_ms += 18_000
    town.send(c.CancelCfp(cfp), BUYER)
    half_ucr = town.state.accounts[ids["buyer"]].free_ucr // 2 + 1
    town.send(buying(open_ms=36_000, reserve_price_ucr=half_ucr, bond_ucr=half_ucr), BUYER)
    return town


@cache
def sound() -> tuple[Ledger, Checker, bytes]:
    """It is right, by the rules as they are: the ledger, what the checker made of it, and the market's state."""
    town = played()
    ledger = ledger_of(town)
    return ledger, check(ledger, ledger.events), town.canonical()


def of_a_buyer(events: list[Event]) -> int:
    """Index of the first hold of a buyer's deposit."""
    return first(events, "HoldPlaced", lambda e: e["cfp"] is not None and e["hold"] == deposit_of(e["cfp"]))


def test_what_the_market_does_is_sound() -> None:
    """The checker comes to the same state; deposits were paid, and a call was refused for want of one."""
    ledger, checker, state = sound()
    (plain,) = json.loads(state)["markets"]
    (book,) = checker.books.values()
    book.agree(plain)
    assert sum(kind == "CreditsTransferred" and is_paid(e) for kind, e in ledger.events) > 5
    assert sum(kind == "CommandRejected" and e["code"] == "INSUFFICIENT_CREDIT" for kind, e in ledger.events) > 0


def test_a_buyers_deposit_is_what_is_due() -> None:
    """It is there, so much, and pays whom the call did not serve."""
    ledger, *_ = sound()
    at = of_a_buyer(ledger.events)
    with pytest.raises(BrokenRuleError, match="a manager holds its deposit"):
        check(ledger, without(ledger.events, at))
    more = copied(ledger.events)
    more[at][1]["amount_ucr"] += 1
    with pytest.raises(BrokenRuleError, match="a manager deposits what is due"):
        check(ledger, more)
    paid = first(ledger.events, "CreditsTransferred", is_paid)
    with pytest.raises(BrokenRuleError, match="whom a CFP did not serve"):
        check(ledger, without(ledger.events, paid))
    kept = first(ledger.events, "HoldReleased", lambda e: e["hold"] == ledger.events[at][1]["hold"])
    with pytest.raises(BrokenRuleError, match="a deposit is free when its CFP ends"):
        check(ledger, without(ledger.events, kept))


def test_an_older_version_asks_for_none() -> None:
    """Where the rules did not change, nobody that buys deposits."""
    ledger, *_ = sound()
    with pytest.raises(BrokenRuleError):
        check(ledger, changed(ledger.events, "RulesActivated", "version", lambda _: 9))


def _always(*_: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (lambda p: p.setattr(limits, "BUYER_DEPOSITS_RULES_VERSION", 12), "a manager holds its deposit"),
        (lambda p: p.setattr(limits, "BUYER_DEPOSITS_RULES_VERSION", 10), "a hold backs a bid or a purchase"),
        (lambda p: p.setattr(deposits, "_has_room", _always), "whom a CFP did not serve"),
        (lambda p: p.setattr("market.works.DEPOSIT_DOMAIN", b"another"), "a hold backs a bid or a purchase"),
        (lambda p: p.setattr(deposits, "check_credit", _always), "nobody holds what it does not have"),
    ],
)
def test_a_market_with_other_rules_is_found_out(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[pytest.MonkeyPatch], None], rule: str
) -> None:
    """Each rule of version 11 left out, or another one."""

    def look() -> None:
        ledger = ledger_of(played())
        check(ledger, ledger.events)

    wrong(monkeypatch)
    with pytest.raises((BrokenRuleError, AssertionError), match=rule):
        look()
