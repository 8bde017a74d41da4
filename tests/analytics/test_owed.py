"""What is owed, as tables and `contractnet budget show` have it."""

from __future__ import annotations

from pathlib import Path

import analytics
from analytics import budgets
from contractnet.messages import Direction, Pricing
from contractnet.messages import commands as c
from contractnet.money import credits_text
from tests.analytics.towns import BANK, MANAGER, MARKETS, Traffic, judged, published
from tests.market.town import budget, key_pair

PARTITION = 3


def indebted() -> Traffic:
    """A market in which a miser owes 200 of its 400, which a bid holds, at the end of a whole window."""
    town = Traffic(MARKETS[PARTITION], 1)
    town.open()
    town.at_ms += 60_000 - town.at_ms % 60_000
    keys = key_pair("miser")
    miser = town.send(c.OpenAccount("miser", "hoard", "miser", keys.public, bytes(32)), BANK)
    town.send(c.IssueCredits(miser, 400, ""), BANK)
    for scope in ((miser, ""), (None, "hoard")):
        town.send(budget(*scope, limit_ucr=None, decay_permille=500, offset_ms=town.at_ms % 60_000), BANK)
    call = c.CallForProposals(Direction.SELL, "rack", 1, 100, 1, 80_000, 10, Pricing.SECOND)
    town.send(c.PlaceBid(town.send(call, MANAGER), 400, 0, "", bytes(32), None), keys)
    town.at_ms += 60_000
    town.tick()
    return town


def test_what_is_owed_is_shown(tmp_path: Path) -> None:
    """By account, and by budget for all its accounts; what can be spent is less by it."""
    published(judged({PARTITION: indebted().records}), tmp_path)
    with analytics.open(tmp_path) as connection:
        (row,) = connection.execute(
            "SELECT balance_ucr, held_ucr, owed_ucr, available_ucr FROM accounts WHERE name = 'miser'"
        ).fetchall()
        assert row[:2] == (400, 400)
        assert 0 < row[2] <= 400
        assert row[3] == -row[2]
        status = connection.execute("SELECT owed_ucr FROM budget_status WHERE project = 'hoard'").fetchall()
        assert status == [(row[2],)] * 2
    shown = [line for line in budgets.lines(tmp_path, MARKETS[PARTITION]) if "hoard" in line]
    assert len(shown) == 2
    assert all(line.endswith(f", decay 50%, {credits_text(row[2])} owed") for line in shown), shown
