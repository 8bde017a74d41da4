"""Boundaries that generated mutants walked over unseen (tests/mutants)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits, shard
from market.invariants import violations
from market.state import Account, State
from tests.market.town import BANK, Town, budget, small_town


def test_a_record_that_has_its_fill_of_entries_settles_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit, not one beyond: an empty CFP's end is one entry."""
    monkeypatch.setattr(shard, "DUE_ENTRIES_PER_COMMAND_MAX", 1)
    town, _ = small_town("ann")
    town.cfp()
    town.cfp()
    town.at_ms += 100
    assert len(town.tick().of(e.CfpClosed)) == 1
    assert len(town.tick().of(e.CfpClosed)) == 1


def test_a_weight_older_than_the_oldest_cfp_may_go() -> None:
    """A CFP opened after the second remembered weight counts by that one: the first is pushed out, the second is
    not."""
    town, ids = small_town("ann")

    def change(number: int) -> Code:
        return town.send(c.SetWeight(ids["ann"], 500 + number), BANK).code

    assert change(0) is Code.ACCEPTED
    town.cfp(open_ms=1_000)
    fill = [change(number) for number in range(1, limits.WEIGHTS_PER_ACCOUNT_MAX - 1)]
    assert set(fill) == {Code.ACCEPTED}
    assert change(20) is Code.ACCEPTED
    assert change(21) is Code.LIMIT_REACHED


def leased_town() -> Town:
    """A market with a lease of both units, another that begins when it ends, an open bid, and two budgets over it."""
    town, ids = small_town("ann", "bob", units=2)
    for scope in ((ids["bob"], ""), (None, "project")):
        town.send(budget(*scope, limit_ucr=1_000), BANK)
    for delay_ms in (0, 900):
        cfp = town.cfp(units=2)
        town.bid(cfp, "ann", 50, delay_ms)
        town.settle(cfp)
    town.bid(town.cfp(), "bob", 60)
    first, second = town.state.leases.values()
    assert first.ends_at_ms == second.starts_at_ms
    assert violations(town.state) == []
    return town


def bob(state: State) -> Account:
    """The one with an open bid of 60."""
    return state.accounts[state.account_names["bob"]]


BREAKS: dict[str, Callable[[State], None]] = {
    "balances sum to": lambda s: setattr(bob(s), "balance_ucr", bob(s).balance_ucr + 1),
    "holds 1000000001": lambda s: setattr(bob(s), "held_ucr", 10**9 + 1),
    "holds and what they back differ": lambda s: s.holds.clear(),
    "its holds say 60": lambda s: setattr(bob(s), "held_ucr", 59),
    "pool gpu has 1 units, 2 are reserved": lambda s: setattr(s.pools["gpu"], "units", 1),
    "counters of account": lambda s: setattr(bob(s), "open_bids", 0),
    "counts 61 held, the holds 60": lambda s: setattr(s.scopes[bob(s).id], "held_ucr", 61),
    "is not that of its scope": lambda s: s.scopes.update({bob(s).id: s.scopes["project"]}),
    "has spent -1": lambda s: setattr(s.scopes["project"], "spent_ucr", -1),
    "has a window": lambda s: setattr(s.scopes["project"], "offset_ms", 1),
    "is on no agenda": lambda s: s.agenda.clear(),
    "more scopes than budgets": lambda s: s.scopes.update({"other": s.scopes["project"]}),
    "pool gpu counts 3 leases": lambda s: setattr(s.pools["gpu"], "leases", 3),
}


@pytest.mark.parametrize("says", BREAKS)
def test_a_broken_invariant_is_named(says: str) -> None:
    """What the writer looks at after its batches notices each kind of damage."""
    state = leased_town().state
    BREAKS[says](state)
    assert any(says in text for text in violations(state)), violations(state)
