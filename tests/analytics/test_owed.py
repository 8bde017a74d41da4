"""What is owed, as tables and `contractnet budget show` have it, and as verify compares it."""

from __future__ import annotations

from pathlib import Path

import duckdb

import analytics
from analytics import balances, budgets
from analytics.ledger import newest_generation
from analytics.verify import Order, verify
from contractnet.messages import Direction, Pricing
from contractnet.messages import commands as c
from contractnet.money import credits_text
from tests.analytics.test_verify import verified
from tests.analytics.towns import BANK, MANAGER, MARKETS, OPERATOR, Traffic, judged, published, source_of
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
    (account, _) = balances.lines(tmp_path, MARKETS[PARTITION], "miser")
    owed = credits_text(row[2])
    assert account.startswith("miser (of hoard, ")
    assert account.endswith(f"has {credits_text(400)}: held {credits_text(400)}, owed {owed}, free -{owed}")


def test_what_is_owed_is_compared(tmp_path: Path) -> None:
    """A ledger with debts is sound with its tables; a row that says another debt is not."""
    topics = judged({PARTITION: indebted().records})
    published(topics, tmp_path)
    order = Order(OPERATOR.public, data_dir=tmp_path)
    verified(topics, order)
    with duckdb.connect(str(newest_generation(tmp_path))) as connection:
        connection.execute("UPDATE accounts SET owed_ucr = owed_ucr - 1 WHERE name = 'miser'")
    report, _ = verify(source_of(topics), order)
    assert not report.sound


def test_an_audit_goes_on_in_the_middle_of_a_window() -> None:
    """From a checkpoint before the end: what accounts had until then is in it."""
    topics = judged({PARTITION: indebted().records})
    first = judged({PARTITION: indebted().records[:-1]})
    _, middle = verified(first, Order(OPERATOR.public))
    _, whole = verified(topics, Order(OPERATOR.public))
    _, resumed = verified(topics, Order(OPERATOR.public, start=middle))
    assert resumed.parts == whole.parts
