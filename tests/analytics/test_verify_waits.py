"""The independent checker and version 10: claims that wait, floors under deposits and bonds are decided as the rules
say, and a market that has other rules is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import pytest

from analytics.checker import BrokenRuleError, Checker
from analytics.verify.plain import plain_entry
from contractnet import codec
from contractnet.messages import commands as c
from market import limits, rules
from market.deposit import base_of
from market.rules import deposits, roots
from tests.analytics.test_verify_checker import Ledger, changed, check
from tests.market.buyers import BUYER, ask, buying
from tests.market.cases_negotiations import joined, negotiation
from tests.market.cases_resales import claim
from tests.market.directed_waits import LONG
from tests.market.test_guards_waits import FLOOR_UCR, HOUR_MS, MINUTE_MS, member
from tests.market.town import ANN, BANK, MANAGER, OPERATOR, Town, bid, call, key_pair, small_town

NAMES = ("bob", "bob 2", "cat", "dan")


def wait(town: Town, minutes: int) -> None:
    """Time passes."""
    for _ in range(minutes):
        town.at_ms += MINUTE_MS
        town.tick()


def played() -> Town:
    """Claims that nobody joins, by siblings and others, some minutes and an hour later; calls at next to nothing under
    a floor; a bond at its ceiling and one above."""
    town, ids = small_town("ann", units=4, credits_ucr=10_000)
    for name in NAMES:
        member(town, name, "root of bob" if name == "bob 2" else f"root of {name}")
    cfp = town.cfp(duration_ms=9 * HOUR_MS)
    lease = town.bid(cfp, "ann", 20).id
    town.settle(cfp)

    def wants(name: str) -> bytes:
        return town.send(claim(lease, 5, **LONG), key_pair(name)).id

    wants("bob")
    wait(town, 7)
    wants("bob 2")
    talk = wants("cat")
    town.send(joined(talk, 0), ANN)
    town.send(c.LeaveNegotiation(talk), ANN)
    for name in ("cat", "dan"):
        town.send(c.LeaveNegotiation(wants(name)), key_pair(name))
    for name in ("bob", "cat"):
        wants(name)
    wait(town, 57)
    wants("bob 2")
    wait(town, 2)
    talk = wants("bob 2")
    town.send(joined(talk, 0), ANN)
    town.send(c.LeaveNegotiation(talk), ANN)
    asked = town.send(negotiation(lease, town.state.account_names["dan"]), ANN).id
    town.send(c.LeaveNegotiation(asked), ANN)
    for late_ms in (0, 1):
        talk = wants(("dan", "bob")[late_ms])
        wait(town, 4)
        town.at_ms += MINUTE_MS - 1 + late_ms
        town.send(joined(talk, 0), ANN)
        town.send(c.LeaveNegotiation(talk), ANN)
    town.send(c.IssueCredits(ids["manager"], 10_000, ""), BANK)
    for floor in (0, FLOOR_UCR, -1):
        town.send(c.SetDeposit(100_000, floor), OPERATOR)
        cfp = town.send(call(open_ms=36_000, reserve_price_ucr=1, units=2), MANAGER).id
        town.send(bid(cfp, 50), key_pair("cat"))
        town.at_ms += 18_000
        town.send(c.CancelCfp(cfp), MANAGER)
    town.account("buyer", credits_ucr=1_000)
    town.pool("cat", town.state.account_names["cat"], 1)
    for bond_ucr in (101, 100):
        wanted = town.send(buying(bond_ucr=bond_ucr), BUYER).id
        town.send(ask(wanted, "cat", 50), key_pair("cat"))
    return town


def ledger_of(town: Town) -> Ledger:
    """What it has written."""
    values = [codec.encode(entry) for answer in town.answers for entry in answer.entries]
    events = [entry for entry in map(plain_entry, values) if entry is not None]
    return Ledger(events, values, {a.submission.offset: a.submission for a in town.answers}, {})


@cache
def sound() -> tuple[Ledger, Checker, bytes]:
    """It is right, by the rules as they are: the ledger, what the checker made of it, and the market's state."""
    town = played()
    ledger = ledger_of(town)
    return ledger, check(ledger, ledger.events), town.canonical()


def test_what_the_market_does_is_sound() -> None:
    """The checker comes to the same state, with what a lease remembers and with the floor; and it is not the same where
    either is forgotten."""
    _, checker, state = sound()
    (plain,) = json.loads(state)["markets"]
    (book,) = checker.books.values()
    book.agree(plain)
    for name, wrong in (("deposit_floor", 1), ("leases", [row[:6] for row in plain["leases"]])):
        with pytest.raises(BrokenRuleError, match="of the state"):
            book.agree(plain | {name: wrong})


def _reserve_alone(reserve_ucr: int, *_: int) -> int:
    return reserve_ucr


def _a_unit(reserve_ucr: int, floor_ucr: int, _: int, lease_ms: int) -> int:
    return base_of(reserve_ucr, floor_ucr, 1, lease_ms)


def _by(patch: pytest.MonkeyPatch, kind: type, decide: Callable[..., Any]) -> None:
    patch.setitem(cast("dict[type, Any]", rules.RULES[10]), kind, decide)


def _priced(patch: pytest.MonkeyPatch, base: Callable[..., int]) -> None:
    for place in ("market.state.base_of", "market.rules.deposits.base_of"):
        patch.setattr(place, base)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (
            lambda p: p.setattr(limits, "CLAIM_WAIT_MS_MAX", 8 * MINUTE_MS),
            "is to be rejected|not CommandRejected|expires",
        ),
        (lambda p: p.setattr(limits, "CLAIM_WAIT_MS_MAX", 4 * MINUTE_MS), "when its time is over"),
        (lambda p: p.setattr(limits, "CLAIM_AGAIN_MS", 50 * MINUTE_MS), "LIMIT_REACHED"),
        (lambda p: p.setattr(limits, "CLAIM_AGAIN_MS", 70 * MINUTE_MS), "LIMIT_REACHED"),
        (lambda p: p.setattr(limits, "CLAIMS_REMEMBERED_PER_LEASE", 1), "LIMIT_REACHED"),
        (lambda p: _by(p, c.ClaimLease, roots.claim_lease), "LIMIT_REACHED"),
        (lambda p: _by(p, c.CallForProposals, roots.call_for_proposals_9), "BAD_AMOUNT"),
        (lambda p: _by(p, c.SetDeposit, deposits.set_deposit), "UNKNOWN_RULES"),
        (lambda p: _priced(p, _reserve_alone), "a manager deposits what is due"),
        (lambda p: _priced(p, _a_unit), "a manager deposits what is due"),
    ],
)
def test_a_market_with_other_rules_is_found_out(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[pytest.MonkeyPatch], None], rule: str
) -> None:
    """Each rule of version 10 left out, or with another number."""
    wrong(monkeypatch)
    ledger = ledger_of(played())
    with pytest.raises(BrokenRuleError, match=rule):
        check(ledger, ledger.events)


def test_a_floor_is_what_was_asked_for() -> None:
    """Another one is not that of the command."""
    ledger, *_ = sound()
    with pytest.raises(BrokenRuleError, match="floor_ucr is that of the command"):
        check(ledger, changed(ledger.events, "DepositSet", "floor_ucr", lambda ucr: ucr + 1))
