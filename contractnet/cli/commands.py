"""All commands, registered with the root by importing them."""

from __future__ import annotations

from contractnet.cli import (
    access,
    attribution,
    audit,
    award,
    budget,
    credits,
    dashboard,
    exports,
    keys,
    members,
    policy,
    reserve,
    running,
    screens,
    sql,
    swarm,
    tokens,
    weights,
)
from contractnet.cli.root import app

__all__ = [
    "access",
    "app",
    "attribution",
    "audit",
    "award",
    "budget",
    "credits",
    "dashboard",
    "exports",
    "keys",
    "members",
    "policy",
    "reserve",
    "running",
    "screens",
    "sql",
    "swarm",
    "tokens",
    "weights",
]
