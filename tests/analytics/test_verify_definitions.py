"""Verify and what a published file makes of its rows: a view or macro of another definition is noticed, and named."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from analytics.ledger import newest_generation
from analytics.verify import Order, verify
from analytics.verify.definitions import check_definitions
from analytics.verify.report import DivergenceError
from tests.analytics.towns import OPERATOR, Topics, judged, published, source_of, traffic


@pytest.fixture(scope="module")
def topics() -> Topics:
    """A small market."""
    return judged({0: traffic(0, 60)})


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("CREATE OR REPLACE VIEW attribution AS SELECT * REPLACE ('nobody' AS agent) FROM spend", "attribution"),
        ("CREATE OR REPLACE VIEW attribution_check AS SELECT 'default' AS market, true AS ok", "attribution_check"),
        ("CREATE OR REPLACE VIEW budget_status AS SELECT 'all fine' AS state", "budget_status"),
        ("CREATE OR REPLACE MACRO balances_at(t) AS TABLE SELECT 1 AS nothing", "balances_at"),
        ("DROP VIEW top_spenders", "top_spenders"),
        ("CREATE VIEW who_paid AS SELECT 1 AS one", "who_paid"),
    ],
)
def test_another_definition_is_noticed(topics: Topics, tmp_path: Path, change: str, name: str) -> None:
    """Over rows that are all right, whatever the check views of the same file say."""
    published(topics, tmp_path)
    order = Order(OPERATOR.public, data_dir=tmp_path)
    report, _ = verify(source_of(topics), order)
    assert report.sound, report.lines()
    assert report.counts["duckdb views and macros"] > 20
    with duckdb.connect(str(newest_generation(tmp_path))) as connection:
        connection.execute(change)
    report, _ = verify(source_of(topics), order)
    assert report.divergence is not None
    assert report.divergence.topic == f"duckdb:{name}"


def test_every_shipped_definition_is_compared(topics: Topics, tmp_path: Path) -> None:
    """Each of them, dropped, is missed; a table that somebody added is not asked for and does no harm."""
    published(topics, tmp_path)
    with duckdb.connect(str(newest_generation(tmp_path))) as connection:
        connection.execute("CREATE TABLE notes AS SELECT 1 AS one")
        check_definitions(connection)
        views = connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' "
            "AND sql NOT LIKE '%unsealed%'"
        ).fetchall()
        assert len(views) > 15
        for (view,) in views:
            connection.execute("BEGIN")
            connection.execute(f"DROP VIEW {view}")
            with pytest.raises(DivergenceError) as told:
                check_definitions(connection)
            assert told.value.topic == f"duckdb:{view}"
            connection.execute("ROLLBACK")
