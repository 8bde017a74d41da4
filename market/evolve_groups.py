"""How events change the groups of bids, and the holds of them."""

from __future__ import annotations

import heapq

from contractnet.messages import ReleaseReason, Source
from contractnet.messages import events as e
from market import limits
from market.account import Group
from market.state import Bid, State


def bid_grouped(state: State, _: Source, event: e.BidGrouped) -> None:
    """A bid that was just placed belongs to a group."""
    account, bid = state.accounts[event.account], state.bids[event.bid]
    assert bid.id not in state.holds, "a bid is grouped before it holds"
    group = account.won_groups.pop(event.group, None) or account.groups.get(event.group) or Group(event.wins_max)
    assert group.wins_max == event.wins_max, "a group never changes how many may win"
    assert group.wins_left > 0, "a group that has won enough takes no bids"
    account.groups[event.group] = group
    group.bids[bid.id] = None
    bid.group = event.group


def hold_resized(state: State, _: Source, event: e.HoldResized) -> None:
    """A bid of a group holds its price from now on, or no more; a manager that buys, the ceiling of the slots left; a
    buyer what it has agreed on."""
    cfp = state.cfps.get(event.hold)
    if event.hold in state.negotiations:
        price_ucr = state.bids[event.hold].price_ucr
        assert event.amount_ucr == price_ucr <= state.holds[event.hold], "a cap shrinks to what was agreed on"
    elif cfp is not None:
        assert event.amount_ucr == cfp.ceiling_ucr < state.holds[cfp.id], "a manager's hold shrinks with each award"
    else:
        bid = state.bids[event.hold]
        assert bid.group is not None, "a bid's hold changes with its group only"
        assert (state.holds[bid.id], event.amount_ucr) in ((bid.price_ucr, 0), (0, bid.price_ucr))
    change_ucr = event.amount_ucr - state.holds[event.hold]
    state.holds[event.hold] = event.amount_ucr
    account = state.accounts[event.account]
    account.held_ucr += change_ucr
    assert account.free_ucr >= 0, "nobody holds what it does not have"
    for budget in state.budgets_of(account):
        budget.held_ucr += change_ucr


def bid_rejected(state: State, _: Source, event: e.BidRejected) -> None:
    """A bid that its manager rejects is free from now on. One that its group drops wins nothing any more, while its CFP
    goes on. A manager that has nothing left to choose has no more time, so that its CFP ends with what falls due
    next."""
    if event.reason is ReleaseReason.REJECTED:
        state.bids[event.bid].freed_at_ms = state.now_ms
    if event.reason is not ReleaseReason.GROUP_WON:
        return
    cfp = state.cfps[event.cfp]
    cfp.bids[event.bid].withdrawn = True
    del cfp.bidders[event.account]
    if cfp.decides_until_ms and not state.standing(cfp):
        cfp.decides_until_ms = state.now_ms
        heapq.heappush(state.agenda, (cfp.due_at_ms, cfp.id))
        state.trim_agenda()


def win(state: State, bid: Bid) -> None:
    """A bid has won, and is about to leave its group."""
    group = state.group_of(bid)
    if group is not None:
        assert group.wins_left > 0, "no group wins more often than it may"
        group.wins += 1


def leave(state: State, bid: Bid) -> None:
    """A bid is settled. A group without bids ends; what has won something is remembered for a while."""
    if bid.group is None:
        return
    account, ident, bid.group = state.accounts[bid.account], bid.group, None
    group = account.groups[ident]
    del group.bids[bid.id]
    if group.bids:
        return
    del account.groups[ident]
    if group.wins:
        account.won_groups[ident] = group
        if len(account.won_groups) > limits.GROUPS_REMEMBERED_PER_ACCOUNT:
            del account.won_groups[next(iter(account.won_groups))]
