"""The campaign itself, one section of its short form: `make faults` runs all of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from faults.hostile.kinds import NAMES
from faults.sections.hostile import WIRE_KINDS

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_workers_killed_at_named_points_leave_a_sound_log(tmp_path: Path) -> None:
    """`SECTIONS=kills make faults`: the closing line has the kills, and nothing that is broken; the load has sold work,
    leases and tokens."""
    environment = os.environ | {"SECTIONS": "kills", "FAULTS": "", "FAULTS_DATA": str(tmp_path), "RESUME": ""}
    done = subprocess.run(
        [sys.executable, "-m", "faults"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    closing = done.stdout.splitlines()[-1]
    assert re.match(r"faults: kills=13 .* duplicate=0 lost=0 torn=0 diverged=0 rows_lost=0 rows_doubled=0 ", closing)
    traded = re.search(r" works=(\d+) deals=(\d+) grants=(\d+) ", done.stdout)
    assert traded is not None
    assert min(map(int, traded.groups())) > 0, traded[0]


def test_adversaries_on_the_wire_get_their_codes_and_nothing_else(tmp_path: Path) -> None:
    """`SECTIONS=hostile make faults`: no attempt takes effect, nothing honest is lost, the log is sound."""
    environment = os.environ | {"SECTIONS": "hostile", "FAULTS": "", "FAULTS_DATA": str(tmp_path), "RESUME": ""}
    done = subprocess.run(
        [sys.executable, "-m", "faults"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"hostile: kinds=(\d+) attempts=\d+ accepted=0 honest_lost=0 least_per_kind=(\d+)", done.stdout)
    assert found is not None
    assert (int(found[1]), int(found[2]) >= 25) == (len(NAMES) + len(WIRE_KINDS), True)
    assert "duplicate=0 lost=0 torn=0 diverged=0 rows_lost=0 rows_doubled=0" in done.stdout.splitlines()[-1]


def test_an_unknown_section_is_named(tmp_path: Path) -> None:
    """A typing error runs nothing, and says what there is."""
    environment = os.environ | {"SECTIONS": "kils", "FAULTS_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "faults"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no such section: kils; there are kills" in done.stderr
