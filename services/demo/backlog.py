"""The tasks of one agent: what waits, what is worth most, and what it has promised to pay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.demo.demand import SPEEDS, Task
from services.demo.plan import Plan
from services.demo.tally import Tally


@dataclass(slots=True)
class Job:
    """A task under way. `busy`: some slot is being sought or used for it."""

    task: Task
    left_gpu_s: float
    busy: bool = False

    def fits_gpu_s(self, units: int, seconds: float, pool: str) -> float:
        """How much of its work units of a pool do in a time, in seconds of one l4."""
        return min(self.left_gpu_s, min(units, self.task.gpus) * seconds * SPEEDS[pool])

    def worth_ucr(self, units: int, seconds: float, pool: str) -> int:
        """What that is worth."""
        return round(self.task.value_ucr_per_gpu_s * self.fits_gpu_s(units, seconds, pool))

    def needs_s(self, units: int, pool: str) -> float:
        """How long the units take for what is left."""
        return self.left_gpu_s / (min(units, self.task.gpus) * SPEEDS[pool])

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
        now_s = time.time() - self._starts_at_s
        arrived: list[Job] = []
        for job in self._jobs:
            if job.task.arrives_s > now_s:
                break
            if not job.busy and job.left_gpu_s > 0:
                arrived.append(job)
        return arrived

    def age_s(self, job: Job) -> float:
        """How long ago it arrived."""
        return time.time() - self._starts_at_s - job.task.arrives_s

    def best(self, worth_ucr: Callable[[Job], int], least_ucr: int) -> tuple[Job, int] | None:
        """The job to which something is worth most, and that worth; None where it is worth less than `least_ucr` to
        each, or more than there is."""
        found = max(((worth_ucr(job), -number, job) for number, job in enumerate(self.waiting())), default=None)
        if found is None or found[0] < least_ucr or found[0] > self._budget_ucr:
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
