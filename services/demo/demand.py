"""What the agents want: tasks with GPUs, work, a priority and a value. The same seed makes the same demand."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from contractnet.messages import Priority
from services.demo.calls import Call

PROJECTS = ("demo-vision", "demo-language", "demo-robotics")
"""Names of their own: in a market that others use, a run spends nobody else's budget."""
TASKS_PER_S = 26
"""Arrivals per second of the run at 48 slots: about a third more than the slots can serve, so that prices matter."""

VALUE_UCR = (500_000, 2_500_000)
"""Value of a GPU-second of an l4, in micro-credits, at normal priority: the range that a task's value is drawn from."""
DEADLINE_S = {Priority.LOW: (15.0, 45.0), Priority.NORMAL: (8.0, 25.0), Priority.HIGH: (4.0, 12.0)}
"""How long after its arrival a task is worth nothing any more: the range that is drawn from."""
BUDGETED = PROJECTS[-1]
"""The project whose spending the bank bounds, and that of each of its agents."""
BUDGET_UCR_PER_S, WARN_PERMILLE = 12_000_000, 800
"""Its limit for a run, by the run's length: less than it would spend. At this part of it the market warns."""
AGENT_SHARES = 1.5
"""What each of its agents may spend, in equal shares of that."""


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A pool of the demo. A unit does `speed` times the work of an l4; `lanes` are the sizes of the slots it sells, and
    `slot_s` how long a slot may be: managers draw one of these. The rest of a long slot is `resold` by its holder."""

    name: str
    speed: float
    lanes: tuple[int, ...]
    slot_s: tuple[float, ...] = (0.6, 1.0, 1.6)
    resold: bool = False

    @property
    def units(self) -> int:
        """The units of the pool: every lane may be in use at once."""
        return sum(self.lanes)


POOLS = (
    PoolSpec("h200", 8.0, (1, 1, 1, 1), slot_s=(8.0,), resold=True),
    PoolSpec("h100", 5.0, (4, 2, 1, 1)),
    PoolSpec("a100", 2.5, (2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1)),
    PoolSpec("l4", 1.0, (1,) * 24),
)
CLOUDS = ("cloud-1", "cloud-2", "cloud-3")
"""Contractors, each with a pool of its name, who do work that is bought."""
CLOUD_UNITS, CLOUD_SPEED = 4, 2.0
SPEEDS = {pool.name: pool.speed for pool in POOLS} | dict.fromkeys(CLOUDS, CLOUD_SPEED)
"""How much of an l4's work a unit of each pool does."""

CHAT = "provider/chat"
"""The token pool: what a provider of a language model lets all agents use together."""
CALLERS = 16
"""How many of the agents call that model."""
CHAT_SHARE = 0.8
"""Its rate, as a share of the mean demand: what is scarce has a price."""
CHAT_BURST_S = 4.0
ONCALL = "oncall"
"""A System agent: it draws tokens for incidents, whatever the others buy."""


@dataclass(frozen=True, slots=True)
class Task:
    """`work_gpu_s` seconds of one l4, on at most `gpus` GPUs at once, wanted from `arrives_s` after the start on, and
    worth nothing from `deadline_s` on."""

    name: str
    arrives_s: float
    gpus: int
    work_gpu_s: float
    priority: Priority
    value_ucr_per_gpu_s: int
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Demand:
    """All tasks and calls by agent, in the order of arrival, and one sentence on where they come from."""

    tasks: dict[str, list[Task]]
    told: str
    calls: dict[str, list[Call]] = field(default_factory=dict)
    """Calls of a language model, by agent."""

    @property
    def tokens_per_minute(self) -> int:
        """The mean rate that the calls ask for; 0 where there are none."""
        calls = [call for ours in self.calls.values() for call in ours]
        spread_s = max((call.at_s for call in calls), default=0.0)
        return round(60 * sum(call.tokens for call in calls) / max(1.0, spread_s))

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
    """A task whose value is drawn, and its deadline from the range of its priority."""
    value_ucr, deadline_s = rng.randint(*VALUE_UCR), arrives_s + rng.uniform(*DEADLINE_S[priority])
    return Task(name, round(arrives_s, 4), gpus, round(work_gpu_s, 4), priority, value_ucr, round(deadline_s, 4))


def budgets(agents: int, duration_s: float) -> tuple[int, dict[str, int]]:
    """The limit of the project that has a budget, and those of its agents, micro-credits for a run."""
    limit_ucr = round(BUDGET_UCR_PER_S * duration_s)
    members = [name for name, project in names(agents).items() if project == BUDGETED]
    return limit_ucr, {name: round(AGENT_SHARES * limit_ucr / len(members)) for name in members}
