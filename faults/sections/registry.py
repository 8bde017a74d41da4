"""The sections by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from faults.arena import Arena
from faults.plan import Plan
from faults.sections import kills
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


_ALL = (Section("kills", "kill -9 of the worker at random and at named points", kills.run),)
SECTIONS = {section.name: section for section in _ALL}
