"""The points at which a worker kills itself."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from faults.points import POINTS, FaultPoint

PASS = """
from faults.points import FaultPoint, POINTS
import time
point = FaultPoint("{point}:1:7:1")
for name in POINTS:
    print(name, flush=True)
    point.passed(name)
    time.sleep(0.2 if name == "committing" else 0)
"""


@pytest.mark.parametrize("point", POINTS)
def test_a_process_dies_at_its_point_and_at_no_other(point: str) -> None:
    """The points before it are passed; at it the process gets SIGKILL."""
    done = subprocess.run([sys.executable, "-c", PASS.format(point=point)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout.split() == list(POINTS[: POINTS.index(point) + 1])


def test_an_unknown_point_is_refused() -> None:
    """A typing error in the variable must not give a campaign without kills."""
    with pytest.raises(ValueError, match="the points are"):
        FaultPoint("after_pol:1:7:0")


def test_without_probability_nothing_happens() -> None:
    """A worker without the variable passes every point."""
    point = FaultPoint("after_poll:0:0:0")
    for name in POINTS:
        point.passed(name)
