"""The fuzzer as a part of the section `hostile`."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from faults.plan import Plan
from faults.sections import hostile
from faults.tally import Tally


@pytest.mark.parametrize(("module", "problems"), [("tests.hostile.fuzz", 0), ("tests.hostile.nothing", 1)])
def test_the_section_runs_the_fuzzer(
    module: str, problems: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its closing line is told; one that does not end well is a failure of the section."""
    told: list[str] = []
    plan = Plan(full=False, seed=8, data=tmp_path, say=told.append, rate=1.0, rng=random.Random(8))
    arena = SimpleNamespace(plan=plan, tally=Tally())
    monkeypatch.setattr(hostile, "FUZZ", module)
    hostile._fuzz(arena)  # type: ignore[arg-type]  # all of an arena that it asks for
    assert len(arena.tally.problems) == problems
    assert any("fuzz: inputs=20000 seed=8 crashes=0" in line for line in told) == (not problems)
