"""Why commands about token pools are rejected (refusals.py)."""

from __future__ import annotations

from analytics.checker.case import Case
from analytics.checker.limits import DAY_MS, MONEY_MAX, Refusal, no_account, no_name, out_of
from analytics.checker.tokens import TOKENS_MAX, Grant, Order

POOLS_MAX, ORDERS_MAX, GRANTS_MAX, CALLS_MAX = 256, 256, 32_768, 10**9
INTERVAL_MS, GRANT_MS_MIN, GRANT_INTERVALS_MAX = (1_000, 3_600_000), 1_000, 64


def bad_grant_ms(case: Case) -> bool:
    """A grant lives for a second up to 64 intervals."""
    c = case.command
    return not GRANT_MS_MIN <= c.grant_ms <= GRANT_INTERVALS_MAX * c.interval_ms


def unknown_pool(case: Case) -> bool:
    """There is no such token pool."""
    return case.token_pool is None


def not_own_pool(case: Case) -> bool:
    """The pool is another's, and the bank does not ask."""
    pool = case.token_pool
    return pool is not None and case.sender != pool.owner and not case.is_bank


def orders_from_itself(case: Case) -> bool:
    """Neither the owner nor the bank orders."""
    pool = case.token_pool
    return case.is_bank or (pool is not None and case.sender == pool.owner)


def bad_limit(case: Case) -> bool:
    """The limit, or all tokens at it, is no amount."""
    c = case.command
    return not (1 <= c.limit_per_1000_ucr <= MONEY_MAX and 0 <= c.tokens * c.limit_per_1000_ucr // 1000 <= MONEY_MAX)


def below_reserve(case: Case) -> bool:
    """The pool sells at no such price."""
    pool = case.token_pool
    return pool is not None and case.command.limit_per_1000_ucr < pool.terms["reserve_per_1000_ucr"]


def bad_open_ms(case: Case) -> bool:
    """An order stands for an interval to a day."""
    pool = case.token_pool
    return pool is not None and not pool.terms["interval_ms"] <= case.command.open_ms <= DAY_MS


def too_many_orders(case: Case) -> bool:
    """The pool has as many orders as it may."""
    pool = case.token_pool
    return pool is not None and case.sender not in pool.orders and len(pool.orders) >= ORDERS_MAX


def _order(case: Case) -> Order | None:
    orders = (order for pool in case.book.tokens.pools.values() for order in pool.orders.values())
    return next((order for order in orders if order.id == case.command.order), None)


def not_own_order(case: Case) -> bool:
    """The order is another's."""
    order = _order(case)
    return order is not None and order.account != case.sender


def too_few_tokens(case: Case) -> bool:
    """The pool has fewer tokens."""
    pool = case.token_pool
    return pool is not None and case.command.tokens > int(pool.now(case.at_ms))


def too_many_grants(case: Case) -> bool:
    """The pool has as many grants as it may."""
    pool = case.token_pool
    return pool is not None and len(pool.grants) >= GRANTS_MAX and len(pool.live(case.at_ms)) >= GRANTS_MAX


def _grant(case: Case) -> Grant | None:
    ident = case.command.grant
    pool = next((pool for pool in case.book.tokens.pools.values() if ident in pool.grants), None)
    return None if pool is None else pool.live(case.at_ms).get(ident)


def not_own_grant(case: Case) -> bool:
    """The grant is another's."""
    grant = _grant(case)
    return grant is not None and grant.account != case.sender


def bad_report(case: Case) -> bool:
    """A report says something, in whole numbers that fit each other."""
    c = case.command
    good = 0 <= c.tokens <= TOKENS_MAX and 0 <= c.throttled <= c.calls <= CALLS_MAX
    return not good or c.tokens == c.calls == 0


def spent(case: Case) -> bool:
    """More than is left of the grant."""
    grant = _grant(case)
    return grant is not None and grant.used + case.command.tokens > grant.tokens


TERMS: dict[str, Refusal] = {
    "BAD_TOKENS": out_of(
        ("tokens_per_minute", 1, TOKENS_MAX), ("burst_tokens", 1, TOKENS_MAX), ("reserve_permille", 0, 1000)
    ),
    "BAD_AMOUNT": out_of(("reserve_per_1000_ucr", 0, MONEY_MAX)),
    "BAD_DURATION": lambda case: out_of(("interval_ms", *INTERVAL_MS))(case) or bad_grant_ms(case),
}
TOKENS = out_of(("tokens", 1, TOKENS_MAX))

REFUSALS: dict[str, dict[str, Refusal]] = {
    "CreateTokenPool": {
        **TERMS,
        "BAD_NAME": no_name("name"),
        "NAME_TAKEN": lambda case: case.command.name in case.book.tokens.pools,
        "UNKNOWN_ACCOUNT": no_account("owner"),
        "NOT_PERMITTED": lambda case: case.command.owner == case.book.bank,
        "LIMIT_REACHED": lambda case: len(case.book.tokens.pools) >= POOLS_MAX,
    },
    "ResizeTokenPool": {**TERMS, "UNKNOWN_POOL": unknown_pool, "NOT_OWNER": not_own_pool},
    "SetPriority": {
        "UNKNOWN_ACCOUNT": no_account("account"),
        "NOT_PERMITTED": lambda case: case.command.account == case.book.bank,
    },
    "PlaceStandingOrder": {
        "UNKNOWN_POOL": unknown_pool,
        "NOT_PERMITTED": orders_from_itself,
        "BAD_TOKENS": TOKENS,
        "BAD_AMOUNT": bad_limit,
        "BELOW_RESERVE": below_reserve,
        "BAD_NAME": no_name("task", empty=True),
        "BAD_DURATION": bad_open_ms,
        "LIMIT_REACHED": too_many_orders,
    },
    "CancelStandingOrder": {"UNKNOWN_ORDER": lambda case: _order(case) is None, "NOT_OWNER": not_own_order},
    "DrawTokens": {
        "NOT_SYSTEM": lambda case: case.sender not in case.book.tokens.system,
        "UNKNOWN_POOL": unknown_pool,
        "BAD_TOKENS": TOKENS,
        "BAD_NAME": no_name("task"),
        "NO_TOKENS": too_few_tokens,
        "LIMIT_REACHED": too_many_grants,
    },
    "ReportUsage": {
        "UNKNOWN_GRANT": lambda case: _grant(case) is None,
        "NOT_OWNER": not_own_grant,
        "BAD_TOKENS": bad_report,
        "BAD_NAME": no_name("task", empty=True),
        "GRANT_SPENT": spent,
    },
}
