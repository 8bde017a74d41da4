"""What happens when it falls due: a lease ends, work times out, a budget's window starts, a round of a negotiation is
over, a token pool is cleared, a CFP is awarded or left to its manager."""

from __future__ import annotations

from contractnet.messages import Event, LeaseEnd
from contractnet.messages import events as e
from market.rules import budgets, buying, clearings, contracts, decisions, deposits, groups, negotiations, resales
from market.state import Cfp, State


def settle(state: State, due_id: bytes, at_ms: int, head: bytes) -> list[Event]:
    """What happens when a CFP, a lease, a budget's window, a negotiation or a token pool falls due.

    `head` is the chain head before the record that settles it.
    """
    negotiation = state.negotiations.get(due_id)
    if negotiation is not None:
        return negotiations.expire(state, negotiation, at_ms)
    lease = state.leases.get(due_id)
    if lease is not None and due_id in state.works:
        return buying.time_out(state, state.works[due_id])
    if lease is not None:
        ended: list[Event] = [e.LeaseEnded(award=lease.award, pool=lease.pool, reason=LeaseEnd.EXPIRED)]
        return negotiations.lease_over(state, ended, lease.award)
    budget = state.budgets.get(due_id)
    if budget is not None:
        return budgets.next_window(state, budget, at_ms)
    pool = state.token_ids.get(due_id)
    if pool is not None:
        return clearings.interval_over(state, pool, at_ms, head)
    return groups.follow(state, deposits.follow(state, _due(state, state.cfps[due_id], at_ms, head), at_ms))


def _due(state: State, cfp: Cfp, at_ms: int, head: bytes) -> list[Event]:
    """A CFP's deadline, or the end of its manager's time."""
    if cfp.decide_ms:
        return decisions.expire(state, cfp) if cfp.decides_until_ms else decisions.begin(state, cfp, at_ms)
    if cfp.terms is not None:
        return buying.close(state, cfp, cfp.terms, at_ms, head)
    if cfp.resale is not None:
        return resales.close(state, cfp, state.leases[cfp.resale], at_ms, head)
    return contracts.close(state, cfp, at_ms, head)
