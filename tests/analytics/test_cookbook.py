"""docs/attribution.md: every question of its cookbook is answered by the SQL below it, by a query that is locked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analytics.query import run

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "attribution.md").read_text("utf-8")
QUESTIONS: dict[str, str] = dict(
    re.findall(r"^### (\d+\. [^\n]+\?)\n\n```sql\n(.+?)```", PAGE, re.MULTILINE | re.DOTALL)
)
# Of the market of spending.py, which has no project vision and ended in January 2027: rows, and a cell of the first.
ANSWERS: dict[int, tuple[int, object]] = {
    1: (8, "infra"),
    3: (5, 1),
    5: (1, "rack"),
    6: (3, "own"),
    7: (1, "provider/chat"),
    8: (2, "rack"),
    9: (2, "account"),
    13: (1, 10_000),
    15: (1, "bob"),
    16: (2, "DEPOSIT"),
    17: (8, "manager"),
    18: (1, "default"),
    19: (7, "infra"),
}


def test_there_are_enough() -> None:
    """Each heading of the cookbook has its SQL, in order."""
    headings = re.findall(r"^### (\d+)\. ", PAGE, re.MULTILINE)
    assert [int(title.partition(".")[0]) for title in QUESTIONS] == [int(n) for n in headings] == list(range(1, 20))


@pytest.mark.parametrize("title", QUESTIONS)
def test_every_question_is_answered(spent: Path, title: str) -> None:
    """In a query that reads the ledger and nothing else."""
    answer = run(QUESTIONS[title], spent)
    assert answer.columns
    number = int(title.partition(".")[0])
    if number in ANSWERS:
        assert (len(answer.rows), answer.rows[0][0]) == ANSWERS[number]


def test_answers_that_name_a_time_or_a_project(spent: Path) -> None:
    """With names and times of this market in the place of the page's."""

    def rows(number: int) -> list[tuple[object, ...]]:
        (sql,) = [text for title, text in QUESTIONS.items() if title.startswith(f"{number}. ")]
        for old, new in (
            ("2026-11-29", "2027-01-15"),
            ("2026-11-30 10:00", "2027-01-15 08:59:59"),
            ("vision", "alpha"),
        ):
            sql = sql.replace(old, new)
        return run(sql.replace("2026-11-30", "2027-01-16"), spent).rows

    assert [row[1:] for row in rows(4)] == [("AWARD", 919), ("FEE", 2), ("TOKENS", 250)]
    assert [row[1:] for row in rows(10)] == [(919, 919, 4081), (250, 1169, 3831)]
    assert rows(11)[0] == ("manager", 10_000 + 860)
    assert ("dan", -50) in rows(12)
    assert len(rows(14)) == 4
