"""The campaign itself, three sections of its short form: `make faults` runs all of them."""

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


SOUND = "duplicate=0 lost=0 torn=0 diverged=0 rows_lost=0 rows_doubled=0 "


MIX = ("deposits", "floors", "hired", "weights")
"""What else came about of the load, as a section tells it."""
RARE = ("optional", "slowed")
"""What comes about a few times: under other faults the one or the other may not."""


def output(section: str, data: Path, **more: str) -> str:
    """What `SECTIONS=... make faults` prints of a section that finds nothing broken, and did not leave itself out."""
    environment = os.environ | {"SECTIONS": section, "FAULTS": "", "FAULTS_DATA": str(data), "RESUME": "", **more}
    done = subprocess.run(
        [sys.executable, "-m", "faults"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    closing = done.stdout.splitlines()[-1]
    assert SOUND in closing
    assert "skipped=" not in closing
    (verified,) = re.findall(r" verified=(\d+) ", done.stdout)
    assert int(verified) > 0
    return done.stdout


def test_workers_killed_at_named_points_leave_a_sound_log(tmp_path: Path) -> None:
    """The closing line has the kills, and says of how many times and rows it speaks; the load has sold work, leases and
    tokens, leases were claimed, and whatever else the mix has came about. At half of the load, as the projector runs
    beside."""
    found = output("kills", tmp_path, RATE="150")
    assert re.match(r"faults: kills=13 .* recovery_n=[1-9]\d* rows=[1-9]\d*$", found.splitlines()[-1])
    names = ("works", "deals", "resold", "claims", "grants", *MIX)
    traded = {name: sum(map(int, re.findall(rf" {name}=(\d+) ", found))) for name in (*names, *RARE)}
    assert min(traded[name] for name in names) > 0, traded
    assert sum(traded[name] for name in RARE) > 0, traded


def test_strangers_hold_nobody_up(tmp_path: Path) -> None:
    """All three ways in which their transactions end, in both rounds; at a third of the load, which judging takes as
    long as everything else."""
    found = output("strangers", tmp_path, RATE="100")
    assert " strangers_abort=2 strangers_commit=2 strangers_hang=2 " in found


def test_adversaries_on_the_wire_get_their_codes_and_nothing_else(tmp_path: Path) -> None:
    """No attempt takes effect, nothing honest is lost, the log is sound."""
    told = output("hostile", tmp_path)
    found = re.search(r"hostile: kinds=(\d+) attempts=\d+ accepted=0 honest_lost=0 least_per_kind=(\d+)", told)
    assert found is not None
    assert (int(found[1]), int(found[2]) >= 25) == (len(NAMES) + len(WIRE_KINDS), True)
    assert "fuzz: inputs=20000" in told
    assert re.search(r" overspend: .* races=[1-9]", told), "exactly as many bids won as credits allow"


def test_an_unknown_section_is_named(tmp_path: Path) -> None:
    """A typing error runs nothing, and says what there is."""
    environment = os.environ | {"SECTIONS": "kils", "FAULTS_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "faults"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no such section: kils; there are kills" in done.stderr
