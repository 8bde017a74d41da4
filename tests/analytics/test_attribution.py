"""Who spent what: the views over the market of spending.py, whose payments are counted here by hand."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

import analytics
from analytics.ledger import newest_generation
from analytics.query import run
from contractnet.errors import QueryError
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.analytics.spending import GIVEN_UCR, ODD, PROJECTS, T0_MS, Spending, publish
from tests.market.town import MANAGER, OPERATOR

STEP_MS = 100
"""Everything happens at a multiple of it."""
EIGHT, NINE = datetime(2027, 1, 15, 8), datetime(2027, 1, 15, 9)
# Agent, task, pool, hour, reason, micro-credits. The lease of 360 s that ann resold cost her all the same; bob's was
# released early, cyn's never used. Of two ways to sell on, a deal pays its price (250), a call the least that would
# still win: bob's 55 beats the 40 of cyn, so 40 or 41. Work for 200 that was 10.4 s late at 2 a second is paid 179; a
# bond of 50 is lost by failure and by silence. A call at 100 for 36 s deposits 1,000 reserves an hour, so 1,000; after
# 18 of these seconds two bidders that waited get 500 each.
PAID = [
    ("ann", "train", "rack", EIGHT, "AWARD", 600),
    ("bob", "", "rack", EIGHT, "AWARD", 100),
    ("cyn", ODD, "rack", EIGHT, "AWARD", 70),
    ("ann", "", "", EIGHT, "FEE", 2),
    ("cyn", "", "", EIGHT, "FEE", 2),
    ("cyn", "serve", "rack", EIGHT, "DEAL", 250),
    ("dan", "eval", "rack", EIGHT, "AWARD", 90),
    ("dan", "", "", EIGHT, "FEE", 2),
    ("cyn", "", "", EIGHT, "FEE", 2),
    ("bob", "tune", "rack", EIGHT, "AWARD", 40),
    ("bob", "render", "own", EIGHT, "AWARD", 179),
    ("dan", "render", "own", EIGHT, "FORFEIT", 50),
    ("dan", "render", "own", NINE, "FORFEIT", 50),
    ("ann", "chat", "provider/chat", NINE, "TOKENS", 250),
    ("manager", "", "rack", NINE, "DEPOSIT", 500),
    ("manager", "", "rack", NINE, "DEPOSIT", 500),
]


@pytest.fixture
def ledger(spent: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the published market."""
    with analytics.open(spent) as connection:
        yield connection


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str, values: object = None) -> list[tuple[Any, ...]]:
    """All rows."""
    return connection.execute(sql, values).fetchall()


def test_every_payment_is_a_row(ledger: duckdb.DuckDBPyConnection) -> None:
    """With who, what for, where, when and why; nothing that was given or moved is among them."""
    found = rows_of(
        ledger, "SELECT agent, task, pool, hour, reason, credits FROM attribution ORDER BY paid_at, credits"
    )
    assert Counter(found) == Counter(PAID)
    projects = dict(rows_of(ledger, "SELECT DISTINCT agent, project FROM attribution"))
    assert projects == PROJECTS | {"manager": "infra"}


def test_spend_adds_payments_up(ledger: duckdb.DuckDBPyConnection) -> None:
    """One row for what is alike in everything: two fees of cyn, two shares of a deposit, which is a row of its own."""
    expected = Counter[tuple[Any, ...]]()
    for *what, credits in PAID:
        expected[tuple(what)] += credits
    found = {row[:-1]: row[-1] for row in rows_of(ledger, "SELECT agent, task, pool, hour, reason, credits FROM spend")}
    assert found == expected
    assert rows_of(ledger, "SELECT payments, credits FROM spend WHERE reason = 'DEPOSIT'") == [(2, 1000)]
    assert rows_of(ledger, "SELECT sum(payments)::BIGINT, sum(credits)::BIGINT FROM spend") == [(16, 2687)]


def test_payments_are_those_of_the_events(ledger: duckdb.DuckDBPyConnection, spending: Spending) -> None:
    """Payer, payee, time and amount of each, from the events themselves."""
    expected = [
        (event.debit.hex(), event.credit.hex(), entry.source.at_ms, event.amount_ucr)
        for answer in spending.town.answers
        for entry in answer.entries
        if isinstance(event := entry.event, e.CreditsTransferred) and event.reason not in ("ISSUE", "TRANSFER")
    ]
    found = rows_of(ledger, "SELECT account_id, payee_id, epoch_ms(paid_at), credits FROM attribution")
    assert Counter(found) == Counter(expected)
    assert len(expected) == len(PAID)


def test_top_spenders(ledger: duckdb.DuckDBPyConnection) -> None:
    """By what was paid in all; shares of all that was paid."""
    expected = Counter[str]()
    for agent, *_, credits in PAID:
        expected[agent] += credits
    found = rows_of(ledger, "SELECT rank, agent, project, credits, share FROM top_spenders ORDER BY rank")
    ordered = [("manager", 1000), ("ann", 852), ("cyn", 324), ("bob", 319), ("dan", 192)]
    assert expected == dict(ordered)
    assert [(rank, agent, credits) for rank, agent, _, credits, _ in found] == [
        (n, *o) for n, o in enumerate(ordered, 1)
    ]
    assert all(abs(share - credits / 2687) < 1e-12 for *_, credits, share in found)


def test_flows_explain_balances(ledger: duckdb.DuckDBPyConnection, spending: Spending) -> None:
    """What each was given, earned and spent, by hand; the difference to the balance is 0."""
    names = "issued_ucr, transferred_ucr, earned_ucr, spent_ucr, balance_ucr, difference_ucr"
    found = {row[0]: row[1:] for row in rows_of(ledger, f"SELECT name, {names} FROM account_flows")}
    expected = {
        "ann": (GIVEN_UCR, -500, 250 + 500, 852, 9398, 0),
        "bob": (GIVEN_UCR, 500, 100, 319, 10281, 0),
        "cyn": (GIVEN_UCR + 111, 0, 500, 324, 10287, 0),
        "dan": (GIVEN_UCR, 0, 40 + 179, 192, 10027, 0),
        "manager": (GIVEN_UCR, 0, 600 + 100 + 70 + 90 + 250, 1000, 10110, 0),
        "bank": (-5 * GIVEN_UCR - 111, 0, 8, 0, -50103, 0),
    }
    assert found == expected
    state = spending.town.state
    assert {name: row[4] for name, row in found.items() if name != "bank"} == {
        name: state.accounts[ident].balance_ucr for name, ident in spending.ids.items()
    }


def test_the_check_says_that_all_agrees(ledger: duckdb.DuckDBPyConnection) -> None:
    """To the last micro-credit."""
    names = "payments, attributed_ucr, spent_ucr, earned_ucr, accounts, accounts_differing, payments_misattributed, ok"
    assert rows_of(ledger, f"SELECT {names} FROM attribution_check") == [(16, 2687, 2687, 2687, 6, 0, 0, True)]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("UPDATE accounts SET balance_ucr = balance_ucr + 1 WHERE name = 'ann'", "accounts_differing"),
        ("UPDATE unsealed.transfers SET amount_ucr = amount_ucr + 1 WHERE reason = 'DEPOSIT'", "accounts_differing"),
        ("UPDATE unsealed.transfers SET agent = 'bob' WHERE reason = 'TOKENS'", "payments_misattributed"),
        ("UPDATE unsealed.transfers SET project = 'beta' WHERE reason = 'TOKENS'", "payments_misattributed"),
        ("UPDATE unsealed.transfers SET reason = 'SANCTION' WHERE reason = 'TRANSFER'", ""),
        ("DELETE FROM accounts WHERE name = 'dan'", "accounts_differing"),
    ],
)
def test_the_check_sees_a_micro_credit(spent: Path, tmp_path: Path, change: str, column: str) -> None:
    """A balance, an amount, a name, an account: whatever is off by one, the market is not ok."""
    changed = shutil.copy(newest_generation(spent), tmp_path)
    with duckdb.connect(str(changed)) as connection:
        assert connection.execute(change).fetchone() not in ((0,), None)
        (row,) = connection.execute("FROM attribution_check").fetchall()
        names = [name for name, *_ in connection.description or []]
    found = dict(zip(names, row, strict=True))
    if not column:  # a payment of a reason that nobody foresaw is a payment like others, and counted
        assert (found["ok"], found["attributed_ucr"]) == (True, 2687 + 500)
        return
    assert not found["ok"]
    assert found[column] > 0


def test_balances_at_every_moment(spending: Spending, spent: Path) -> None:
    """Of all accounts, right after each instant at which anything happened, and between two of them: the state's."""
    assert len(spending.balances) > 20
    moments = sorted(spending.balances)
    with analytics.open(spent) as connection:
        for at_ms in moments:
            rows = rows_of(connection, "SELECT account_id, balance_ucr FROM balances_at(make_timestamp_ms(?))", [at_ms])
            state = spending.balances[at_ms]
            assert {bytes.fromhex(ident): ucr for ident, ucr in rows} == state
        before = rows_of(connection, "SELECT count(*) FROM balances_at(make_timestamp_ms(?))", [T0_MS - 1])
        assert before == [(0,)]
        now = "SELECT account_id, balance_ucr FROM accounts"
        assert set(rows_of(connection, now)) == set(
            rows_of(connection, "SELECT account_id, balance_ucr FROM balances_at('infinity')")
        )


@pytest.mark.parametrize("macro", ["attribution_between", "unit_prices_between", "capacity_between"])
def test_a_range_the_wrong_way_round(spent: Path, macro: str) -> None:
    """An error that says so, also where the times are beyond all rows, and no empty answer that looks like one."""
    for early, late in (("2027-01-15", "2027-01-16"), ("2020-01-01", "2020-01-02"), ("2030-01-01", "2030-01-02")):
        with pytest.raises(QueryError, match=f"from_ts, {late}, is after to_ts, {early}.*Give the earlier time first"):
            run(f"SELECT count(*) FROM {macro}('{late}', '{early}')", spent)


def test_the_bounds_are_constants(ledger: duckdb.DuckDBPyConnection) -> None:
    """Checked before a row is read, and by them DuckDB passes over segments that hold nothing of that time."""
    [(_, plan)] = rows_of(ledger, "EXPLAIN (FORMAT json) FROM attribution_between('2027-01-15 09:00', '2027-02-01')")
    assert "error" not in plan
    assert ">= '2027-01-15 09:00:00'" in plan


def test_attribution_between(ledger: duckdb.DuckDBPyConnection) -> None:
    """The first bound counts, the second does not; times as text; two halves are the whole."""
    question = "SELECT coalesce(sum(credits), 0)::BIGINT, count(*) FROM attribution_between(?, ?)"
    assert rows_of(ledger, question, ["2027-01-15 08:00", "2027-01-15 09:00"]) == [(1387, 12)]
    assert rows_of(ledger, question, ["2027-01-15 09:00", "2027-01-16"]) == [(1300, 4)]
    moment = datetime(2027, 1, 15, 8, 57, 10, 100_000)
    assert rows_of(ledger, question, [moment, moment + timedelta(milliseconds=100)]) == [(600, 1)]
    assert rows_of(ledger, question, [moment, moment]) == [(0, 0)]


def test_macros_are_open_to_locked_queries(spent: Path) -> None:
    """`contractnet query` runs them, segments or not."""
    for call, rows in (
        ("balances_at('2027-01-15 08:58')", 6),
        ("attribution_between('2027-01-15', '2027-01-16')", 16),
        ("capacity_between('2027-01-15', '2027-01-16')", 4),
        ("focus_costs_in('EUR', 0.5)", 16),
    ):
        assert len(run(f"FROM {call}", spent).rows) == rows
    with analytics.open(spent) as connection:
        assert connection.execute(
            "SELECT sql LIKE '%parquet%' FROM duckdb_views() WHERE view_name = 'events'"
        ).fetchone()


def test_unit_prices(ledger: duckdb.DuckDBPyConnection) -> None:
    """What was paid for and what it cost, by hand; together with bonds, fees and deposits it is all of attribution."""
    names = "kind, pool, project, hour, sales, unit_ms, tokens, credits, per_unit_hour_ucr, per_1000_tokens_ucr"
    rest_ms, called_ms = 2 * 280_100, 198_100
    assert set(rows_of(ledger, f"SELECT {names} FROM unit_prices")) == {
        ("lease", "rack", "alpha", EIGHT, 2, 2 * 360_000 + 240_000, None, 700, 700 * 3600 // 960, None),
        ("lease", "rack", "beta", EIGHT, 2, 60_000 + 200_000, None, 160, 160 * 3600 // 260, None),
        ("resale", "rack", "beta", EIGHT, 1, rest_ms, None, 250, 250 * 3_600_000 // rest_ms, None),
        ("resale", "rack", "alpha", EIGHT, 1, called_ms, None, 40, 40 * 3_600_000 // called_ms, None),
        ("work", "own", "alpha", EIGHT, 1, 30_000, None, 179, 179 * 120, None),
        ("tokens", "provider/chat", "alpha", NINE, 1, None, 50, 250, None, 5_000),
    }
    by_reason = "SELECT sum(credits)::BIGINT FROM attribution WHERE reason IN ('AWARD', 'DEAL', 'TOKENS')"
    assert rows_of(ledger, "SELECT sum(credits)::BIGINT FROM unit_prices") == rows_of(ledger, by_reason)


def test_a_resale_that_its_buyer_wins_has_one_price(tmp_path: Path) -> None:
    """Called for, and nobody bids more: it is no deal beside the award, which has the negotiation's id."""
    day = Spending()
    day.town.at_ms = T0_MS
    day.town.genesis()
    day.ids["manager"] = day.town.account("manager", MANAGER)
    for name in ("ann", "bob"):
        day.ids[name] = day.town.account(name, credits_ucr=GIVEN_UCR)
    day.town.pool("rack", day.ids["manager"], 4)
    day.send(c.SetResaleCall(500), OPERATOR)
    day.deal(day.lease("ann", 100, 60), "ann", "bob", 40, "")
    day.to(1)
    publish(day.town, tmp_path)
    with analytics.open(tmp_path) as connection:
        paid = rows_of(connection, "SELECT reason, credits FROM attribution ORDER BY credits")
        prices = rows_of(connection, "SELECT kind, unit_ms, credits FROM unit_prices ORDER BY credits")
        [(moment,)] = rows_of(connection, "SELECT max(awarded_at) FROM awards")
        then = rows_of(connection, "SELECT kind, sales FROM unit_prices_between(?, 'infinity')", [moment])
    assert paid == [("AWARD", paid[0][1]), ("AWARD", 100)]
    assert prices == [("resale", 59_100, paid[0][1]), ("lease", 60_000, 100)]
    assert then == [("resale", 1)], "no row of leases where there was none but the resale"


def test_budgets_burn_down(ledger: duckdb.DuckDBPyConnection) -> None:
    """Hour by hour of the window that runs. Fees and deposits are no budget's business; ann's own window is new."""
    names = "coalesce(agent, project), starts_at, hour, spent_ucr, spent_so_far_ucr, left_ucr"
    assert set(rows_of(ledger, f"SELECT {names} FROM budget_burndown")) == {
        ("alpha", datetime(2027, 1, 15), EIGHT, 919, 919, 4081),
        ("alpha", datetime(2027, 1, 15), NINE, 250, 1169, 3831),
        ("ann", NINE, NINE, 250, 250, 750),
    }
    last = "SELECT budget_id, max(spent_so_far_ucr) FROM budget_burndown GROUP BY ALL ORDER BY ALL"
    assert rows_of(ledger, last) == rows_of(ledger, "SELECT budget_id, spent_ucr FROM budget_status ORDER BY ALL")


def test_budgets_are_forecast(ledger: duckdb.DuckDBPyConnection) -> None:
    """As spending went so far: ann's 250 in 220 s of her hour; alpha's 1,169 in the 400 s since its budget was set."""
    newest = datetime(2027, 1, 15, 9, 3, 40)
    names = "coalesce(agent, project), as_of, elapsed_ms, to_go_ms, forecast_ucr, forecast_left_ucr, runs_out_at"
    alpha_s = 24 * 3600 - 9 * 3600 - 220
    assert set(rows_of(ledger, f"SELECT {names} FROM budget_forecast")) == {
        ("ann", newest, 220_000, 3_380_000, 250 + 250 * 3380 // 220, 1000 - 4090, newest + timedelta(seconds=660)),
        (
            "alpha",
            newest,
            400_000,
            alpha_s * 1000,
            1169 + 1169 * alpha_s // 400,
            5000 - 158341,
            newest + timedelta(milliseconds=3831 * 400_000 // 1169),
        ),
    }


def test_capacity_by_hand(ledger: duckdb.DuckDBPyConnection) -> None:
    """Leases count until they ended, not as long as they were paid for; the rack has six units for the last 100 s."""
    found = {row[:2]: row[2:] for row in rows_of(ledger, "SELECT pool, hour, unit_ms, leased_unit_ms FROM capacity")}
    assert found == {
        ("rack", EIGHT): (4 * 180_000, 2 * 79_900 + 59_800 + 60_000 + 2 * 90_000 + 1_900 + 88_000),
        ("rack", NINE): (4 * 120_000 + 6 * 100_000, 2 * 190_100 + 110_100),
        ("own", EIGHT): (2 * 180_000, 27_900 + 59_800),
        ("own", NINE): (2 * 220_000, 200),
    }
    rest = "SELECT bool_and(idle_unit_ms = unit_ms - leased_unit_ms), max(utilization) FROM capacity"
    assert rows_of(ledger, rest) == [(True, 549_500 / 720_000)]


def test_capacity_from_the_events(spending: Spending, spent: Path) -> None:
    """Tenth by tenth of a second from the events, for any part of the time."""
    leases: dict[bytes, list[Any]] = {}
    sizes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for answer in spending.town.answers:
        for entry in answer.entries:
            event, at_ms = entry.event, entry.source.at_ms
            if isinstance(event, e.PoolCreated | e.PoolResized):
                sizes[event.pool].append((at_ms, event.units))
            elif isinstance(event, e.SlotReserved):
                leases[event.award] = [event.pool, event.units, event.starts_at_ms, event.ends_at_ms]
            elif isinstance(event, e.LeaseEnded):
                leases[event.award][3] = min(leases[event.award][3], at_ms)
    newest_ms = max(entry.source.at_ms for answer in spending.town.answers for entry in answer.entries)
    for since_ms, until_ms in (
        (T0_MS + 12_300, T0_MS + 95_100),
        (T0_MS - 10**7, T0_MS + 250_000),
        (T0_MS + 200_000, 2**42),
    ):
        expected: Counter[tuple[str, str]] = Counter()
        for ms in range(max(since_ms, T0_MS), min(until_ms, newest_ms), STEP_MS):
            for pool, steps in sizes.items():
                expected[pool, "all"] += STEP_MS * next((units for at_ms, units in reversed(steps) if at_ms <= ms), 0)
            for pool, units, starts_ms, ends_ms in leases.values():
                expected[pool, "leased"] += STEP_MS * units * (starts_ms <= ms < ends_ms)
        since, until = (datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None) for ms in (since_ms, until_ms))
        with analytics.open(spent) as connection:
            names = "pool, sum(unit_ms)::BIGINT, sum(leased_unit_ms)::BIGINT"
            sums = f"SELECT {names} FROM capacity_between(?, ?) GROUP BY ALL"
            found = {pool: (whole, leased) for pool, whole, leased in rows_of(connection, sums, [since, until])}
        assert found == {pool: (expected[pool, "all"], expected[pool, "leased"]) for pool in sizes}
