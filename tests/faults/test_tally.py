"""What a campaign says in the end."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from faults.tally import Tally

CLOSING = re.compile(
    r"faults: kills=\d+ zombies=\d+ broker=\d+ commands=\d+ duplicate=\d+ lost=\d+ torn=\d+ diverged=\d+ "
    r"rows_lost=\d+ rows_doubled=\d+ recovery_p50_s=[\d.]+"
)


def tally() -> Tally:
    return Tally(kills=3, commands=100, recovery_s=[1.0, 3.0], phases=Counter(random=3), opened=Counter(random=1))


def test_the_closing_line_and_the_bound() -> None:
    """Without a failure: the line, the median, and 3/n over all faults."""
    total = Tally()
    total.add(tally())
    total.add(Tally(zombies=2, other=Counter(links_cut=5), notes=Counter(workers_ended=9)))
    assert CLOSING.fullmatch(total.closing_line())
    assert total.closing_line().endswith("recovery_p50_s=2.00")
    assert "n = 10)" in total.bound_line()
    assert "1 of 3, 33%" in total.phase_lines()[0]


def test_a_failure_bounds_nothing() -> None:
    """Any count of broken records, or a section that did not end, is a failure."""
    assert Tally(kills=1, torn=1).failures == 1
    assert Tally(kills=1, problems=["the section did not end"]).bound_line().startswith("no bound: 1 failures")


def test_a_result_survives_a_restart_of_the_campaign(tmp_path: Path) -> None:
    """RESUME=1 reads what an earlier run has saved."""
    path = tmp_path / "kills.json"
    tally().save(path)
    assert Tally.load(path) == tally()
