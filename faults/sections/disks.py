"""The disk of the broker is full, then that of the projector: tmpfs of a limited size, filled and freed."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from faults.arena import Arena
from faults.plan import Plan
from faults.world import World, new_world

BROKER_MB = 1024
PROJECTOR_MB = 512
FULL_S = 6.0
TIMEOUT_S = 120.0
PROJECTOR = "projections.projector"


def obstacle() -> str:
    """What keeps the section from running."""
    with tempfile.TemporaryDirectory() as folder:
        done = _mount(Path(folder), 1)
        if done.returncode:
            return f"mounting a tmpfs is not allowed here ({done.stderr.strip()})"
        subprocess.run(["umount", folder], check=True)
    return ""


def _mount(folder: Path, size_mb: int) -> subprocess.CompletedProcess[str]:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "faults", str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@contextmanager
def build(plan: Plan) -> Iterator[World]:
    """A world with two small disks: one for the broker, one for everything else."""
    with ExitStack() as stack:
        for folder, size_mb in ((plan.data, PROJECTOR_MB), (plan.data / "broker", BROKER_MB)):
            done = _mount(folder, size_mb)
            assert done.returncode == 0, done.stderr
            stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
        yield stack.enter_context(new_world(plan.data))


def run(arena: Arena) -> None:
    """Fill, wait, free, and start again what has ended: as a supervisor would."""
    rounds = arena.plan.pick(1, 5)
    arena.start_service("streams.snapshotter")
    arena.start_projector()
    arena.start_worker(0)
    arena.wait_for_award()
    for n in range(rounds):
        with full(arena.world.data):
            _wait_until_it_ends(arena)
        arena.tally.other["projector_disk_full"] += 1
        arena.restart_ended()
        arena.wait_for_award()
        broker = arena.world.broker
        with full(arena.world.data / "broker"):
            time.sleep(FULL_S)
        # A broker without a disk to write to ends by itself, sooner or later; the answer to both is a restart.
        broker.stop()
        broker.start()
        arena.tally.other["broker_disk_full"] += 1
        arena.world.wait_for("a worker owns partitions", lambda: _owns(arena), TIMEOUT_S)
        arena.wait_for_award(TIMEOUT_S, revive=True)
        arena.plan.progress(n + 1, rounds, "rounds of full disks")


def _owns(arena: Arena) -> bool:
    arena.restart_ended()
    return bool(arena.owned(0))


def _wait_until_it_ends(arena: Arena) -> None:
    """It may also still live, if it had nothing to write."""
    give_up_at = time.monotonic() + FULL_S
    while arena.services[PROJECTOR].poll() is None and time.monotonic() < give_up_at:
        time.sleep(0.05)


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Inside, no byte more fits."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    try:
        yield
    finally:
        ballast.unlink()
