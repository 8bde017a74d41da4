"""All commands, registered with the root by importing them."""

from __future__ import annotations

from contractnet.cli import (
    access,
    audit,
    budget,
    credits,
    keys,
    members,
    policy,
    running,
    screens,
    sql,
    swarm,
    tokens,
)
from contractnet.cli.root import app

__all__ = [
    "access",
    "app",
    "audit",
    "budget",
    "credits",
    "keys",
    "members",
    "policy",
    "running",
    "screens",
    "sql",
    "swarm",
    "tokens",
]
