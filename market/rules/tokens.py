"""Token pools: their terms, standing orders, draws of System agents, and reports of what was used (docs/tokens.md)."""

from __future__ import annotations

from contractnet.messages import Code, Event, OrderEnd
from contractnet.messages import commands as c
from contractnet.messages import events as e
from contractnet.messages.names import NAME_BYTES_MAX
from market import limits
from market.account import Account
from market.clearing import worth_ucr
from market.rejection import Rejection, require
from market.rules.context import Context, check_name, check_range
from market.tokens import Grant, Order, TokenPool

TERMS = ("tokens_per_minute", "burst_tokens", "reserve_permille", "interval_ms", "reserve_per_1000_ucr", "grant_ms")


def create(ctx: Context, command: c.CreateTokenPool) -> list[Event]:
    """The bank creates a token pool and names its owner: nobody sells a provider's tokens that it has not got."""
    ctx.need_bank()
    check_name("name", command.name)
    require(command.name not in ctx.state.token_pools, Code.NAME_TAKEN, f"token pool {command.name}")
    owner = ctx.account(command.owner)
    require(owner.id != ctx.state.bank, Code.NOT_PERMITTED, "the bank sells nothing")
    pools = len(ctx.state.token_pools)
    require(pools < limits.TOKEN_POOLS_MAX, Code.LIMIT_REACHED, f"there are {pools} token pools")
    terms = _terms(command)
    return [e.TokenPoolCreated(token_pool=ctx.command_id, pool=command.name, owner=owner.id, **terms)]


def resize(ctx: Context, command: c.ResizeTokenPool) -> list[Event]:
    """The owner or the bank gives a pool other terms. Its rate is what they say, whatever was reported before."""
    pool = _found(ctx, command.pool)
    own = ctx.sender is not None and ctx.sender.id == pool.owner
    require(own or ctx.is_bank, Code.NOT_OWNER, "the pool belongs to another account")
    return [e.TokenPoolResized(pool=pool.name, **_terms(command))]


def set_priority(ctx: Context, command: c.SetPriority) -> list[Event]:
    """The operator says who is a System agent."""
    require(ctx.sender is None, Code.NOT_PERMITTED, "only the operator may do this")
    account = ctx.account(command.account)
    require(account.id != ctx.state.bank, Code.NOT_PERMITTED, "the bank draws nothing")
    return [e.PriorityChanged(account=account.id, system=command.system)]


def place_order(ctx: Context, command: c.PlaceStandingOrder) -> list[Event]:
    """An account asks for tokens at each clearing. Nothing is held: each clearing sees what can be paid."""
    account = ctx.need_sender()
    pool = _found(ctx, command.pool)
    require(account.id not in (pool.owner, ctx.state.bank), Code.NOT_PERMITTED, "neither owner nor bank orders")
    check_range(Code.BAD_TOKENS, "tokens", command.tokens, 1, limits.TOKENS_MAX)
    limit = command.limit_per_1000_ucr
    check_range(Code.BAD_AMOUNT, "limit", limit, 1, limits.AMOUNT_UCR_MAX)
    worth = worth_ucr(command.tokens, limit)
    check_range(Code.BAD_AMOUNT, "all tokens at the limit", worth, 0, limits.AMOUNT_UCR_MAX)
    least = pool.terms.reserve_per_1000_ucr
    require(limit >= least, Code.BELOW_RESERVE, f"{limit}, {least}")
    check_name("task", command.task, NAME_BYTES_MAX, empty=True)
    check_range(Code.BAD_DURATION, "open", command.open_ms, pool.terms.interval_ms, limits.ORDER_OPEN_MS_MAX)
    old = pool.orders.get(account.id)
    room = old is not None or len(pool.orders) < limits.ORDERS_PER_POOL_MAX
    require(room, Code.LIMIT_REACHED, f"the pool has {len(pool.orders)} standing orders")
    placed = e.StandingOrderPlaced(
        order=ctx.command_id,
        pool=pool.name,
        account=account.id,
        tokens=command.tokens,
        limit_per_1000_ucr=limit,
        task=command.task,
        expires_at_ms=ctx.at_ms + command.open_ms,
    )
    return [placed] if old is None else [ended(pool, old, OrderEnd.REPLACED), placed]


def cancel_order(ctx: Context, command: c.CancelStandingOrder) -> list[Event]:
    """An account takes its order back, also one whose time is over and that no clearing has ended yet."""
    name = ctx.state.token_orders.get(command.order)
    if name is None:
        raise Rejection(Code.UNKNOWN_ORDER)
    pool = ctx.state.token_pools[name]
    order = next(order for order in pool.orders.values() if order.id == command.order)
    require(ctx.need_sender().id == order.account, Code.NOT_OWNER, "the order belongs to another account")
    return [ended(pool, order, OrderEnd.CANCELLED)]


def draw(ctx: Context, command: c.DrawTokens) -> list[Event]:
    """A System agent takes what is there, the reserve included, for a task."""
    account = ctx.need_sender()
    require(account.system, Code.NOT_SYSTEM)
    pool = _found(ctx, command.pool)
    check_range(Code.BAD_TOKENS, "tokens", command.tokens, 1, limits.TOKENS_MAX)
    check_name("task", command.task)
    there = pool.tokens_at(ctx.at_ms)
    require(command.tokens <= there, Code.NO_TOKENS, f"{there} tokens are there, wanted {command.tokens}")
    grants = sum(not grant.is_over(ctx.at_ms) for grant in pool.grants.values())
    require(grants < limits.GRANTS_PER_POOL_MAX, Code.LIMIT_REACHED, f"the pool has {grants} grants")
    return [
        e.TokensGranted(
            grant=ctx.command_id,
            pool=pool.name,
            account=account.id,
            order=None,
            tokens=command.tokens,
            paid_ucr=0,
            task=command.task,
            expires_at_ms=ctx.at_ms + pool.terms.grant_ms,
            system=True,
        )
    ]


def report_usage(ctx: Context, command: c.ReportUsage) -> list[Event]:
    """An account tells what it used of a grant; throttling that is believed lowers the pool's rate."""
    account = ctx.need_sender()
    pool, grant = _grant(ctx, command.grant)
    require(account.id == grant.account, Code.NOT_OWNER, "the grant belongs to another account")
    check_range(Code.BAD_TOKENS, "tokens", command.tokens, 0, limits.TOKENS_MAX)
    check_range(Code.BAD_TOKENS, "calls", command.calls, 0, limits.CALLS_MAX)
    check_range(Code.BAD_TOKENS, "throttled", command.throttled, 0, command.calls)
    require(command.tokens > 0 or command.calls > 0, Code.BAD_TOKENS, "it says nothing")
    check_name("task", command.task, NAME_BYTES_MAX, empty=True)
    left = grant.tokens - grant.used
    require(command.tokens <= left, Code.GRANT_SPENT, f"{left} of {grant.tokens} tokens are left")
    reported = e.UsageReported(
        grant=grant.id,
        pool=pool.name,
        account=account.id,
        tokens=command.tokens,
        calls=command.calls,
        throttled=command.throttled,
        task=command.task,
    )
    if not command.throttled or not _believed(pool, account, ctx.at_ms):
        return [reported]
    return [reported, e.TokenRateChanged(pool=pool.name, tokens_per_minute=_lowered(pool))]


def ended(pool: TokenPool, order: Order, reason: OrderEnd) -> Event:
    """The end of an order."""
    return e.StandingOrderEnded(order=order.id, pool=pool.name, account=order.account, reason=reason)


def _believed(pool: TokenPool, account: Account, at_ms: int) -> bool:
    """Whether a report of throttling counts: the first of an interval that is a System agent's, or that of as many
    budget roots as may lie together."""
    if pool.interval(pool.throttled_at_ms) == pool.interval(at_ms):
        return False
    complaining = pool.complaining(at_ms) | {account.budget_root}
    needed = min(limits.COMPLAINING_ROOTS_MIN, len(pool.roots_with_grants(at_ms)))
    return account.system or len(complaining) >= needed


def _lowered(pool: TokenPool) -> int:
    return max(pool.terms.floor_per_minute, pool.rate // 2)


def _found(ctx: Context, name: str) -> TokenPool:
    pool = ctx.state.token_pools.get(name)
    if pool is None:
        raise Rejection(Code.UNKNOWN_POOL)
    return pool


def _grant(ctx: Context, ident: bytes) -> tuple[TokenPool, Grant]:
    name = ctx.state.token_grants.get(ident)
    pool = None if name is None else ctx.state.token_pools[name]
    if pool is None or pool.grants[ident].is_over(ctx.at_ms):
        raise Rejection(Code.UNKNOWN_GRANT)
    return pool, pool.grants[ident]


def _terms(command: c.CreateTokenPool | c.ResizeTokenPool) -> dict[str, int]:
    """The terms of a pool, within their limits."""
    interval_ms = command.interval_ms
    check_range(Code.BAD_TOKENS, "rate", command.tokens_per_minute, 1, limits.TOKENS_MAX)
    check_range(Code.BAD_TOKENS, "burst", command.burst_tokens, 1, limits.TOKENS_MAX)
    check_range(Code.BAD_TOKENS, "reserve", command.reserve_permille, 0, 1000)
    interval = (limits.TOKEN_INTERVAL_MS_MIN, limits.TOKEN_INTERVAL_MS_MAX)
    check_range(Code.BAD_DURATION, "interval", interval_ms, *interval)
    check_range(Code.BAD_AMOUNT, "reserve price", command.reserve_per_1000_ucr, 0, limits.AMOUNT_UCR_MAX)
    longest_ms = interval_ms * limits.GRANT_INTERVALS_MAX
    check_range(Code.BAD_DURATION, "grant", command.grant_ms, limits.GRANT_MS_MIN, longest_ms)
    return {name: getattr(command, name) for name in TERMS}
