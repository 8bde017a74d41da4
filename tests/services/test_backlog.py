"""What an agent of a run does next, and what it has promised."""

from __future__ import annotations

import time

from contractnet.messages import Priority
from services.demo.backlog import Backlog
from services.demo.demand import Task
from services.demo.plan import Plan
from services.demo.tally import Tally


def backlog(*tasks: Task, budget_ucr: int = 1_000, tally: Tally | None = None) -> Backlog:
    """The backlog of `ann`, ten seconds after the start of her run."""
    plan = Plan(
        bootstrap="", market="", genesis="", seed=1, duration_s=10, starts_at_s=time.time() - 10, eagerness=1,
        patience=1, budget_ucr=budget_ucr, members={}, managers={}, contractors={}, oncall="", gates={},
        tasks={"ann": list(tasks)}, calls={},
    )  # fmt: skip
    return Backlog(plan, "ann", tally or Tally())


def task(name: str, value: int, arrives_s: float = 0.0, gpus: int = 1) -> Task:
    """Two seconds of an l4's work."""
    return Task(name, arrives_s, gpus, 2.0, Priority.NORMAL, value)


def test_a_job_is_worth_what_it_can_use() -> None:
    """Of units, time and speed no more than it has GPUs and work for."""
    (job,) = backlog(task("a", 10, gpus=2)).waiting()
    assert job.fits_gpu_s(4, 0.5, "l4") == 1.0
    assert job.fits_gpu_s(4, 0.5, "h100") == 2.0
    assert job.worth_ucr(1, 0.5, "l4") == 5
    assert job.needs_s(4, "a100") == 2.0 / (2 * 2.5)


def test_the_most_valuable_of_what_has_arrived_is_next() -> None:
    """Among equals the oldest; nothing below the reserve or above the budget."""
    ours = backlog(task("a", 10), task("b", 30), task("c", 30), task("late", 99, arrives_s=60.0))
    found = ours.best(lambda job: job.task.value_ucr_per_gpu_s, 1)
    assert found is not None
    assert (found[0].task.name, found[1]) == ("b", 30)
    assert ours.best(lambda _: 10, 11) is None
    assert ours.best(lambda _: 1_001, 1) is None


def test_a_promise_binds_until_it_is_paid() -> None:
    """The job is busy and the credits are set aside; then only what was paid is gone, and work that is done too."""
    tally = Tally()
    ours = backlog(task("a", 10), tally=tally)
    (job,) = ours.waiting()
    with ours.promised(job, 900) as promise:
        assert ours.waiting() == []
        promise.paid_ucr = 300
    assert ours.waiting() == [job]
    assert ours.best(lambda _: 700, 1) == (job, 700)
    assert ours.best(lambda _: 701, 1) is None
    with ours.promised(job, 700):
        job.work(2.0)
    assert (ours.waiting(), tally.tasks_done) == ([], 1)
