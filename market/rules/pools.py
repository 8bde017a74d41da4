"""Pools: interchangeable units that one account owns and sells slots of."""

from __future__ import annotations

from contractnet.messages import Code, Event
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.rejection import Rejection, require
from market.rules.context import Context, check_name, check_range
from market.state import Pool


def create(ctx: Context, command: c.CreatePool) -> list[Event]:
    """The bank creates a pool and names its owner."""
    ctx.need_bank()
    check_name("name", command.name)
    require(command.name not in ctx.state.pools, Code.NAME_TAKEN, f"pool {command.name}")
    owner = ctx.account(command.owner)
    check_range(Code.BAD_UNITS, "units", command.units, 1, limits.UNITS_MAX)
    pools = len(ctx.state.pools)
    require(pools < limits.POOLS_MAX, Code.LIMIT_REACHED, f"there are {pools} pools")
    return [e.PoolCreated(pool=command.name, owner=owner.id, units=command.units)]


def resize(ctx: Context, command: c.ResizePool) -> list[Event]:
    """The owner or the bank changes a pool's size; units that leases use cannot go."""
    pool = find(ctx, command.pool)
    own = ctx.sender is not None and ctx.sender.id == pool.owner
    require(own or ctx.is_bank, Code.NOT_OWNER, "the pool belongs to another account")
    check_range(Code.BAD_UNITS, "units", command.units, 1, limits.UNITS_MAX)
    peak = pool.timeline.peak(ctx.at_ms)
    require(peak <= command.units, Code.CAPACITY_RESERVED, f"{peak} units are reserved now or later")
    return [e.PoolResized(pool=pool.name, units=command.units)]


def find(ctx: Context, name: str) -> Pool:
    """The pool of this name; an unknown name, however long, is not repeated in the answer."""
    pool = ctx.state.pools.get(name)
    if pool is None:
        raise Rejection(Code.UNKNOWN_POOL)
    return pool
