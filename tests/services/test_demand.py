"""The demand of a run: the same seed makes the same tasks, and a trace's pods become tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from contractnet.errors import SettingsError
from contractnet.messages import Priority
from services.demo import trace
from services.demo.demand import PROJECTS, names, synthetic

HEADER = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
)
CAPACITY = 100.0


def pods(path: Path, *rows: str) -> Path:
    """A pod list with these rows."""
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return path


def test_the_same_seed_makes_the_same_demand() -> None:
    """Demand depends on the seed and on nothing else."""
    assert synthetic(48, 30, 7) == synthetic(48, 30, 7)
    assert synthetic(48, 30, 7) != synthetic(48, 30, 8)


def test_demand_covers_projects_and_priorities() -> None:
    """All projects and priorities occur, tasks arrive within the run, in order, and each has its own name."""
    demand = synthetic(48, 30, 1)
    everything = [task for tasks in demand.tasks.values() for task in tasks]
    assert demand.count == len(everything) == len({task.name for task in everything})
    assert {names(48)[agent] for agent, tasks in demand.tasks.items() if tasks} == set(PROJECTS)
    assert {task.priority for task in everything} == {Priority.LOW, Priority.NORMAL, Priority.HIGH}
    assert all(0 <= task.arrives_s <= 30 and task.work_gpu_s > 0 for task in everything)
    for tasks in demand.tasks.values():
        assert tasks == sorted(tasks, key=lambda task: task.arrives_s)


def test_pods_become_tasks(tmp_path: Path) -> None:
    """qos is the priority, GPUs and their share times duration the work; time is compressed by a ratio that is told."""
    path = pods(
        tmp_path / "pods.csv",
        "a,1,1,1,1000,,LS,Running,0,1000,0",
        "b,1,1,2,500,,Burstable,Running,500,1500,500",
        "c,1,1,1,1000,,BE,Running,1000,2000,1000",
    )
    demand = trace.replay(path, agents=3, duration_s=10, seed=1, capacity=CAPACITY)
    tasks = sorted((task for tasks in demand.tasks.values() for task in tasks), key=lambda task: task.arrives_s)
    assert [task.priority for task in tasks] == [Priority.HIGH, Priority.NORMAL, Priority.LOW]
    assert [task.arrives_s for task in tasks] == [0, 5, 10]
    assert [task.gpus for task in tasks] == [1, 2, 1]
    # All three pods kept one GPU busy for 1000 s; together they ask for 1.2 times the capacity.
    assert [task.work_gpu_s for task in tasks] == pytest.approx([1.2 * CAPACITY * 10 / 3] * 3)
    assert "100 times faster" in demand.told
    assert demand == trace.replay(path, agents=3, duration_s=10, seed=1, capacity=CAPACITY)


def test_pods_without_gpus_or_schedule_are_left_out(tmp_path: Path) -> None:
    """A pod that used no GPU, or never ran, is no task."""
    path = pods(
        tmp_path / "pods.csv",
        "a,1,1,0,0,,LS,Running,0,1000,0",
        "b,1,1,1,1000,,LS,Pending,0,1000,",
        "c,1,1,1,1000,,LS,Running,0,1000,0",
    )
    assert len(trace.read(path)) == 1


@pytest.mark.parametrize("rows", [(), ("a,1,1,one,0,,LS,Running,0,1,0",), ("a,1,1,1,1000,,new,Running,0,1,0",)])
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, rows: tuple[str, ...]) -> None:
    """A file without pods, or with values that no pod has, is refused with the trace's public source."""
    with pytest.raises(SettingsError, match="alibaba/clusterdata"):
        trace.read(pods(tmp_path / "pods.csv", *rows))
