"""How entries of token pools change a market. Part of `evolve`."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from contractnet.messages import Cause, Event, Source
from contractnet.messages import events as e
from market.state import State
from market.tokens import PARTS, Grant, Order, TokenPool, TokenTerms


def _terms(event: e.TokenPoolCreated | e.TokenPoolResized) -> TokenTerms:
    return TokenTerms(
        tokens_per_minute=event.tokens_per_minute,
        burst_tokens=event.burst_tokens,
        reserve_permille=event.reserve_permille,
        interval_ms=event.interval_ms,
        reserve_per_1000_ucr=event.reserve_per_1000_ucr,
        grant_ms=event.grant_ms,
    )


def _created(state: State, source: Source, event: e.TokenPoolCreated) -> None:
    assert event.pool not in state.token_pools
    terms = _terms(event)
    level = terms.burst_tokens * PARTS
    state.add_token_pool(
        TokenPool(event.token_pool, event.pool, event.owner, terms, terms.tokens_per_minute, level, source.at_ms)
    )


def _resized(state: State, source: Source, event: e.TokenPoolResized) -> None:
    pool = state.token_pools[event.pool]
    pool.settle(source.at_ms)
    pool.terms = _terms(event)
    pool.rate = pool.terms.tokens_per_minute
    pool.settle(source.at_ms)
    _schedule(state, pool, source)


def _priority_changed(state: State, _: Source, event: e.PriorityChanged) -> None:
    state.accounts[event.account].system = event.system


def _order_placed(state: State, source: Source, event: e.StandingOrderPlaced) -> None:
    pool = state.token_pools[event.pool]
    assert event.account not in pool.orders, "an account has one order in a pool"
    terms = (event.tokens, event.limit_per_1000_ucr, event.task, event.expires_at_ms)
    pool.orders[event.account] = Order(event.order, event.account, *terms)
    state.token_orders[event.order] = pool.name
    _schedule(state, pool, source)


def _order_ended(state: State, source: Source, event: e.StandingOrderEnded) -> None:
    pool = state.token_pools[event.pool]
    order = pool.orders.pop(event.account)
    assert order.id == event.order
    del state.token_orders[order.id]
    _schedule(state, pool, source)


def _cleared(state: State, source: Source, event: e.TokenPoolCleared) -> None:
    pool = state.token_pools[event.pool]
    assert 0 < pool.clears_at_ms <= source.at_ms, "a clearing happens once an interval"
    pool.settle(source.at_ms)
    pool.forget_some()
    _next(state, pool, source)


def _granted(state: State, source: Source, event: e.TokensGranted) -> None:
    pool, account = state.token_pools[event.pool], state.accounts[event.account]
    pool.settle(source.at_ms)
    pool.level -= event.tokens * PARTS
    least = 0 if event.system else pool.terms.reserve_tokens * PARTS
    assert pool.level >= least, "nobody is granted what is not there"
    assert event.grant not in state.token_grants
    for ident in pool.drop_over(source.at_ms):
        del state.token_grants[ident]
    root = account.budget_root
    pool.grants[event.grant] = Grant(event.grant, account.id, root, event.tokens, event.expires_at_ms)
    state.token_grants[event.grant] = pool.name
    if not event.system:
        pool.recent[root] = pool.recent.get(root, 0) + event.tokens


def _used(state: State, source: Source, event: e.UsageReported) -> None:
    pool = state.token_pools[event.pool]
    grant = pool.grants[event.grant]
    assert grant.account == event.account
    grant.used += event.tokens
    assert grant.used <= grant.tokens, "a grant is used once"
    if event.throttled:
        pool.complaints = dict.fromkeys([*sorted(pool.complaining(source.at_ms) - {grant.root}), grant.root])
        pool.complained_at_ms = source.at_ms


def _rate_changed(state: State, source: Source, event: e.TokenRateChanged) -> None:
    pool = state.token_pools[event.pool]
    assert pool.terms.floor_per_minute <= event.tokens_per_minute <= pool.terms.tokens_per_minute
    pool.settle(source.at_ms)
    lowered = source.cause is Cause.COMMAND
    assert lowered == (event.tokens_per_minute <= pool.rate), "commands lower a rate, time raises it"
    pool.rate = event.tokens_per_minute
    if lowered:
        pool.throttled_at_ms = source.at_ms
        _schedule(state, pool, source)
    elif pool.clears_at_ms <= source.at_ms:
        _next(state, pool, source)


def _next(state: State, pool: TokenPool, source: Source) -> None:
    """The interval is over; the next one is waited for where there is something to do."""
    waits = pool.orders or pool.rate < pool.terms.tokens_per_minute
    due_ms = pool.after(source.at_ms) if waits else 0
    if due_ms != pool.clears_at_ms:
        pool.clears_at_ms = due_ms
        if due_ms:
            heapq.heappush(state.agenda, (due_ms, pool.id))
    state.trim_agenda()


def _schedule(state: State, pool: TokenPool, source: Source) -> None:
    """The end of the interval is waited for, where it was not and there is something to do now.

    It is still waited for when there is nothing to do any more: whoever orders and cancels adds nothing to the agenda.
    """
    if not pool.clears_at_ms:
        _next(state, pool, source)


TOKEN_CHANGES: dict[type[Event], Callable[[State, Source, Any], None]] = {
    e.TokenPoolCreated: _created,
    e.TokenPoolResized: _resized,
    e.PriorityChanged: _priority_changed,
    e.StandingOrderPlaced: _order_placed,
    e.StandingOrderEnded: _order_ended,
    e.TokenPoolCleared: _cleared,
    e.TokensGranted: _granted,
    e.UsageReported: _used,
    e.TokenRateChanged: _rate_changed,
}
