"""The section `analytics`: the engines hold the same rows, and an answer of one of them that is another is told."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from benchmarks.attribution import publish
from benchmarks.engines import NATIVE, PUBLISHED, QUESTIONS, SQLITE, AnswersDifferError, compare_answers, engines


def test_engines_agree_until_one_row_differs(tmp_path: Path) -> None:
    """All ten questions, in short. One micro-credit more in SQLite is seen by whichever question adds it up."""
    publish(tmp_path, 20_000)
    asks = engines(tmp_path)
    assert list(asks) == [PUBLISHED, NATIVE, SQLITE]
    rows = [compare_answers(what, sql, asks, 1) for what, sql in QUESTIONS.items()]
    assert len(rows) == 10
    assert all(row["rows"] for row in rows), "a question without an answer compares nothing"
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as lite:
        lite.execute("UPDATE transfers SET amount_ucr = amount_ucr + 1 WHERE task = 'task-7'")
        lite.commit()
    for what in ("one task, by pool", "payments joined with their awards"):
        with pytest.raises(AnswersDifferError, match=what):
            compare_answers(what, QUESTIONS[what], asks, 1)
