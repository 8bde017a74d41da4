"""What an agent of a run does next, and what it has promised."""

from __future__ import annotations

import time

import pytest

from contractnet.messages import Priority
from services.demo.backlog import HALF_LIFE_MS, SPEED_UP, URGENCY_LEAST, Backlog, Job
from services.demo.demand import Task
from services.demo.plan import Plan
from services.demo.tally import Tally


def backlog(*tasks: Task, budget_ucr: int = 1_000, tally: Tally | None = None) -> Backlog:
    """The backlog of `ann`, ten seconds after the start of her run."""
    plan = Plan(
        bootstrap="", market="", genesis="", seed=1, duration_s=10, starts_at_s=time.time() - 10, eagerness=1,
        patience=1, budget_ucr=budget_ucr, budgets={}, members={}, managers={}, contractors={}, oncall="", gates={},
        tasks={"ann": list(tasks)}, calls={},
    )  # fmt: skip
    return Backlog(plan, "ann", tally or Tally())


def task(
    name: str,
    value: int,
    arrives_s: float = 0.0,
    gpus: int = 1,
    priority: Priority = Priority.NORMAL,
    deadline_s: float = 1e6,
) -> Task:
    """Two seconds of an l4's work."""
    return Task(name, arrives_s, gpus, 2.0, priority, value, deadline_s)


def test_a_job_is_worth_what_it_can_use() -> None:
    """Of units, time and speed no more than it has GPUs and work for; a second GPU adds less than the first."""
    (job,) = backlog(task("a", 1_000, gpus=2)).waiting()
    both = SPEED_UP(2)
    assert 1 < both < 2
    assert job.fits_gpu_s(4, 0.5, "l4") == pytest.approx(both * 0.5)
    assert job.fits_gpu_s(4, 0.5, "h200") == 2.0
    assert job.needs_s(4, "a100") == pytest.approx(2.0 / (both * 2.5))
    assert [job.unit_gain_ucr(held, 0.5, "l4") for held in (0, 1, 2)] == [500, int(500 * (both - 1)), 0]


def test_a_job_is_worth_more_as_its_deadline_nears() -> None:
    """By its priority, and by the time left beyond its work: all of it without slack, nothing from the deadline on."""
    high = Job(task("a", 1_000, priority=Priority.HIGH, deadline_s=60.0), 2.0)
    low = Job(task("b", 1_000, priority=Priority.LOW, deadline_s=60.0), 2.0)
    assert high.worth_ucr(1, 1.0, "l4", 58.0) == 2_000
    assert low.worth_ucr(1, 1.0, "l4", 58.0) == 500
    slack_s = HALF_LIFE_MS / 1000
    half = URGENCY_LEAST + (1 - URGENCY_LEAST) / 2
    assert high.worth_ucr(1, 1.0, "l4", 58.0 - slack_s) == pytest.approx(2_000 * half, abs=1)
    assert high.worth_ucr(1, 1.0, "l4", 60.0) == 0


def test_a_job_that_is_late_waits_no_more() -> None:
    """From its deadline on it is gone, and counted; not while a slot is sought for it."""
    tally = Tally()
    ours = backlog(task("late", 10, deadline_s=9.0), task("soon", 10, deadline_s=60.0), tally=tally)
    assert [job.task.name for job in ours.waiting()] == ["soon"]
    assert tally.tasks_late == 1


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
