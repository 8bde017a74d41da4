"""A thousand lives of a market under trouble, each from its seed: safe at every step, and all answered in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.simulation.campaign import campaign, run_chunk
from tests.simulation.run import AWARDS_MIN, COMMANDS_MIN, CRASHES_MIN, simulate

SEEDS = int(os.environ.get("SEEDS", "1000"))


@pytest.mark.slow
def test_no_seed_breaks_a_promise(tell: Callable[[str], None]) -> None:
    """Crashes, zombies, lost and late records, wrong clocks, damaged snapshots: one award a slot, one outcome a
    command, nothing torn, the bytes those of judging again; after the trouble, every command answered and every CFP
    ended. Every kind of event and every code comes up, and every trouble at every step where it can."""
    total = campaign(0, SEEDS, os.cpu_count() or 1)
    tell("\n".join(total.lines()))
    assert not total.failures
    assert total.seeds == SEEDS
    assert total.commands >= SEEDS * COMMANDS_MIN
    assert total.crashes >= SEEDS * CRASHES_MIN
    assert total.awards >= SEEDS * AWARDS_MIN
    assert SEEDS < 1_000 or total.missing == []
    assert SEEDS < 1_000 or total.untroubled == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_seed_replays(seed: int) -> None:
    """The same seed gives the same run: signed, with small limits, and plain."""
    assert simulate(seed) == simulate(seed)


DIGESTS = "from tests.simulation.run import simulate; print([simulate(seed).digest for seed in range(40)])"


def test_a_seed_replays_in_another_process() -> None:
    """What a set or a dictionary of strings and bytes is ordered by differs from process to process. Nothing may follow
    from it: else a seed that fails in a campaign would not fail again, and two workers would judge differently."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", DIGESTS], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_a_failing_seed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in a seed is kept with its number, and the other seeds of the chunk still run."""
    from tests.simulation import books

    check = books.Books.check

    def broken(self: books.Books) -> None:
        check(self)
        assert len(self.awards) < 1, "planted"

    monkeypatch.setattr(books.Books, "check", broken)
    reports, failures = run_chunk([3, 4])
    assert reports == []
    assert set(failures) == {3, 4}
    assert "planted" in failures[3]
