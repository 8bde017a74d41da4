"""The tasks of one agent: what waits, what is worth most, and what it has promised to pay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from contractnet.strategies import amdahl, marginal_gain_ucr, should_stop, urgency, worth_ucr
from services.demo.demand import SPEEDS, Task
from services.demo.plan import Plan
from services.demo.tally import Tally

PARALLEL = 0.9
"""The part of a task's work that runs on all of its GPUs at once."""
SPEED_UP = amdahl(1 / (1 - PARALLEL), PARALLEL)
HALF_LIFE_MS, URGENCY_LEAST = 6_000, 0.35
"""How fast a task gets urgent as its deadline nears, and what it is worth long before, as a share."""


@dataclass(slots=True)
class Job:
    """A task under way. `busy`: some slot is being sought or used for it."""

    task: Task
    left_gpu_s: float
    busy: bool = False

    def fits_gpu_s(self, units: int, seconds: float, pool: str) -> float:
        """How much of its work units of a pool do in a time, in seconds of one l4."""
        return min(self.left_gpu_s, SPEED_UP(min(units, self.task.gpus)) * seconds * SPEEDS[pool])

    def unit_gain_ucr(self, held: int, seconds: float, pool: str) -> int:
        """What one more unit of a pool adds to `held` of them, at full urgency and normal priority."""
        return marginal_gain_ucr(
            lambda units: self.task.value_ucr_per_gpu_s * self.fits_gpu_s(units, seconds, pool) if units else 0.0, held
        )

    def worth_ucr(self, units: int, seconds: float, pool: str, now_s: float) -> int:
        """What so many units are worth so many seconds after the start: what each of them adds, by the task's priority,
        and by how near its deadline is."""
        gain_ucr = sum(self.unit_gain_ucr(held, seconds, pool) for held in range(min(units, self.task.gpus)))
        needed_ms = round(1000 * self.needs_s(units, pool))
        now_ms, deadline_ms = round(1000 * now_s), round(1000 * self.task.deadline_s)
        urgent = urgency(now_ms, deadline_ms, needed_ms=needed_ms, half_life_ms=HALF_LIFE_MS, floor=URGENCY_LEAST)
        return worth_ucr(gain_ucr, self.task.priority, urgent)

    def needs_s(self, units: int, pool: str) -> float:
        """How long the units take for what is left."""
        return self.left_gpu_s / (SPEED_UP(min(units, self.task.gpus)) * SPEEDS[pool])

    def work(self, done_gpu_s: float) -> None:
        """So much was done."""
        left = self.left_gpu_s - done_gpu_s
        self.left_gpu_s = left if left > 1e-6 else 0.0


@dataclass(slots=True)
class Promise:
    """What an agent may have to pay, and what it has paid in the end."""

    most_ucr: int
    paid_ucr: int = 0


class Backlog:
    """Jobs in the order of arrival, and credits that are not promised yet."""

    def __init__(self, plan: Plan, name: str, tally: Tally) -> None:
        self._jobs = [Job(task, task.work_gpu_s) for task in plan.tasks.get(name, [])]
        self._starts_at_s = plan.starts_at_s
        self._budget_ucr = plan.budget_ucr
        self._tally = tally

    def waiting(self) -> list[Job]:
        """What has arrived and is not seen to."""
        now_s = self.now_s()
        arrived: list[Job] = []
        for job in list(self._jobs):
            if job.task.arrives_s > now_s:
                break
            if job.busy or job.left_gpu_s <= 0:
                continue
            if job.task.deadline_s <= now_s:
                self._jobs.remove(job)
                self._tally.tasks_late += 1
            else:
                arrived.append(job)
        return arrived

    def now_s(self) -> float:
        """Seconds since the start of the run."""
        return time.time() - self._starts_at_s

    def worth_ucr(self, job: Job, units: int, seconds: float, pool: str) -> int:
        """What so many units are worth to a job now."""
        return job.worth_ucr(units, seconds, pool, self.now_s())

    def deadline_ms(self, job: Job) -> int:
        """When it is worth nothing any more, milliseconds since the epoch."""
        return round(1000 * (self._starts_at_s + job.task.deadline_s))

    def affords(self, amount_ucr: int) -> bool:
        """Whether there is something to pay, and so much of it that is not promised."""
        return 0 < amount_ucr <= self._budget_ucr

    def age_s(self, job: Job) -> float:
        """How long ago it arrived."""
        return self.now_s() - job.task.arrives_s

    def best(self, worth_ucr: Callable[[Job], int], least_ucr: int) -> tuple[Job, int] | None:
        """The job to which something is worth most, and that worth; None where it is worth less than `least_ucr` to
        each, or more than there is."""
        found = max(((worth_ucr(job), -number, job) for number, job in enumerate(self.waiting())), default=None)
        if found is None or should_stop(least_ucr, found[0]) or not self.affords(found[0]):
            return None
        return found[2], found[0]

    @contextmanager
    def promised(self, job: Job, most_ucr: int) -> Iterator[Promise]:
        """Keep a job and the credits for others' hands off until it is known what was paid."""
        promise = Promise(most_ucr)
        self._budget_ucr -= most_ucr
        job.busy = True
        try:
            yield promise
        finally:
            self._budget_ucr += most_ucr - promise.paid_ucr
            job.busy = False
            if job.left_gpu_s <= 0 and job in self._jobs:
                self._jobs.remove(job)
                self._tally.tasks_done += 1
