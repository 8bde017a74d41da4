"""All kinds of adversaries."""

from __future__ import annotations

from collections.abc import Callable

from faults.hostile import absurd, deals, forgeries, grief, keys, poison, pools, rounds
from faults.hostile.ground import Adversary

KINDS: tuple[Callable[[], Adversary], ...] = (
    forgeries.Forged,
    forgeries.Replayed,
    forgeries.CrossMarket,
    forgeries.CrossTopic,
    forgeries.Stripped,
    keys.Revoked,
    forgeries.IdInUse,
    forgeries.Usurped,
    grief.Overspend,
    grief.HoldGriefing,
    grief.Crowding,
    absurd.AbsurdAmounts,
    absurd.AbsurdNames,
    absurd.Bombs,
    poison.Poison,
    absurd.Paths,
    grief.Flood,
    rounds.Budgeteer,
    rounds.Choosers,
    rounds.Refusers,
    rounds.Uninvited,
    deals.Contractors,
    deals.Bargainers,
    pools.Tokens,
)
NAMES = tuple(kind().name for kind in KINDS)
TRADING = frozenset({grief.Flood.name})
"""Kinds whose volleys hold all the honest trade there is, as they say how much of it there is for each attempt."""


def adversary(name: str) -> Adversary:
    """A new adversary of a kind."""
    return next(kind for kind in KINDS if kind().name == name)()
