"""What a call for a lease that was bargained for lets be done meanwhile (resales.py), and the operator's word on it."""

from __future__ import annotations

from contractnet.messages import Code, Event
from contractnet.messages import commands as c
from contractnet.messages import events as e
from market import limits
from market.rejection import require
from market.rules import decisions, deposits, negotiations
from market.rules.context import Context, check_range


def set_resale_call(ctx: Context, command: c.SetResaleCall) -> list[Event]:
    """The operator sets how long a deal over a lease is open to others. Calls that are open keep their time."""
    require(ctx.sender is None, Code.NOT_PERMITTED, "only the operator may do this")
    if command.call_ms:
        call = (limits.RESALE_CALL_MS_MIN, limits.RESALE_CALL_MS_MAX)
        check_range(Code.BAD_DURATION, "call", command.call_ms, *call)
    return [e.ResaleCallSet(call_ms=command.call_ms)]


def place_bid_9(ctx: Context, command: c.PlaceBid) -> list[Event]:
    """As before; a lease that is sold on begins when it is awarded, or when it would have begun."""
    events = deposits.place_bid_8(ctx, command)
    if ctx.state.cfps[command.cfp].resale is not None:
        check_range(Code.BAD_DURATION, "start delay", command.start_delay_ms, 0, 0)
    return events


def withdraw_bid_9(ctx: Context, command: c.WithdrawBid) -> list[Event]:
    """As before; what a buyer has agreed on binds."""
    events = decisions.withdraw_bid_5(ctx, command)
    bid = ctx.state.bids[command.bid]
    require(bid.id != bid.cfp, Code.OUT_OF_SEQUENCE, "it is the buyer's part of a deal")
    return events


def cancel_9(ctx: Context, command: c.CancelCfp) -> list[Event]:
    """As before; what a holder has agreed on binds."""
    events = deposits.cancel_8(ctx, command)
    sold = ctx.state.cfps[command.cfp].resale is not None
    require(not sold, Code.OUT_OF_SEQUENCE, "it is the holder's part of a deal")
    return events


def release_lease_9(ctx: Context, command: c.ReleaseLease) -> list[Event]:
    """As before; a lease that is called for is not given back."""
    events = negotiations.release_lease_6(ctx, command)
    require(command.award not in ctx.state.resales, Code.OUT_OF_SEQUENCE, "it is being sold on")
    return events
