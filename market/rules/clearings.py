"""What happens to a token pool at the end of an interval: orders are cleared, and a lowered rate rises again."""

from __future__ import annotations

import hashlib
from collections import Counter

from contractnet.messages import Event, OrderEnd, PostingReason, TokenPricing
from contractnet.messages import events as e
from market.clearing import Ask, Sale, clear, ranked
from market.rules import budgets
from market.rules.tokens import ended
from market.state import State
from market.tokens import Order, TokenPool

GRANT_DOMAIN = b"contractnet/grant/1"


def interval_over(state: State, pool: TokenPool, at_ms: int, head: bytes) -> list[Event]:
    """All that the end of an interval sets off, however long ago it was: a clock that jumps clears once.

    `head` is the chain head before the record that settles it.
    """
    rises = _rises(pool, at_ms)
    if not pool.orders and rises:
        return rises
    expired = [order for order in pool.orders.values() if order.expires_at_ms <= at_ms]
    supply = pool.supply_at(at_ms)
    asks = _asks(state, pool, at_ms, supply, head)
    result = clear(asks, supply, pool.terms.reserve_per_1000_ucr) if asks else None
    sales = [] if result is None else result.sales
    cleared = e.TokenPoolCleared(
        pool=pool.name,
        pricing=TokenPricing.VCG if result is None else result.pricing,
        roots=len({ask.root for ask in asks}),
        supply_tokens=supply,
        sold_tokens=sum(sale.tokens for sale in sales),
        price_per_1000_ucr=0 if result is None else result.price_per_1000_ucr,
    )
    sold = [event for sale in sales for event in _sold(state, pool, sale, at_ms)]
    payments = [(sale.ask.order.account, sale.paid_ucr) for sale in sales if sale.paid_ucr]
    gone = [ended(pool, order, OrderEnd.EXPIRED) for order in expired]
    # The rate last: what has flowed in until now did at the old one.
    return [cleared, *sold, *budgets.warnings(state, payments), *gone, *rises]


def _rises(pool: TokenPool, at_ms: int) -> list[Event]:
    """A step back up, after a whole interval in which the rate was not lowered."""
    most = pool.terms.tokens_per_minute
    if pool.rate == most or pool.interval(pool.throttled_at_ms) >= pool.interval(at_ms) - 1:
        return []
    return [e.TokenRateChanged(pool=pool.name, tokens_per_minute=min(most, pool.rate + pool.terms.step_per_minute))]


def _asks(state: State, pool: TokenPool, at_ms: int, supply: int, head: bytes) -> list[Ask]:
    """The orders that take part, in rank order: those that could pay their limit for all that they may get."""
    if not supply:
        return []
    orders = [order for order in pool.orders.values() if order.expires_at_ms > at_ms]
    weights = _weights(state, pool, orders)
    least = pool.terms.reserve_per_1000_ucr
    asks = []
    for order in orders:
        if order.limit_per_1000_ucr >= least:
            root = state.accounts[order.account].budget_root
            asks.append(Ask(order, root, min(order.tokens, supply), weights[root]))
    reserved: Counter[bytes] = Counter()
    return [ask for ask in ranked(asks, pool.id, head) if _can_pay(state, ask, reserved)]


def _weights(state: State, pool: TokenPool, orders: list[Order]) -> dict[str, int]:
    """Weight of each budget root, in millionths: the least of its accounts, before version 10 of those that order,
    times its factor."""
    weights: dict[str, int] = {}
    for order in orders:
        account = state.accounts[order.account]
        weight = state.weight_at(account, state.weight_epoch)
        weights[account.budget_root] = min(weight, weights.get(account.budget_root, weight))
    return {root: weight * pool.factor_permille(root) for root, weight in weights.items()}


def _can_pay(state: State, ask: Ask, reserved: Counter[bytes]) -> bool:
    """Whether credits and budgets cover an ask, and those before it in `reserved`, by budget."""
    account = state.accounts[ask.order.account]
    worth_ucr = ask.worth_ucr
    under = state.budgets_of(account)
    fits = all(b.room_ucr is None or b.room_ucr - reserved[b.id] >= worth_ucr for b in under)
    if not fits or account.available_ucr < worth_ucr:
        return False
    for budget in under:
        reserved[budget.id] += worth_ucr
    return True


def _sold(state: State, pool: TokenPool, sale: Sale, at_ms: int) -> list[Event]:
    """One step: the grant, and its payment unless that is less than a micro-credit."""
    order = sale.ask.order
    account = state.accounts[order.account]
    grant = grant_id(order.id, at_ms)
    granted = e.TokensGranted(
        grant=grant,
        pool=pool.name,
        account=account.id,
        order=order.id,
        tokens=sale.tokens,
        paid_ucr=sale.paid_ucr,
        task=order.task,
        expires_at_ms=at_ms + pool.terms.grant_ms,
        system=False,
    )
    if not sale.paid_ucr:
        return [granted]
    paid = e.CreditsTransferred(
        debit=account.id,
        credit=pool.owner,
        amount_ucr=sale.paid_ucr,
        reason=PostingReason.TOKENS,
        agent=account.name,
        project=account.project,
        task=order.task,
        pool=pool.name,
        cfp=None,
        award=grant,
        memo="",
    )
    return [granted, paid]


def grant_id(order: bytes, at_ms: int) -> bytes:
    """Id of what an order got at a clearing."""
    return hashlib.sha256(GRANT_DOMAIN + order + at_ms.to_bytes(8, "big")).digest()[:16]
