"""Boundaries that generated mutants walked over unseen (tests/mutants)."""

from __future__ import annotations

import pytest

from contractnet.messages import Code
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits, shard
from tests.market.town import BANK, INBOX_KEY, MANAGER, budget, key_pair, managed, small_town


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


def test_bids_that_a_manager_chooses_from_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record begins no third decision once those of two may have told their managers of as many bids as fit."""
    monkeypatch.setattr(shard, "DUE_ENTRIES_PER_COMMAND_MAX", 4)
    town, _ = small_town("ann")
    for _ in range(3):
        cfp = town.send(managed(), MANAGER).id
        assert town.bid(cfp, "ann", 20).code is Code.ACCEPTED
    town.at_ms += 100
    assert [len(town.tick().of(e.DecisionOpened)) for _ in range(2)] == [2, 1]


def test_a_window_counts_two_entries_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it might give and take: with its own, a project of three has its fill of seven at one window."""
    monkeypatch.setattr(shard, "DUE_ENTRIES_PER_COMMAND_MAX", 7)
    town, _ = small_town("ann", "bob", credits_ucr=0)
    for name in ("cat", "dan", "eve"):
        town.send(c.OpenAccount(name, "other", "root", key_pair(name).public, INBOX_KEY), BANK)
    town.at_ms += -town.at_ms % 60_000
    for project in ("project", "other"):
        assert len(town.state.projects[project]) == 3
        assert town.send(budget(None, project, decay_permille=1), BANK).code is Code.ACCEPTED
    town.at_ms += 60_000
    assert [len(town.tick().of(e.BudgetWindowStarted)) for _ in range(2)] == [1, 1]
