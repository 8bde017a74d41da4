"""Queries: results in three forms, and errors that say what to do."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

import analytics
from analytics.query import Format, render, run
from contractnet.errors import QueryError

HOSTILE = "[bold]a\0b\u202e,\"quoted\"\n'x'"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory as a projector leaves it: a link to a generation."""
    (tmp_path / "projection").mkdir()
    with duckdb.connect(str(tmp_path / "projection" / "ledger-3.duckdb")) as connection:
        connection.execute("CREATE TABLE awards (agent VARCHAR, price_ucr BIGINT, awarded_at TIMESTAMP)")
        connection.execute(
            "INSERT INTO awards VALUES (?, 9223372036854775807, TIMESTAMP '2026-01-02 03:04:05')", [HOSTILE]
        )
        connection.execute("INSERT INTO awards VALUES (NULL, 1, NULL)")
        connection.execute("CREATE TABLE meta AS SELECT TIMESTAMP '2026-01-02 03:04:06' AS newest_event_at")
    (tmp_path / "ledger.duckdb").symlink_to("projection/ledger-3.duckdb")
    return tmp_path


def test_a_query_gives_columns_and_rows(data_dir: Path) -> None:
    """Columns by name, rows as tuples, numbers exact."""
    answer = run("SELECT agent, price_ucr FROM awards ORDER BY price_ucr DESC", data_dir)
    assert answer.columns == ["agent", "price_ucr"]
    assert answer.rows == [(HOSTILE, 2**63 - 1), (None, 1)]


def test_csv_and_json_keep_every_value(data_dir: Path) -> None:
    """CSV and JSON can be read back, whatever an agent put into its name."""
    answer = run("FROM awards ORDER BY price_ucr", data_dir)
    read = list(csv.reader(io.StringIO(render(answer, Format.CSV), newline="")))
    assert read == [answer.columns, ["", "1", ""], [HOSTILE, str(2**63 - 1), "2026-01-02 03:04:05"]]
    assert json.loads(render(answer, "json"))[1] == {
        "agent": HOSTILE,
        "price_ucr": 2**63 - 1,
        "awarded_at": "2026-01-02 03:04:05",
    }


def test_a_table_is_no_markup_and_no_terminal_control(data_dir: Path) -> None:
    """Names from agents appear as text: no markup, no control characters. The last line says how old it is."""
    answer = run("SELECT agent FROM awards UNION ALL SELECT '\x1b[31mred\x07'", data_dir)
    text = render(answer)
    assert "[bold]a" in text
    assert not {"\0", "\x1b", "\x07", "\u202e"} & set(text)
    assert text.endswith("3 rows, until 2026-01-02 03:04:06 UTC\n")
    assert render(replace(answer, until=None)).endswith("3 rows\n")


@pytest.mark.parametrize("sql", ["SHOW TABLES", "DESCRIBE awards", "SUMMARIZE awards", "PRAGMA database_list"])
def test_what_there_is_can_be_asked(data_dir: Path, sql: str) -> None:
    """Statements that only tell count as queries."""
    assert run(sql, data_dir).rows


@pytest.mark.parametrize(
    "sql", ["EXPLAIN FROM awards", "explain (format json) SELECT 1", "EXPLAIN ANALYZE FROM awards"]
)
def test_a_query_can_be_explained(data_dir: Path, sql: str) -> None:
    """With or without running it."""
    assert run(sql, data_dir).rows


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """Without a published file the answer names the path, the command to start and the option to point elsewhere."""
    with pytest.raises(QueryError, match=r"ledger\.duckdb.*contractnet up.*--data"):
        run("SELECT 1", tmp_path)


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "-- nothing"])
def test_anything_but_one_statement_is_refused(data_dir: Path, sql: str) -> None:
    """Else only the last result would be shown; a semicolon at the end is no second statement."""
    with pytest.raises(QueryError, match="one SQL statement"):
        run(sql, data_dir)
    answer = run("SELECT 1 AS one;", data_dir)
    assert (answer.columns, answer.rows) == (["one"], [(1,)])


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM award", "award does not exist"),
        ("SELECT nothing FROM awards", "nothing"),
        ("INSERT INTO awards VALUES ('x', 1, NULL)", "no query but INSERT"),
        ("DROP TABLE awards", "no query but DROP"),
        ("SET threads = 1", "no query but SET"),
        ("PIVOT awards ON pool USING count(*)", "PIVOT without values"),
        ("SELECT 'a'::INTEGER", "Could not convert"),
        ("", "empty"),
    ],
)
def test_bad_sql_gives_duckdbs_message(data_dir: Path, sql: str, message: str) -> None:
    """A query that DuckDB refuses raises QueryError with DuckDB's words; nothing can be written."""
    with pytest.raises(QueryError, match=message):
        run(sql, data_dir)


def test_a_damaged_file_is_named(data_dir: Path) -> None:
    """A file that is no DuckDB file raises QueryError with its path."""
    (data_dir / "projection" / "ledger-3.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(QueryError, match=r"ledger-3\.duckdb cannot be opened"):
        run("SELECT 1", data_dir)


def test_open_follows_the_link(data_dir: Path) -> None:
    """A long-lived process that opens again sees the newest generation, which DuckDB's cache would hide."""
    first = analytics.open(data_dir)
    with duckdb.connect(str(data_dir / "projection" / "ledger-4.duckdb")) as connection:
        connection.execute("CREATE TABLE awards AS SELECT 1 AS one")
    (data_dir / "link").symlink_to("projection/ledger-4.duckdb")
    (data_dir / "link").replace(data_dir / "ledger.duckdb")
    with analytics.open(data_dir) as second:
        assert second.execute("SELECT one FROM awards").fetchall() == [(1,)]
    assert first.execute("SELECT count(*) FROM awards").fetchall() == [(2,)]
    first.close()
