"""The sections by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from faults.arena import Arena
from faults.plan import Plan
from faults.sections import (
    brokers,
    clocks,
    clusters,
    disks,
    hostile,
    kills,
    links,
    projection,
    rebalances,
    strangers,
    zombies,
)
from faults.world import World, new_world


def _plain(plan: Plan) -> AbstractContextManager[World]:
    return new_world(plan.data)


def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Section:
    """One kind of fault. `build` makes its world; `obstacle` says why it can't run on this machine, else nothing."""

    name: str
    purpose: str
    run: Callable[[Arena], None]
    build: Callable[[Plan], AbstractContextManager[World]] = _plain
    obstacle: Callable[[], str] = _nothing


_ALL = (
    Section("kills", "kill -9 of the worker at random and at named points", kills.run),
    Section("zombies", "SIGSTOP of a worker beyond its session, and SIGCONT", zombies.run),
    Section("rebalances", "1 -> 3 -> 1 workers, leaving in good order and by kill -9", rebalances.run),
    Section("brokers", "kill -9 and clean restart of the broker, up to 3 s away", brokers.run),
    Section("projection", "kill -9 of projector, snapshotter, and while publishing", projection.run),
    Section("strangers", "a transactional stranger on `commands`; the group's offsets reset or gone", strangers.run),
    Section("cluster", "three brokers lose a leader and the controller", clusters.run, clusters.build),
    Section("links", "the link between broker and services cut and slow", links.run, links.build),
    Section("clocks", "clocks of broker and worker off by 5 minutes", clocks.run, clocks.build, clocks.obstacle),
    Section("hostile", "every kind of adversary on the wire, while honest members trade", hostile.run, hostile.build),
    Section("disks", "no space left for broker and projector", disks.run, disks.build, disks.obstacle),
)
SECTIONS = {section.name: section for section in _ALL}
