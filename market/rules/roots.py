"""Caps by budget root: many accounts of one root take no more of what the market has room for than half
(docs/guards.md)."""

from __future__ import annotations

from collections.abc import Iterable

from contractnet.messages import Code, Event
from contractnet.messages import commands as c
from market import limits
from market.rejection import require
from market.rules import claims, deposits, invitations, reselling
from market.rules.context import Context


def call_for_proposals_9(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """As before; the open CFPs of all managers of a root are bounded as well."""
    events = deposits.call_for_proposals_8(ctx, command)
    mine = ctx.state.root_cfps[ctx.need_sender().budget_root]
    require(mine < limits.OPEN_CFPS_PER_ROOT_MAX, Code.LIMIT_REACHED, "open CFPs of the budget root")
    return events


def place_bid_9(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """As before; the bids of all accounts of a root on one CFP are bounded as well."""
    events = reselling.place_bid_9(ctx, command)
    _check_bids(ctx, command.cfp)
    return events


def place_ask_9(ctx: Context, command: c.PlaceAsk) -> list[Event]:
    """The same for asks."""
    events = invitations.place_ask(ctx, command)
    _check_bids(ctx, command.cfp)
    return events


def open_negotiation_9(ctx: Context, command: c.OpenNegotiation) -> list[Event]:
    """As before; the negotiations that all accounts of a root have opened are bounded as well."""
    events = claims.open_negotiation_9(ctx, command)
    _check_negotiations(ctx, command.award)
    return events


def claim_lease(ctx: Context, command: c.ClaimLease) -> list[Event]:
    """A claim; those of all accounts of a root are bounded as well, and with what else they have opened."""
    events = claims.claim_lease(ctx, command)
    _check_negotiations(ctx, command.award)
    mine = _of_root(ctx, (talk.opener for talk in ctx.state.negotiations.values() if talk.claimed))
    require(mine < limits.CLAIMS_PER_ROOT_MAX, Code.LIMIT_REACHED, "claims of the budget root")
    return events


def claim_lease_10(ctx: Context, command: c.ClaimLease) -> list[Event]:
    """As before; a root whose claim on this lease was not joined waits a while before it claims it again."""
    events = claim_lease(ctx, command)
    again_ms = ctx.state.leases[command.award].vain.get(ctx.need_sender().budget_root, 0)
    require(ctx.at_ms >= again_ms, Code.LIMIT_REACHED, f"the holder did not join a claim of the root: from {again_ms}")
    return events


def _check_negotiations(ctx: Context, award: bytes) -> None:
    """With calls for leases that were bargained for; a claim that gives way to a negotiation over its lease counts no
    more."""
    state = ctx.state
    openers = [talk.opener for talk in state.negotiations.values() if talk.award != award]
    sellers = [state.cfps[ident].manager for ident in state.resales.values()]
    mine = _of_root(ctx, openers + sellers)
    require(mine < limits.NEGOTIATIONS_PER_ROOT_MAX, Code.LIMIT_REACHED, "negotiations of the budget root")


def _of_root(ctx: Context, accounts: Iterable[bytes]) -> int:
    """How many of these are under the sender's budget root."""
    root = ctx.need_sender().budget_root
    return sum(ctx.state.accounts[ident].budget_root == root for ident in accounts)


def _check_bids(ctx: Context, ident: bytes) -> None:
    bids = ctx.state.cfps[ident].bids
    if len(bids) < limits.BIDS_PER_ROOT_AND_CFP_MAX:
        return
    mine = _of_root(ctx, (bid.account for bid in bids.values()))
    require(mine < limits.BIDS_PER_ROOT_AND_CFP_MAX, Code.LIMIT_REACHED, "bids of the budget root on the CFP")
