"""Demand from a real GPU cluster: the openb trace of alibaba/clusterdata, cluster-trace-gpu-v2023.

One pod is one task: `qos` is its priority, `num_gpu` its GPUs, `gpu_milli` the share of the GPU that it uses, and the
time from its schedule to its deletion is its work.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

from contractnet.errors import SettingsError
from contractnet.messages import Priority
from services.demo.demand import TASKS_PER_S, Demand, Task, names, task

WHERE = (
    "The openb trace is public: repository alibaba/clusterdata on GitHub, folder cluster-trace-gpu-v2023/csv, file "
    "openb_pod_list_default.csv."
)
# LS is latency-sensitive and BE best-effort; Guaranteed pods are few and long.
PRIORITY = {
    "LS": Priority.HIGH,
    "Guaranteed": Priority.HIGH,
    "Burstable": Priority.NORMAL,
    "BE": Priority.LOW,
}
LOAD = 1.2
"""Demand over capacity."""
_COLUMNS = ("num_gpu", "gpu_milli", "qos", "creation_time", "deletion_time", "scheduled_time")


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with GPUs that ran. Times are seconds since the trace's start; `share` is 0 to 1 of each GPU."""

    created_s: float
    lasted_s: float
    gpus: int
    share: float
    priority: Priority


def read(path: Path) -> list[Pod]:
    """The pods that used GPUs, in the order of their creation. Raises SettingsError: where to get the file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            absent = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
            if absent:
                raise SettingsError(f"{path} has no column {', '.join(absent)}, so it is no openb pod list. {WHERE}")
            pods = [_pod(row) for row in rows]
    except OSError as error:
        raise SettingsError(f"The trace {path} can't be read ({error.strerror}). {WHERE}") from error
    except (ValueError, KeyError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no openb pod list: {error}. {WHERE}") from error
    found = sorted((pod for pod in pods if pod is not None), key=lambda pod: pod.created_s)
    if not found:
        raise SettingsError(f"{path} holds no pod that used GPUs. {WHERE}")
    return found


def _pod(row: dict[str, str]) -> Pod | None:
    gpus = int(row["num_gpu"])
    # A pod that was never scheduled has no schedule time, and did no work.
    if gpus == 0 or not row["scheduled_time"]:
        return None
    lasted_s = float(row["deletion_time"]) - float(row["scheduled_time"])
    if lasted_s <= 0:
        return None
    share = min(1000, int(row["gpu_milli"])) / 1000
    return Pod(float(row["creation_time"]), lasted_s, gpus, share, PRIORITY[row["qos"]])


def _work_s(pod: Pod, longest_s: float) -> float:
    return pod.gpus * pod.share * min(pod.lasted_s, longest_s)


def replay(path: Path, agents: int, duration_s: float, seed: int, capacity: float) -> Demand:
    """The trace's busiest part, its end, compressed into `duration_s` seconds; arrivals and work by the same ratio.

    The cluster is scaled to the demand, by counting the work more or less, so that prices matter: `capacity` is what
    the pools do in a second, in seconds of one l4. Agents and values are drawn with the seed: the trace names neither.
    """
    pods = read(path)[-round(TASKS_PER_S * duration_s) :]
    first_s = pods[0].created_s
    span_s = max(pods[-1].created_s - first_s, 1.0)
    ratio = span_s / duration_s
    work_s = sum(_work_s(pod, span_s) for pod in pods) / ratio
    scale = LOAD * capacity * duration_s / work_s
    rng = random.Random(f"trace {seed}")
    who = list(names(agents))
    tasks: dict[str, list[Task]] = {name: [] for name in who}
    for number, pod in enumerate(pods):
        owner = rng.choice(who)
        tasks[owner].append(
            task(
                f"{owner}/pod-{number:05}",
                arrives_s=(pod.created_s - first_s) / ratio,
                gpus=pod.gpus,
                work_gpu_s=scale * _work_s(pod, span_s) / ratio,
                priority=pod.priority,
                rng=rng,
            )
        )
    told = (
        f"trace {path.name}: the last {len(pods)} pods with GPUs, {span_s / 3600:.1f} h in {duration_s:g} s, which is "
        f"{ratio:,.0f} times faster (an hour is {3600 / ratio:.2f} s). {work_s / duration_s:.1f} of its GPUs are busy "
        f"on average; all work counts {scale:.2f} times, to ask for {LOAD:.0%} of the pools' capacity"
    )
    return Demand(tasks, told)
