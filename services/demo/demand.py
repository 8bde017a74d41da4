"""What the agents want: tasks with GPUs, work, a priority and a value. The same seed makes the same demand."""

from __future__ import annotations

import random
from dataclasses import dataclass

from contractnet.messages import Priority

PROJECTS = ("vision", "language", "robotics")
TASKS_PER_S = 26
"""Arrivals per second of the run at 48 slots: about a third more than the slots can serve, so that prices matter."""

# Value of a GPU-second of an l4, in micro-credits: the range that a task's value is drawn from.
VALUE_UCR = {
    Priority.LOW: (200_000, 900_000),
    Priority.NORMAL: (500_000, 2_000_000),
    Priority.HIGH: (1_500_000, 5_000_000),
}


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A pool of the demo. A unit does `speed` times the work of an l4; `lanes` are the sizes of the slots it sells."""

    name: str
    speed: float
    lanes: tuple[int, ...]

    @property
    def units(self) -> int:
        """The units of the pool: every lane may be in use at once."""
        return sum(self.lanes)


POOLS = (
    PoolSpec("h100", 5.0, (4, 2, 1, 1)),
    PoolSpec("a100", 2.5, (2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1)),
    PoolSpec("l4", 1.0, (1,) * 24),
)
SPEEDS = {pool.name: pool.speed for pool in POOLS}
SLOT_S = (0.6, 1.0, 1.6)
"""How long a slot may be: managers draw one of these."""


@dataclass(frozen=True, slots=True)
class Task:
    """`work_gpu_s` seconds of one l4, on at most `gpus` GPUs at once, wanted from `arrives_s` after the start on."""

    name: str
    arrives_s: float
    gpus: int
    work_gpu_s: float
    priority: Priority
    value_ucr_per_gpu_s: int


@dataclass(frozen=True, slots=True)
class Demand:
    """All tasks by agent, in the order of arrival, and one sentence on where they come from."""

    tasks: dict[str, list[Task]]
    told: str

    @property
    def count(self) -> int:
        """How many tasks there are."""
        return sum(len(tasks) for tasks in self.tasks.values())


def names(agents: int) -> dict[str, str]:
    """Names of the agents, and each one's project."""
    return {
        f"{PROJECTS[i % len(PROJECTS)]}-{i // len(PROJECTS) + 1:02}": PROJECTS[i % len(PROJECTS)] for i in range(agents)
    }


def synthetic(agents: int, duration_s: float, seed: int) -> Demand:
    """Made-up demand: bursts of arrivals, log-normal work, mostly one GPU, three priorities."""
    rng = random.Random(f"demand {seed}")
    who = list(names(agents))
    wanted = round(TASKS_PER_S * duration_s)
    tasks: dict[str, list[Task]] = {name: [] for name in who}
    clock_s, number = 0.0, 0
    while number < wanted:
        # A burst: one agent submits several tasks at once, as experiments do.
        owner = rng.choice(who)
        for _ in range(min(wanted - number, rng.choice((1, 1, 2, 3, 6)))):
            priority = rng.choices((Priority.HIGH, Priority.NORMAL, Priority.LOW), (2, 4, 4))[0]
            tasks[owner].append(
                task(
                    f"{owner}/{number:05}",
                    arrives_s=clock_s,
                    gpus=rng.choices((1, 2, 4), (80, 14, 6))[0],
                    work_gpu_s=min(30.0, rng.lognormvariate(1.2, 0.9)),
                    priority=priority,
                    rng=rng,
                )
            )
            number += 1
        clock_s = min(duration_s, clock_s + rng.expovariate(TASKS_PER_S / 2.6))
    told = f"synthetic demand, seed {seed}: {wanted} tasks of {agents} agents in {len(PROJECTS)} projects"
    return Demand(tasks, told)


def task(name: str, *, arrives_s: float, gpus: int, work_gpu_s: float, priority: Priority, rng: random.Random) -> Task:
    """A task whose value is drawn from the range of its priority."""
    low, high = VALUE_UCR[priority]
    return Task(name, round(arrives_s, 4), gpus, round(work_gpu_s, 4), priority, rng.randint(low, high))
