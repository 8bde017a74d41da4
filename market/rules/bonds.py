"""What a buyer may have contractors lock: no more for each ask than it locks itself for each slot (docs/guards.md)."""

from __future__ import annotations

from contractnet.messages import Code, Direction, Event
from contractnet.messages import commands as c
from market.rejection import require
from market.rules import roots
from market.rules.context import Context


def call_for_proposals_10(ctx: Context, command: c.CallForProposals) -> list[Event]:
    """As before; the bond of a CFP that buys is not above its ceiling, which its manager holds for each slot."""
    events = roots.call_for_proposals_9(ctx, command)
    fits = command.direction is not Direction.BUY or command.bond_ucr <= command.reserve_price_ucr
    require(fits, Code.BAD_AMOUNT, f"the bond {command.bond_ucr} is above the ceiling {command.reserve_price_ucr}")
    return events
