"""Which results a campaign that goes on takes from an earlier one."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from faults import run
from faults.__main__ import _run_all
from faults.results import Results, Run, commit, newest_seed
from faults.sections.registry import SECTIONS, Section
from faults.tally import Tally

RUN = Run("short", 7, 300.0, 11, "c0ffee")
OTHERS: list[dict[str, object]] = [{"form": "full"}, {"seed": 8}, {"rate": 60.0}, {"rules": 10}, {"commit": "c0ffee+1"}]


def tally() -> Tally:
    return Tally(kills=3, commands=100, recovery_s=[1.0, 3.0], phases=Counter(random=3), opened=Counter(random=1))


def test_a_result_is_taken_by_a_campaign_of_the_same_run(tmp_path: Path) -> None:
    """All of it; and its seed need not be repeated."""
    assert newest_seed(tmp_path) is None
    Results(tmp_path, RUN).keep("kills", tally())
    assert Results(tmp_path, dataclasses.replace(RUN)).taken("kills") == tally()
    assert Results(tmp_path, RUN).taken("zombies") == []
    assert newest_seed(tmp_path) == 7


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: next(iter(other)))
def test_a_result_of_another_run_is_not_taken(tmp_path: Path, other: dict[str, object]) -> None:
    """Whatever it is that differs, it is named."""
    now = Results(tmp_path, dataclasses.replace(RUN, **other))  # type: ignore[arg-type]
    Results(tmp_path, RUN).keep("kills", tally())
    ((name, value),) = other.items()
    assert now.taken("kills") == [f"{name} {getattr(RUN, name)}, now {value}"]


def test_a_result_that_does_not_say_what_it_is_of_is_not_taken(tmp_path: Path) -> None:
    """Earlier versions wrote such files."""
    (tmp_path / "kills.json").write_text(json.dumps({"kills": 300}))
    assert len(Results(tmp_path, RUN).taken("kills")) == 5  # type: ignore[arg-type]
    assert newest_seed(tmp_path) is None


def test_a_section_that_does_not_end_leaves_no_older_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next RESUME=1 would turn a failure into an old success."""

    def fail(*_: object) -> Tally:
        raise AssertionError("planted")

    results = Results(tmp_path, RUN)
    results.keep("kills", tally())
    monkeypatch.setattr(run, "_run", fail)
    assert run.run_section("kills", results).unfinished == ["kills"]
    assert results.taken("kills") == []


def test_a_section_that_is_skipped_leaves_no_older_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't run here any more has not run."""
    results = Results(tmp_path, RUN)
    results.keep("kills", tally())
    absent = Section("kills", "", SECTIONS["kills"].run, obstacle=lambda: "planted")
    monkeypatch.setitem(SECTIONS, "kills", absent)
    assert run.run_section("kills", results).skipped == ["kills"]
    assert results.taken("kills") == []


def test_a_campaign_adds_what_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is left to run, and each result is named."""
    results = Results(tmp_path, RUN)
    for name in ("kills", "links"):
        results.keep(name, tally())
    assert _run_all(["kills", "links"], results, 1).kills == 6
    assert capsys.readouterr().out.count("result of an earlier run") == 2
    results.clear()
    assert list(tmp_path.iterdir()) == []


def test_the_commit_is_that_of_the_checkout() -> None:
    """With changes, a digest of them follows."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    assert commit().partition("+")[0] == (done.stdout[:12] or "unknown")
