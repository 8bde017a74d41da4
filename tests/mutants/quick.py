"""The fast tests in one process, until one fails: `python -m tests.mutants.quick golden directed seeds:200`.

golden: tests/market/test_golden.py. directed: the scenarios of tests/market/test_model.py against the model. seeds: the
simulation. Exit code 1 with the name of what failed.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import market
import streams.writer
from tests.market.directed import SCENARIOS
from tests.market.play import Play, Reached, with_small_limits
from tests.market.test_golden import VERSIONS, test_every_byte_is_reproduced
from tests.simulation.run import simulate


def golden() -> None:
    """The golden sessions, byte for byte; the newest first, which has the most of the rules."""
    for version in reversed(VERSIONS):
        test_every_byte_is_reproduced(version)


def directed() -> None:
    """The directed scenarios against the model."""
    for scenario in SCENARIOS:
        patch = with_small_limits()
        try:
            scenario(Play(Reached()))
        finally:
            patch.undo()


def seeds(count: int) -> None:
    """Seeds of the simulation."""
    for seed in range(count):
        simulate(seed)
        if seed % 10 == 9:
            gc.collect()


def checks(names: list[str]) -> list[tuple[str, Callable[[], None]]]:
    """The named checks."""
    known: dict[str, Callable[[], None]] = {"golden": golden, "directed": directed}
    return [(n, partial(seeds, int(n[6:])) if n.startswith("seeds:") else known[n]) for n in names]


def main() -> int:
    """Run what the command line names."""
    here = Path.cwd().resolve()
    for module in (market, streams.writer):
        assert here in Path(str(module.__file__)).resolve().parents, f"{module.__file__} is not the tree under test"
    gc.disable()
    for name, check in checks(sys.argv[1:]):
        try:
            check()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a planted bug raises, pytest's own outcomes included: it was noticed
            print(f"{name}: {type(error).__name__}: {str(error)[:120]}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
