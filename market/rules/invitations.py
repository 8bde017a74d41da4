"""CFPs by invitation (FIPA SC00029H sends a cfp to participants of its choice): who is not invited does not answer.

Everybody learns that a CFP is by invitation, the invited alone that they are (market/notices.py).
"""

from __future__ import annotations

from contractnet.messages import Awarder, Code, Direction, Event
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.rejection import require
from market.rules import buying, decisions, groups
from market.rules.context import Context


def call_for_proposals_6(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """As before; the manager may buy, and may say who may answer."""
    opened = buying.opened_6 if command.direction is Direction.BUY else decisions.opened
    return [*opened(ctx, command), *invitations(ctx, command.invited)]


def call_for_proposals_7(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """As before; the manager may keep the award of what it buys to itself."""
    if command.direction is not Direction.BUY:
        return call_for_proposals_6(ctx, command)
    require(command.award is not Awarder.UNSPECIFIED, Code.UNKNOWN_VALUE, "award")
    events = [*buying.opened(ctx, command), *decisions.deferred(ctx, command)]
    return [*events, *invitations(ctx, command.invited)]


def place_bid_6(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """As before; on a CFP by invitation the invited alone bid."""
    events = groups.place_bid_6(ctx, command)
    need_invitation(ctx, command.cfp)
    return events


def place_ask(ctx: Context, command: c.PlaceAsk) -> list[Event]:
    """An ask; on a CFP by invitation the invited alone ask."""
    events = buying.place_ask(ctx, command)
    need_invitation(ctx, command.cfp)
    return events


def refuse_6(ctx: Context, command: c.RefuseCfp) -> list[Event]:
    """As before; whoever is not invited has nothing to refuse."""
    events = decisions.refuse(ctx, command)
    need_invitation(ctx, command.cfp)
    return events


def invitations(ctx: Context, invited: tuple[bytes, ...]) -> list[Event]:
    """What follows the opening of a CFP by the sender: nothing where it is open to all."""
    require(len(invited) <= limits.INVITED_PER_CFP_MAX, Code.LIMIT_REACHED, "invited accounts of the CFP")
    seen = {ctx.need_sender().id, ctx.state.bank}
    for account in invited:
        require(account in ctx.state.accounts, Code.UNKNOWN_ACCOUNT, account.hex())
        require(account not in seen, Code.BAD_INVITATION, account.hex())
        seen.add(account)
    return [e.AccountInvited(cfp=ctx.command_id, account=account) for account in invited]


def need_invitation(ctx: Context, cfp: bytes) -> None:
    """Reject an answer of the sender where the CFP, which is open, does not take it."""
    require(ctx.state.cfps[cfp].takes(ctx.need_sender().id), Code.NOT_INVITED)
