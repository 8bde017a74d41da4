"""What became of texts that are code elsewhere: the very text is in the published ledger, and nothing that is printed
steers a terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from analytics.query import Format, render, run
from faults.hostile.absurd import BAD_TEXTS, POISON
from faults.hostile.poison import FIELDS
from tests.cli.command import contractnet
from tests.hostile.life import Life
from tests.hostile.published import publish, texts_of

ATTEMPTS = 1_000
"""Each poison twice: what is won under it is told of in the volley after."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a market in which every text was poisoned."""
    life = Life("poison", 7)
    assert life.run(ATTEMPTS).sound
    folder = tmp_path_factory.mktemp("poison") / "data"
    publish(life, folder)
    return folder


@pytest.mark.parametrize("text", POISON)
def test_a_query_gives_the_very_text_back(home: Path, text: str) -> None:
    """In each table and column that takes a text, asked for by a literal whose quotes are doubled and nothing else."""
    literal = "'" + text.replace("'", "''") + "'"
    for table, column in FIELDS:
        # A market's name has a number behind it where the text alone belongs to another partition.
        kept = f"starts_with({column}, {literal})" if table == "markets" else f"{column} = {literal}"
        found = run(f"SELECT DISTINCT {column} FROM {table} WHERE {kept}", home).rows
        assert found, f"{table}.{column} has no {text!r}"
        assert all(value == text or table == "markets" for (value,) in found)
    issues = run(f"SELECT issues FROM negotiations WHERE task = {literal}", home).rows
    assert issues
    assert {str(issues)} == {str([([{"name": text, "options": [text, "b"]}],)] * len(issues))}


def test_what_a_query_prints_does_not_steer_a_terminal(home: Path) -> None:
    """Each table with poison, in each form: every character is printable, and CSV and JSON read back as they were."""
    for table in sorted({table for table, _ in FIELDS}):
        answer = run(f"FROM {table}", home)
        shown = {form: render(answer, form, None) for form in Format}
        for text in shown.values():
            assert all(c.isprintable() or c == "\n" for c in text), f"{table}: {text!r}"
        rows = list(csv.reader(io.StringIO(shown[Format.CSV])))[1:]
        assert [row[0] for row in rows] == [str(row[0]) for row in answer.rows]
        records = json.loads(shown[Format.JSON])
        assert [record[answer.columns[0]] for record in records] == [row[0] for row in answer.rows]


def test_the_command_prints_it_as_it_is(home: Path) -> None:
    """`contractnet query`: no markup is taken for such, no formula or template worked out."""
    for form in ("--json", "--csv"):
        done = contractnet("--data", home, "query", "SELECT DISTINCT name FROM accounts", form)
        assert done.returncode == 0, done.stderr
        assert all(c.isprintable() or c == "\n" for c in done.stdout)
        read = {r["name"] for r in json.loads(done.stdout)} if form == "--json" else set()
        read = read or {row[0] for row in csv.reader(io.StringIO(done.stdout)) if row}
        assert set(POISON) <= read
    table = contractnet("--data", home, "query", "SELECT DISTINCT name FROM accounts")
    assert all(text in table.stdout for text in POISON)


def test_no_bad_text_gets_into_the_ledger(tmp_path: Path) -> None:
    """Those that are refused are in no table, not even in the details of their refusals."""
    life = Life("absurd_names", 7)
    assert life.run(300).sound
    publish(life, tmp_path / "data")
    found = list(texts_of(tmp_path / "data"))
    assert len(found) > 1_000
    assert [place for place, text in found if not text.isprintable() or text in BAD_TEXTS] == []
