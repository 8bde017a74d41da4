"""Caps by budget root: many accounts of one root take no more of what the market has room for than half
(docs/guards.md)."""

from __future__ import annotations

from contractnet.messages import Code, Event
from contractnet.messages import commands as c
from market import limits
from market.bargaining import HOLDER
from market.rejection import require
from market.rules import deposits, invitations, negotiations
from market.rules.context import Context


def call_for_proposals_9(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """As before; the open CFPs of all managers of a root are bounded as well."""
    events = deposits.call_for_proposals_8(ctx, command)
    mine = ctx.state.root_cfps[ctx.need_sender().budget_root]
    require(mine < limits.OPEN_CFPS_PER_ROOT_MAX, Code.LIMIT_REACHED, "open CFPs of the budget root")
    return events


def place_bid_9(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """As before; the bids of all accounts of a root on one CFP are bounded as well."""
    events = deposits.place_bid_8(ctx, command)
    _check_bids(ctx, command.cfp)
    return events


def place_ask_9(ctx: Context, command: c.PlaceAsk) -> list[Event]:
    """The same for asks."""
    events = invitations.place_ask(ctx, command)
    _check_bids(ctx, command.cfp)
    return events


def open_negotiation_9(ctx: Context, command: c.OpenNegotiation) -> list[Event]:
    """As before; the negotiations that all holders of a root have opened are bounded as well."""
    events = negotiations.open_negotiation(ctx, command)
    accounts, root = ctx.state.accounts, ctx.need_sender().budget_root
    holders = (accounts[talk.parties[HOLDER].account] for talk in ctx.state.negotiations.values())
    mine = sum(holder.budget_root == root for holder in holders)
    require(mine < limits.NEGOTIATIONS_PER_ROOT_MAX, Code.LIMIT_REACHED, "negotiations of the budget root")
    return events


def _check_bids(ctx: Context, ident: bytes) -> None:
    bids = ctx.state.cfps[ident].bids
    if len(bids) < limits.BIDS_PER_ROOT_AND_CFP_MAX:
        return
    accounts, root = ctx.state.accounts, ctx.need_sender().budget_root
    mine = sum(accounts[bid.account].budget_root == root for bid in bids.values())
    require(mine < limits.BIDS_PER_ROOT_AND_CFP_MAX, Code.LIMIT_REACHED, "bids of the budget root on the CFP")
