"""The planted bugs can still be planted; `make check-slow` plants them."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.equivalent import EQUIVALENT
from tests.mutants.generate import mutants_of, sample
from tests.mutants.mutant import Mutant
from tests.mutants.planted import PLANTED

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", PLANTED, ids=[m.name for m in PLANTED])
def test_a_planted_bug_fits_the_code(mutant: Mutant) -> None:
    """The text to change is there once, what it becomes is Python where it was, and the tests that must notice are
    there."""
    source = (ROOT / mutant.file).read_text("utf-8")
    assert source.count(mutant.old) == 1
    if mutant.file.endswith(".py"):
        ast.parse(source.replace(mutant.old, mutant.new))
    for killer in mutant.killers:
        assert killer in {"golden", "directed", "seeds"} or (ROOT / killer.partition("::")[0]).exists()


def test_mutants_are_made_by_rule() -> None:
    """A sample is the same every time, spreads over the files, and each mutant differs from the code."""
    first, second = sample(ROOT, 150), sample(ROOT, 150)
    assert first == second
    assert len({m.name + m.text for m in first}) == 150
    assert len({m.file for m in first}) >= 10
    assert all(m.text != ast.unparse(ast.parse((ROOT / m.file).read_text("utf-8"))) + "\n" for m in first)


def test_an_excuse_is_of_one_mutant() -> None:
    """Each key of a mutant that may live is that of one mutant of the code as it is, neither of none nor of two."""
    files = sorted({key.partition(" ")[0] for key in EQUIVALENT})
    keys = Counter(mutant.key for file in files for mutant in mutants_of(ROOT, file))
    assert {key: keys[key] for key in EQUIVALENT} == dict.fromkeys(EQUIVALENT, 1)
