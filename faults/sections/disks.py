"""The disk of the broker is full, then that of the projector: tmpfs of a limited size, filled and freed."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from broker.jvm import JvmBroker
from faults.arena import Arena
from faults.plan import Plan
from faults.world import World, new_world

BROKER_MB = 1024
PROJECTOR_MB = 512
FULL_S = 6.0
TIMEOUT_S = 120.0
PROJECTOR = "projections.projector"
SIGN = b"No space left"
"""What ENOSPC is called, by Java as by Python. A log on the full disk itself tells of it once there is room again."""


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
            stack.enter_context(small_disk(folder, size_mb))
        yield stack.enter_context(new_world(plan.data))


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[None]:
    """Inside, the folder is a disk of its own of so many MiB."""
    done = _mount(folder, size_mb)
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def run(arena: Arena) -> None:
    """Fill, wait, free, and start again what has ended: as a supervisor would."""
    rounds = arena.plan.pick(1, 5)
    arena.start_service("streams.snapshotter")
    arena.start_projector()
    arena.start_worker(0)
    arena.wait_for_award()
    for n in range(rounds):
        _fill_projector(arena)
        _fill_broker(arena)
        arena.plan.progress(n + 1, rounds, "rounds of full disks")


def _fill_projector(arena: Arena) -> None:
    log = arena.world.data / "processes.log"
    told = log.stat().st_size
    with full(arena.world.data):
        ended = _ends(lambda: arena.services[PROJECTOR].poll() is not None)
    _count(arena, "projector_disk_full", seen=ended or SIGN in log.read_bytes()[told:])
    arena.restart_ended()
    arena.wait_for_award()


def _fill_broker(arena: Arena) -> None:
    """A broker without a disk to write to ends by itself, sooner or later; the answer to both is a restart."""
    broker = arena.world.broker
    assert isinstance(broker, JvmBroker)
    told = broker.log_path.stat().st_size
    with full(arena.world.data / "broker"):
        time.sleep(FULL_S)
        ended = broker.pid is None
    broker.stop()
    _count(arena, "broker_disk_full", seen=ended or SIGN in broker.log_path.read_bytes()[told:])
    broker.start()
    arena.world.wait_for("a worker owns partitions", lambda: _owns(arena), TIMEOUT_S)
    arena.wait_for_award(TIMEOUT_S, revive=True)


def _count(arena: Arena, fault: str, *, seen: bool) -> None:
    if seen:
        arena.tally.count(fault)
    else:
        arena.tally.problems.append(f"the fault did not take effect: {fault}, but nobody met ENOSPC or ended")


def _owns(arena: Arena) -> bool:
    arena.restart_ended()
    return bool(arena.owned(0))


def _ends(ended: Callable[[], bool]) -> bool:
    """Whether it ends within FULL_S. It may also still live, if it had nothing to write."""
    give_up_at = time.monotonic() + FULL_S
    while not ended() and time.monotonic() < give_up_at:
        time.sleep(0.05)
    return ended()


@contextmanager
def full(folder: Path, spare_bytes: int = 0) -> Iterator[None]:
    """Inside, no byte more fits, or so many, in whole pages of 4 KiB."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
        file.truncate(file.tell() - spare_bytes)
    try:
        yield
    finally:
        ballast.unlink()
