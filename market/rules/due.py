"""What happens when it falls due: a lease ends, work times out, a budget's window starts, a CFP is awarded or left to
its manager."""

from __future__ import annotations

from contractnet.messages import Event, LeaseEnd
from contractnet.messages import events as e
from market.rules import budgets, buying, contracts, decisions, groups
from market.state import Cfp, State


def settle(state: State, due_id: bytes, at_ms: int, head: bytes) -> list[Event]:
    """What happens when a CFP, a lease or a budget's window falls due.

    `head` is the chain head before the record that settles it.
    """
    lease = state.leases.get(due_id)
    if lease is not None and due_id in state.works:
        return buying.time_out(state, state.works[due_id])
    if lease is not None:
        return [e.LeaseEnded(award=lease.award, pool=lease.pool, reason=LeaseEnd.EXPIRED)]
    budget = state.budgets.get(due_id)
    if budget is not None:
        return budgets.next_window(state, budget)
    return groups.follow(state, _due(state, state.cfps[due_id], at_ms, head))


def _due(state: State, cfp: Cfp, at_ms: int, head: bytes) -> list[Event]:
    """A CFP's deadline, or the end of its manager's time."""
    if cfp.terms is not None:
        return buying.close(state, cfp, cfp.terms, at_ms, head)
    if not cfp.decide_ms:
        return contracts.close(state, cfp, at_ms, head)
    return decisions.expire(state, cfp) if cfp.decides_until_ms else decisions.begin(state, cfp, at_ms)
