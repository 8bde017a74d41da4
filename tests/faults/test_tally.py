"""What a campaign says in the end."""

from __future__ import annotations

import re
from collections import Counter

from faults.tally import Tally

CLOSING = re.compile(
    r"faults: kills=\d+ zombies=\d+ broker=\d+ commands=\d+ duplicate=\d+ lost=\d+ torn=\d+ diverged=\d+ "
    r"rows_lost=\d+ rows_doubled=\d+ recovery_p50_s=[\d.]+ recovery_n=\d+ rows=\d+"
    r"( skipped=[a-z,]+)?( unfinished=[a-z,]+)?"
)


def tally() -> Tally:
    return Tally(kills=3, commands=100, recovery_s=[1.0, 3.0], phases=Counter(random=3), opened=Counter(random=1))


def test_the_closing_line_and_the_bound() -> None:
    """Without a failure: the line, the median, and 3/n over all faults."""
    total = Tally()
    total.add(tally())
    total.add(Tally(zombies=2, other=Counter(links_cut=5), notes=Counter(workers_ended=9)))
    assert CLOSING.fullmatch(total.closing_line())
    assert total.closing_line().endswith("recovery_p50_s=2.00 recovery_n=2 rows=0")
    assert "n = 10)" in total.bound_line()
    assert "1 of 3, 33%" in total.phase_lines()[0]


def test_the_closing_line_names_what_did_not_run() -> None:
    """Zeros of ten sections are not those of eleven."""
    total = Tally()
    for section in (tally(), Tally(skipped=["disks"]), Tally(skipped=["clocks"])):
        total.add(section)
    assert CLOSING.fullmatch(total.closing_line())
    assert total.closing_line().endswith("recovery_p50_s=2.00 recovery_n=2 rows=0 skipped=disks,clocks")
    assert total.failures == 0
    total.add(Tally(problems=["the section did not end"], unfinished=["links"]))
    assert CLOSING.fullmatch(total.closing_line())
    assert total.closing_line().endswith(" skipped=disks,clocks unfinished=links")


def test_a_fault_counts_once_and_an_attempt_is_none() -> None:
    """What came with a kill is told, and is no second trial; adversaries have a line of their own."""
    total = tally()
    total.count("clocks_wrong")
    total.count("clocks_wrong", 2, with_kill=True)
    total.attempts.update(forged=25, rights=125)
    assert (total.trials, (total.other + total.notes)["clocks_wrong"]) == (4, 3)
    assert "(n = 4)" in total.bound_line()
    assert total.hostile_lines() == ["hostile: 150 attempts of 2 kinds, not counted as faults"]
    assert tally().hostile_lines() == []


def test_kills_outside_every_transaction_prove_little() -> None:
    """Three in ten have to fall inside; a campaign without a kill claims nothing of them."""
    enough = Tally(kills=10, phases=Counter(random=10), opened=Counter(random=3))
    enough.demand_open()
    assert enough.failures == 0
    few = Tally(kills=10, phases=Counter(random=6, rebalance=4), opened=Counter(random=2))
    few.demand_open()
    assert few.problems == [
        "the faults did not take effect: 2 of 10 kills fell inside an open transaction, less than 30%"
    ]
    none = Tally(zombies=2)
    none.demand_open()
    assert none.failures == 0


def test_a_failure_bounds_nothing() -> None:
    """Any count of broken records, or a section that did not end, is a failure."""
    assert Tally(kills=1, torn=1).failures == 1
    assert Tally(kills=1, problems=["the section did not end"]).bound_line().startswith("no bound: 1 failures")
